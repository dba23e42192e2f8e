/** User and password of a Basic credential (RFC 7617). */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** Characters of the credential; longer ones are nobody's. */
const tokenCharactersMax = 4096
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Reads a field value such as `Basic dTpw`; null for everything else: another scheme, broken base64, no colon, control characters (RFC 7617 section 2).
 * The text is UTF-8, as our challenge asks; clients that send latin1 all the same are understood. The first colon ends the user.
 */
export function parseBasic(value: string): Credentials | null {
  const match = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(value)
  const token = match?.[1] ?? ""
  if (token === "" || token.length > tokenCharactersMax || token.length % 4 !== 0) return null
  const text = decode(Buffer.from(token, "base64"))
  const colon = text.indexOf(":")
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) return null
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

function decode(octets: Buffer): string {
  try {
    return utf8.decode(octets)
  } catch {
    return octets.toString("latin1")
  }
}
