// HOT
/** Octets that field values are cut at. */
export const HTAB = 9
export const SP = 32
export const QUOTE = 34
export const COMMA = 44
export const SEMICOLON = 59
export const EQUALS = 61
export const BACKSLASH = 92

/** 2^31: what stands for any greater number of seconds (RFC 9111 section 1.2.2). */
export const SECONDS_MAX = 2_147_483_648

const TOKEN = new Uint8Array(256)
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") TOKEN[c.charCodeAt(0)] = 1

/** Whether this octet may be part of a token (RFC 9110 section 5.6.2). */
export function isTokenOctet(code: number): boolean {
  return TOKEN[code] === 1
}

/** Whether text[start, end) is a token. */
export function isToken(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false
  return end > start
}

/** Where the first octet at or behind `at` is that is no white space. */
export function skipSpace(text: string, at: number, end: number): number {
  while (at < end && isSpace(text.charCodeAt(at))) at++
  return at
}

/** Where the white space before `end` begins, not before `start`. */
export function trimEnd(text: string, start: number, end: number): number {
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return end
}

export function isSpace(code: number): boolean {
  return code === SP || code === HTAB
}

/** Whether text[start, end) and other[from, to) are the same. */
export function isSame(text: string, start: number, end: number, other: string): boolean {
  return end - start === other.length && text.startsWith(other, start)
}

/** The number that text[start, end) is in decimal digits, at most `max`; -1 = it is none. */
export function readDigits(text: string, start: number, end: number, max: number): number {
  if (end <= start) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    if (value < max) value = value * 10 + digit
  }
  return value > max ? max : value
}
