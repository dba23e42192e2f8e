// HOT
import type { Fields } from "./fields.ts"
import { CLASS, DIGIT } from "./grammar.ts"
import { NAME } from "./names.ts"

const LENGTH_DIGITS_MAX = 15 // below 2^53, so that a length is an exact number

/** The one Content-Length, or -1 absent, or -2 when it is not one plain number (RFC 9110 section 8.6; lists and repeats are refused). */
export function contentLength(fields: Fields): number {
  if (!fields.has(NAME.contentLength)) return -1
  if (fields.repeated(NAME.contentLength)) return -2
  const at = fields.indexOf(NAME.contentLength)
  const start = fields.valueStart(at)
  const end = fields.valueEnd(at)
  if (start === end || end - start > LENGTH_DIGITS_MAX) return -2
  let value = 0
  for (let i = start; i < end; i++) {
    const code = fields.raw.charCodeAt(i)
    if ((CLASS[code]! & DIGIT) === 0) return -2
    value = value * 10 + (code - 48)
  }
  return value
}
