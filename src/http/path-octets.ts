// HOT
export const SLASH = 0x2f
export const DOT = 0x2e
export const PERCENT = 0x25
export const SEMICOLON = 0x3b
export const BACKSLASH = 0x5c

/** Added to an octet that was written %XX. */
export const ENCODED = 0x100
/** A percent sign that begins no escape. */
export const MALFORMED = 0x200
/** %uXXXX, which a few servers read as a character, or a code that is no octet. */
export const WIDE = 0x400

// kinds of an octet that stands for itself
export const PLAIN = 0
export const BOUNDARY = 1 // slash
export const ESCAPE = 2 // percent sign
export const SPECIAL = 3 // cut, encoded or refused

export const kinds = new Uint8Array(256)
/** 1 = written bare in the rule form, though it came as %XX: every printable ASCII octet that ends nothing and begins nothing. */
export const bare = new Uint8Array(256)
for (let octet = 0; octet < 256; octet++) {
  const character = String.fromCharCode(octet)
  const printable = octet > 0x20 && octet < 0x7f
  kinds[octet] = character === "/" ? BOUNDARY : character === "%" ? ESCAPE : printable && !"\\;?#".includes(character) ? PLAIN : SPECIAL
  bare[octet] = printable && !"%/\\;?#".includes(character) ? 1 : 0
}
export const escapes: string[] = []
for (let octet = 0; octet < 256; octet++) escapes.push(`%${octet < 16 ? "0" : ""}${octet.toString(16).toUpperCase()}`)

/** The escape at `at` is written in upper case. */
export function isUpper(path: string, at: number): boolean {
  return path.charCodeAt(at + 1) < 0x61 && path.charCodeAt(at + 2) < 0x61
}

/** The octet at `at`: its code, or ENCODED + octet, or MALFORMED, or WIDE. Codes above 255 are WIDE. */
export function octetAt(path: string, at: number): number {
  const code = path.charCodeAt(at)
  if (code !== PERCENT) return code < 256 ? code : WIDE
  if (at + 2 >= path.length) return MALFORMED
  const high = hexValue(path.charCodeAt(at + 1))
  const low = hexValue(path.charCodeAt(at + 2))
  if (high >= 0 && low >= 0) return ENCODED + high * 16 + low
  return isWideEscape(path, at) ? WIDE : MALFORMED
}

function isWideEscape(path: string, at: number): boolean {
  if (at + 5 >= path.length || (path.charCodeAt(at + 1) | 0x20) !== 0x75) return false
  for (let i = at + 2; i < at + 6; i++) if (hexValue(path.charCodeAt(i)) < 0) return false
  return true
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Octets that begin the overlong forms of UTF-8, by which lax decoders are given a dot or a slash (RFC 3629 section 10). */
export function isOverlongLead(octet: number): boolean {
  return octet === 0xc0 || octet === 0xc1 || octet === 0xe0 || octet === 0xf0
}

/** The lead octet at `at`, read as `token`, and the octet behind it are an overlong form. */
export function isOverlong(path: string, at: number, token: number): boolean {
  const next = at + (token >= ENCODED ? 3 : 1)
  if (next >= path.length) return false
  const following = octetAt(path, next)
  if (following >= MALFORMED) return false
  const octet = following & 0xff
  const lead = token & 0xff
  return octet >= 0x80 && octet <= (lead === 0xe0 ? 0x9f : lead === 0xf0 ? 0x8f : 0xbf)
}
