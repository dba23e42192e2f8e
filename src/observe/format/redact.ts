import { z } from "zod"
import { bareName, isSecretName } from "../../base/index.ts"

/** Whether values of parameters that look like secrets are hidden: true (default), false, or further names beside the built-in rule. */
export const redactOption = z.union([z.boolean(), z.array(z.string().min(1))], {
  error: "expected true, false or a list of parameter names",
})

export type RedactOption = z.infer<typeof redactOption>

/** Replaces the values of secrets by `***`. */
export interface Redactor {
  /** Of a query with its leading "?", or "". */
  query(query: string): string
  /** Of a whole URL, as in Referer: in its query, and the user information before the host. */
  url(url: string): string
}

// Text that has none of these letters neither names a secret of the built-in rule nor has user information.
const hints = /tok|pas|secret|key|pw|sig|auth|jwt|sid|sess|cred|otp|pin|asser|saml|cvv|cvc|ssn|card|ccn|[%@]/i

const keeper: Redactor = { query: query => query, url: url => url }

/** Compiles the option. Names are compared without case and punctuation, so `api_key`, `apiKey` and `api-key` are one. */
export function compileRedact(option: RedactOption): Redactor {
  if (option === false) return keeper
  const further = new Set(Array.isArray(option) ? option.map(bare) : [])
  const isSecret = (name: string) => isSecretName(name) || further.has(name)
  const isClean = (text: string) => text === "" || (further.size === 0 && !hints.test(text))
  const query = (text: string) => (isClean(text) ? text : hideSecrets(text, isSecret))
  return { query, url: url => (isClean(url) ? url : hideInUrl(url, query)) }
}

function hideInUrl(url: string, redact: (query: string) => string): string {
  const query = url.indexOf("?")
  return query < 0 ? hideUser(url) : hideUser(url.slice(0, query)) + redact(url.slice(query))
}

function hideUser(front: string): string {
  const authority = front.indexOf("//")
  if (authority < 0) return front
  const slash = front.indexOf("/", authority + 2)
  const at = front.lastIndexOf("@", slash < 0 ? front.length : slash)
  return at > authority ? `${front.slice(0, authority + 2)}***${front.slice(at)}` : front
}

function hideSecrets(query: string, isSecret: (name: string) => boolean): string {
  let out = "?"
  let at = 1
  while (at <= query.length) {
    let end = at
    while (end < query.length && query[end] !== "&" && query[end] !== ";") end++
    const equals = query.indexOf("=", at)
    if (equals > 0 && equals < end && isSecret(bare(query.slice(at, equals)))) out += `${query.slice(at, equals)}=***`
    else out += query.slice(at, end)
    if (end < query.length) out += query[end]
    at = end + 1
  }
  return out
}

// A name may be percent-encoded in whole or in part; a server decodes it, so we must.
function bare(name: string): string {
  const plain = name.includes("%") ? name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : name
  return bareName(plain)
}
