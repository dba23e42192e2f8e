// HOT
/**
 * Integers of RFC 7541 section 5.1.
 *
 *   | flags | prefix |            below 2^n - 1 the prefix is all
 *   | flags | 1 … 1  | 1 low 7 bits | 1 next 7 bits | 0 last 7 bits |
 */

/** Where the reader stands after `readInteger`; read before the next call. */
export const cursor = { at: 0 }

// Four octets behind the prefix: 2^28 and a little. Nothing that we name or measure is larger.
const SHIFT_MAX = 21

/**
 * The integer whose prefix lies in octets[at]; `prefixMax` is 2^n - 1. -1 when it is cut off at `end` or too large.
 * Trailing octets that add nothing count: a long row of them is refused as well.
 */
export function readInteger(octets: Uint8Array, at: number, end: number, prefixMax: number): number {
  let value = octets[at]! & prefixMax
  let next = at + 1
  if (value === prefixMax) {
    for (let shift = 0; ; shift += 7) {
      if (next >= end || shift > SHIFT_MAX) return -1
      const octet = octets[next++]!
      value += (octet & 0x7f) << shift
      if (octet < 0x80) break
    }
  }
  cursor.at = next
  return value
}

/** What begins with an integer: the flags in the high octet, 2^n - 1 of its prefix in the low one (RFC 7541 sections 5.2 and 6). */
export const FORM = { indexed: 0x807f, inserted: 0x403f, once: 0x000f, never: 0x100f, tableSize: 0x201f, text: 0x007f, huffmanText: 0x807f } as const

/** Writes `value` in a form of FORM; returns the index behind. Six octets at most. */
export function writeInteger(out: Uint8Array, at: number, form: number, value: number): number {
  const prefixMax = form & 0xff
  if (value < prefixMax) {
    out[at] = (form >> 8) | value
    return at + 1
  }
  out[at++] = (form >> 8) | prefixMax
  let rest = value - prefixMax
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  out[at++] = rest
  return at
}
