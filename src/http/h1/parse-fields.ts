// HOT
import { assert } from "../../base/index.ts"
import type { Fields } from "../fields.ts"
import { isLookalike } from "../lookalike.ts"
import { nameId } from "../names.ts"
import { CLASS, COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from "../grammar.ts"

/** The text ends before the blank line. */
export const INCOMPLETE = -1
/** A line breaks the grammar. */
export const BAD = -2
/** More than `fieldsMax` lines. */
export const TOO_MANY = -3

/**
 * Parses field lines from `at` to the blank line (RFC 9112 section 5) into `fields`, whose raw must be `text`. `octets` are the same octets as the
 * text, from `base` on: looking at them costs half of looking at characters.
 * Returns the index behind the blank line, or a negative code. Strict: no folds, no space before the colon, no empty name,
 * no bare CR, LF or NUL, whatever the field; that is where two readers of one message part ways.
 */
export function parseFields(octets: Uint8Array, base: number, at: number, fields: Fields, fieldsMax: number): number {
  const end = base + fields.raw.length
  assert(end <= octets.length, "the octets are those of the text")
  let next = base + at
  for (;;) {
    if (next + 1 >= end) return next < end && octets[next] !== CR && (CLASS[octets[next]!]! & TOKEN) === 0 ? BAD : INCOMPLETE
    if (octets[next] === CR) {
      if (octets[next + 1] !== LF) return BAD
      fields.end = next - base
      return next + 2 - base
    }
    if (fields.count >= fieldsMax) return TOO_MANY
    next = parseLine(octets, base, next, end, fields)
    if (next < 0) return next
  }
}

function parseLine(octets: Uint8Array, base: number, at: number, end: number, fields: Fields): number {
  let i = at
  while (i < end && (CLASS[octets[i]!]! & TOKEN) !== 0) i++
  if (i === end) return INCOMPLETE
  if (i === at || octets[i] !== COLON) return BAD
  const nameEnd = i
  i++
  while (i < end && (octets[i] === SP || octets[i] === HTAB)) i++
  const valueStart = i
  while (i < end && (CLASS[octets[i]!]! & VALUE) !== 0) i++
  if (i + 1 >= end) return i < end && octets[i] !== CR ? BAD : INCOMPLETE
  if (octets[i] !== CR || octets[i + 1] !== LF) return BAD
  let valueEnd = i
  while (valueEnd > valueStart && (octets[valueEnd - 1] === SP || octets[valueEnd - 1] === HTAB)) valueEnd--
  const id = nameId(fields.raw, at - base, nameEnd - base)
  if (id === 0 && isLookalike(fields.raw, at - base, nameEnd - base)) fields.lookalike = true
  fields.push(id, at - base, nameEnd - base, valueStart - base, valueEnd - base)
  return i + 2
}
