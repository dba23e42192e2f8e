import { HIDDEN } from "./hide-cards.ts"
import { hidePatterns } from "./hide-patterns.ts"
import { redactJson } from "./redact-json.ts"
import { type IsSecret, redactText } from "./redact-text.ts"

/** Hides values of a query or of a form, `a=b&c=d`. What is hidden by its own looks is looked for in the decoded value. */
export function redactForm(text: string, isSecret: IsSecret): string {
  return text.replace(/([^&;=]*)(=([^&;]*))?/g, (whole, name: string, rest: string | undefined, value = "") => {
    if (rest === undefined) return whole
    if (isSecretPath(decoded(name), isSecret)) return `${name}=${HIDDEN}`
    const plain = decoded(value)
    const clean = redactValue(plain, isSecret)
    return clean === plain ? whole : `${name}=${encodeURIComponent(clean)}`
  })
}

function redactValue(plain: string, isSecret: IsSecret): string {
  const clean = /^\s*[[{]/.test(plain) ? redactJson(plain, isSecret) : plain
  return redactText(hidePatterns(clean), isSecret)
}

/** `user[password]`, `a.password`, `password[0]`: any part of it. */
function isSecretPath(name: string, isSecret: IsSecret): boolean {
  return isSecret(name) || name.split(/[[\].]/).some(part => part !== "" && isSecret(part))
}

/** As a server would read it; what cannot be decoded stays. */
function decoded(text: string): string {
  const octets = text.replaceAll("+", " ").replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return /[\x80-\xff]/.test(octets) && !/[^\x00-\xff]/.test(octets) ? Buffer.from(octets, "latin1").toString("utf8") : octets
}

/** Hides the parts of a multipart body whose names are those of secrets, and what files hold (RFC 7578). */
export function redactMultipart(text: string, boundary: string, isSecret: IsSecret): string {
  if (boundary === "") return HIDDEN
  return text
    .split(`--${boundary}`)
    .map(part => redactPart(part, isSecret))
    .join(`--${boundary}`)
}

function redactPart(part: string, isSecret: IsSecret): string {
  const blank = part.indexOf("\r\n\r\n")
  if (blank < 0) return part
  const head = part.slice(0, blank)
  const name = /[;\s]name\*?="?([^";\r\n]*)/i.exec(head)?.[1] ?? ""
  const isFile = /[;\s]filename\*?=/i.test(head)
  if (isFile || isSecretPath(decoded(name), isSecret)) return `${head}\r\n\r\n${HIDDEN}\r\n`
  return head + redactValue(part.slice(blank), isSecret)
}
