import type { DigestAlgorithm } from "./digest-response.ts"
import { digestAlgorithms } from "./digest-response.ts"

/** Credentials of the scheme Digest (RFC 7616 section 3.4), as octets, one character each. */
export interface DigestCredentials {
  readonly algorithm: DigestAlgorithm
  /** The name as text, or its hash when `hashed`. */
  readonly user: string
  readonly hashed: boolean
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  readonly response: string
  readonly nc: string
  readonly cnonce: string
}

/** Parameters and characters of one field. */
const PARAMETERS_MAX = 24
const CHARS_MAX = 8192

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const blanks = /[\t ]*/y
const separators = /[\t ,]*/y
const quoted = /"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*)"/y

/** Reads `name=value` and `name="value"` with commas between, from `at` on (RFC 9110 section 11.2). Null for anything else, and for a name that comes twice. */
export function readParameters(text: string, at: number): Map<string, string> | null {
  if (text.length > CHARS_MAX) return null
  const found = new Map<string, string>()
  let next = end(separators, text, at)
  while (next < text.length) {
    const nameEnd = end(token, text, next)
    if (nameEnd < 0 || found.size === PARAMETERS_MAX) return null
    const name = text.slice(next, nameEnd).toLowerCase()
    const equals = end(blanks, text, nameEnd)
    if (text[equals] !== "=" || found.has(name)) return null
    const start = end(blanks, text, equals + 1)
    const stop = end(text[start] === '"' ? quoted : token, text, start)
    if (stop < 0) return null
    found.set(name, text[start] === '"' ? text.slice(start + 1, stop - 1).replace(/\\(.)/g, "$1") : text.slice(start, stop))
    next = end(blanks, text, stop)
    if (next < text.length && text[next] !== ",") return null
    next = end(separators, text, next)
  }
  return found
}

/** Where a match at `from` ends, -1 without one. */
function end(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(text) ? pattern.lastIndex : -1
}

/** Reads a field value such as `Digest username="ann", …`. Null for all that is not whole or that we have not offered: qop=auth is the one that we do. */
export function parseDigest(value: string): DigestCredentials | null {
  const said = readParameters(value, "digest ".length)
  if (said === null) return null
  const wanted = said.get("algorithm")?.toUpperCase() ?? "MD5"
  const algorithm = digestAlgorithms.find(one => one === wanted)
  const hashed = said.get("userhash")?.toLowerCase() === "true"
  const user = userOf(said, hashed)
  const [nc, response] = [said.get("nc") ?? "", (said.get("response") ?? "").toLowerCase()]
  const [realm, nonce, uri, cnonce] = [said.get("realm"), said.get("nonce"), said.get("uri"), said.get("cnonce")]
  if (algorithm === undefined || user === null || said.get("qop")?.toLowerCase() !== "auth") return null
  if (realm === undefined || nonce === undefined || uri === undefined || cnonce === undefined || cnonce === "") return null
  if (!/^[0-9a-f]{8}$/i.test(nc) || !/^[0-9a-f]{32,64}$/.test(response)) return null
  return { algorithm, user, hashed, realm, nonce, uri, response, nc, cnonce }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The name as text: `username`, or `username*` where it is beyond ASCII (RFC 8187). */
function userOf(said: ReadonlyMap<string, string>, hashed: boolean): string | null {
  const [plain, extended] = [said.get("username"), said.get("username*")]
  if ((plain === undefined) === (extended === undefined) || (hashed && plain === undefined)) return null
  const octets = plain === undefined ? extendedOctets(extended!) : Buffer.from(plain, "latin1")
  if (octets === null) return null
  const text = textOf(octets)
  if (text === "" || /[\x00-\x1f\x7f]/.test(text)) return null
  return hashed ? text.toLowerCase() : text
}

function extendedOctets(value: string): Buffer | null {
  const match = /^utf-8'[A-Za-z0-9-]*'((?:%[0-9a-f]{2}|[!#$&+.^_`|~0-9A-Za-z-])*)$/i.exec(value)
  if (match === null) return null
  return Buffer.from(
    match[1]!.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    "latin1",
  )
}

function textOf(octets: Buffer): string {
  try {
    return utf8.decode(octets)
  } catch {
    return octets.toString("latin1")
  }
}
