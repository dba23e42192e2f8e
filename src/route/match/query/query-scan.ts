// HOT
/** A cursor over `?a=1&b=2`: one object, good until the next call. `start` is where a pair begins; text[nameEnd] is "=" or the pair's end. */
export const pair = { start: 0, nameEnd: 0, end: 0 }

const EQUALS = 0x3d
const PERCENT = 0x25
const PLUS = 0x2b

/** Moves to the first pair at or behind `from` (1 for the first) that is not empty; false = there is none. Pairs end at `&` alone (WHATWG URL, urlencoded parser). */
export function nextPair(query: string, from: number): boolean {
  let start = from
  while (start < query.length) {
    const ampersand = query.indexOf("&", start)
    const end = ampersand < 0 ? query.length : ampersand
    if (end > start) {
      let nameEnd = start
      while (nameEnd < end && query.charCodeAt(nameEnd) !== EQUALS) nameEnd++
      pair.start = start
      pair.nameEnd = nameEnd
      pair.end = end
      return true
    }
    start = end + 1
  }
  return false
}

/** text[start, end), decoded once (`+` is a space), is `octets`. */
export function isDecoded(text: string, start: number, end: number, octets: string): boolean {
  let at = start
  for (let i = 0; i < octets.length; i++) {
    if (at >= end) return false
    if (octetAt(text, at, end) !== octets.charCodeAt(i)) return false
    at += isEscape(text, at, end) ? 3 : 1
  }
  return at === end
}

function octetAt(text: string, at: number, end: number): number {
  const code = text.charCodeAt(at)
  if (code === PLUS) return 0x20
  return isEscape(text, at, end) ? hexValue(text.charCodeAt(at + 1)) * 16 + hexValue(text.charCodeAt(at + 2)) : code
}

function isEscape(text: string, at: number, end: number): boolean {
  if (text.charCodeAt(at) !== PERCENT || at + 2 >= end) return false
  return hexValue(text.charCodeAt(at + 1)) >= 0 && hexValue(text.charCodeAt(at + 2)) >= 0
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** text[start, end) decoded once, one character an octet. Allocates: only patterns need it. */
export function decoded(text: string, start: number, end: number): string {
  let out = ""
  for (let at = start; at < end; at += isEscape(text, at, end) ? 3 : 1) out += String.fromCharCode(octetAt(text, at, end))
  return out
}
