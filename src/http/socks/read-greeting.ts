// HOT
import { BAD, MORE } from "./read-request.ts"

// methods of RFC 1928 section 3
export const NO_PASSWORD = 0
export const PASSWORD = 2
export const NO_METHOD = 255

/** Which of the ways that were offered there are: the last greeting's, read before the next call. */
export const offered = { none: false, password: false }

/** Reads a greeting (RFC 1928 section 3), VER 5 | NMETHODS | METHODS, that begins at `at`: how many octets it has, MORE, or BAD. */
export function readGreeting(octets: Buffer, at: number): number {
  if (octets[at] !== 5) return BAD
  if (octets.length - at < 2) return MORE
  const end = at + 2 + octets[at + 1]!
  if (octets.length < end) return MORE
  offered.none = false
  offered.password = false
  for (let i = at + 2; i < end; i++) {
    if (octets[i] === NO_PASSWORD) offered.none = true
    else if (octets[i] === PASSWORD) offered.password = true
  }
  return end - at
}

/** The same of name and password (RFC 1929): VER 1 | ULEN | UNAME | PLEN | PASSWD. */
export function readPassword(octets: Buffer, at: number): number {
  if (octets.length === at) return MORE
  if (octets[at] !== 1) return BAD
  if (octets.length - at < 2) return MORE
  const nameEnd = at + 2 + octets[at + 1]!
  if (octets.length <= nameEnd) return MORE
  const end = nameEnd + 1 + octets[nameEnd]!
  return octets.length < end ? MORE : end - at
}

/** What `readPassword` found, as a Basic credential (RFC 7617); "" = the name holds a colon, so that it could be read as another one. */
export function basicOf(octets: Buffer, at: number): string {
  const nameEnd = at + 2 + octets[at + 1]!
  const end = nameEnd + 1 + octets[nameEnd]!
  const text = `${octets.latin1Slice(at + 2, nameEnd)}:${octets.latin1Slice(nameEnd + 1, end)}`
  if (text.indexOf(":") !== nameEnd - at - 2) return ""
  return `Basic ${Buffer.from(text, "latin1").toString("base64")}`
}
