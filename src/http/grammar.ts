// HOT
/**
 * Character classes of RFC 9110 section 5.6.2 and RFC 9112 section 2.2 as one table of bits, indexed by octet.
 */
export const TOKEN = 1
/** field-vchar, SP, HTAB and obs-text: what a field value may hold (RFC 9110 section 5.5). */
export const VALUE = 2
/** What a request target may hold: visible ASCII. Stricter than a URI needs where an octet would split a line; laxer where browsers are. */
export const TARGET = 4
export const DIGIT = 8
export const HEX = 16
/** reg-name, IPv4 and the port's colon; brackets are handled apart. */
export const HOST = 32

export const CLASS = new Uint8Array(256)

for (let c = 0; c < 256; c++) {
  const ch = String.fromCharCode(c)
  let bits = 0
  if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(ch)) bits |= TOKEN
  if (c === 9 || (c >= 32 && c !== 127)) bits |= VALUE
  if (c > 32 && c < 127 && ch !== "#") bits |= TARGET
  if (c >= 48 && c <= 57) bits |= DIGIT
  if (/^[0-9A-Fa-f]$/.test(ch)) bits |= HEX
  if (/^[A-Za-z0-9\-._~!$&'()*+,;=%]$/.test(ch)) bits |= HOST
  CLASS[c] = bits
}

export const CR = 13
export const LF = 10
export const SP = 32
export const HTAB = 9
export const COLON = 58

/** Compares text[start, end) with a lower-case word, without regard to case. */
export function isWord(text: string, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false
  for (let i = 0; i < lower.length; i++) {
    let code = text.charCodeAt(start + i)
    if (code >= 65 && code <= 90) code += 32
    if (code !== lower.charCodeAt(i)) return false
  }
  return true
}

/**
 * True when the comma-separated list holds this lower-case word. Parameters are not cut off; an element must be the word alone.
 */
export function listHas(list: string, lower: string): boolean {
  let start = 0
  const length = list.length
  while (start <= length) {
    let end = list.indexOf(",", start)
    if (end < 0) end = length
    let a = start
    let b = end
    while (a < b && (list.charCodeAt(a) === SP || list.charCodeAt(a) === HTAB)) a++
    while (b > a && (list.charCodeAt(b - 1) === SP || list.charCodeAt(b - 1) === HTAB)) b--
    if (isWord(list, a, b, lower)) return true
    start = end + 1
  }
  return false
}
