/**
 * A value as it may stand in a filter (RFC 4515 section 3): what means something there becomes its octet in hexadecimal, so no name can be more than a
 * value. Letters beyond ASCII stay, as the section allows.
 */
export function filterValue(text: string): string {
  return text.replace(/[\x00-\x1f\x7f\\*()&|!=<>~]/g, character => `\\${character.charCodeAt(0).toString(16).padStart(2, "0")}`)
}

/** A value as it may stand in a distinguished name (RFC 4514 section 2.4). */
export function dnValue(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f"+,;<>\\=#]/g, character => `\\${character.charCodeAt(0).toString(16).padStart(2, "0")}`)
    .replace(/^ | $/g, "\\20")
}

export function fillFilter(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{([a-z]+)\}/g, (_, word: string) => filterValue(values[word] ?? ""))
}

export function fillDn(template: string, user: string): string {
  return template.replaceAll("{user}", dnValue(user))
}

/** What is wrong with a filter of the config, "" when nothing is. One of `words` must be in it, in braces, where a value stands. */
export function filterProblem(template: string, words: readonly string[]): string {
  if (!words.some(word => template.includes(`{${word}}`))) return `expected a filter with ${words.map(word => `{${word}}`).join(" or ")}`
  const other = [...template.matchAll(/\{([^}]*)\}/g)].find(match => !words.includes(match[1]!))
  if (other !== undefined) return `there is no ${other[0]} here; expected ${words.map(word => `{${word}}`).join(" or ")}`
  if (/\{[a-z]+\}[^()]*[:=<>~]/.test(template.replace(/=[^()]*/g, "=V"))) return "expected {…} as a value, not as an attribute"
  const filled = fillFilter(template, Object.fromEntries(words.map(word => [word, "x"])))
  return filterEnd(filled, 0, 0) === filled.length ? "" : 'expected a filter such as "(&(objectClass=person)(uid={user}))"'
}

const DEPTH_MAX = 16
const item = /(?:[A-Za-z][A-Za-z0-9-]*(?:[~<>]?=|(?::dn)?(?::[A-Za-z0-9.-]+)?:=)|(?::dn)?:[A-Za-z0-9.-]+:=)(?:[^()\\\0]|\\[0-9a-fA-F]{2})*\)/y

/** Where the filter that begins at `at` ends, -1 = there is none (RFC 4515 section 3). The library that will read it is not loaded for configs without a directory. */
function filterEnd(text: string, at: number, depth: number): number {
  if (text[at] !== "(" || depth > DEPTH_MAX) return -1
  const kind = text[at + 1]
  if (kind === "!") {
    const end = filterEnd(text, at + 2, depth + 1)
    return end > 0 && text[end] === ")" ? end + 1 : -1
  }
  if (kind !== "&" && kind !== "|") {
    item.lastIndex = at + 1
    return item.test(text) ? item.lastIndex : -1
  }
  let end = filterEnd(text, at + 2, depth + 1)
  while (end > 0 && text[end] === "(") end = filterEnd(text, end, depth + 1)
  return end > 0 && text[end] === ")" ? end + 1 : -1
}

export function dnTemplateProblem(template: string): string {
  if (!template.includes("{user}")) return "expected a name with {user}"
  return /^[A-Za-z][A-Za-z0-9-]*=[^,]/.test(template) ? "" : 'expected a name such as "uid={user},ou=people,dc=example,dc=org"'
}

export function attributeProblem(name: string): string {
  return /^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(name) ? "" : "expected the name of an attribute"
}

/** The value of a name's first part: `staff` of `cn=staff,ou=groups,dc=example`; "" when it is no name. */
export function firstValue(dn: string): string {
  const match = /^[^=,+\\]+=((?:[^,+\\]|\\.)*)/.exec(dn)
  if (match === null) return ""
  return match[1]!
    .replace(/((?:\\[0-9a-f]{2})+)|\\(.)/gi, (_, octets: string | undefined, character: string | undefined) =>
      octets === undefined ? character! : Buffer.from(octets.replaceAll("\\", ""), "hex").toString("utf8"),
    )
    .trim()
}

/** Reads `ldaps://host:636`. IPv6 stands in brackets. */
export function readDirectoryUrl(text: string): { readonly host: string; readonly port: number; readonly secure: boolean } {
  const url = new URL(text)
  const secure = url.protocol.toLowerCase() === "ldaps:"
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? (secure ? 636 : 389) : Number(url.port), secure }
}
