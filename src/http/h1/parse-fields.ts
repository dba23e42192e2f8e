// HOT
import { assert } from "../../base/index.ts"
import type { Fields } from "../fields.ts"
import { nameId } from "../names.ts"
import { CLASS, COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from "./grammar.ts"

/** The text ends before the blank line. */
export const INCOMPLETE = -1
/** A line breaks the grammar. */
export const BAD = -2
/** More than `fieldsMax` lines. */
export const TOO_MANY = -3

/**
 * Parses field lines from `at` to the blank line (RFC 9112 section 5) into `fields`, whose raw must be `text`.
 * Returns the index behind the blank line, or a negative code. Strict: no folds, no space before the colon, no empty name,
 * no bare CR, LF or NUL, whatever the field; that is where two readers of one message part ways.
 */
export function parseFields(text: string, at: number, fields: Fields, fieldsMax: number): number {
  assert(fields.raw === text, "fields point into the text")
  const length = text.length
  for (;;) {
    if (at + 1 >= length) return at < length && text.charCodeAt(at) !== CR && (CLASS[text.charCodeAt(at)]! & TOKEN) === 0 ? BAD : INCOMPLETE
    const first = text.charCodeAt(at)
    if (first === CR) {
      if (text.charCodeAt(at + 1) !== LF) return BAD
      fields.end = at
      return at + 2
    }
    if (fields.count >= fieldsMax) return TOO_MANY
    const next = parseLine(text, at, fields)
    if (next < 0) return next
    at = next
  }
}

function parseLine(text: string, at: number, fields: Fields): number {
  const length = text.length
  let i = at
  while (i < length && (CLASS[text.charCodeAt(i) & 255]! & TOKEN) !== 0) i++
  if (i === length) return INCOMPLETE
  if (i === at || text.charCodeAt(i) !== COLON) return BAD
  const nameEnd = i
  i++
  while (i < length && (text.charCodeAt(i) === SP || text.charCodeAt(i) === HTAB)) i++
  const valueStart = i
  while (i < length && (CLASS[text.charCodeAt(i)]! & VALUE) !== 0) i++
  if (i + 1 >= length) return i < length && text.charCodeAt(i) !== CR ? BAD : INCOMPLETE
  if (text.charCodeAt(i) !== CR || text.charCodeAt(i + 1) !== LF) return BAD
  let valueEnd = i
  while (valueEnd > valueStart && (text.charCodeAt(valueEnd - 1) === SP || text.charCodeAt(valueEnd - 1) === HTAB)) valueEnd--
  const id = nameId(text, at, nameEnd)
  if (id === 0 && isLookalike(text, at, nameEnd)) fields.lookalike = true
  fields.push(id, at, nameEnd, valueStart, valueEnd)
  return i + 2
}

/** Is it Content-Length or Transfer-Encoding but for its separators? */
function isLookalike(text: string, start: number, end: number): boolean {
  if (end - start < 14) return false
  const first = text.charCodeAt(start) | 32
  if (first === 99) return hasLetters(text, start, end, "contentlength")
  return first === 116 && hasLetters(text, start, end, "transferencoding")
}

function hasLetters(text: string, start: number, end: number, letters: string): boolean {
  let at = 0
  for (let i = start; i < end; i++) {
    const lower = text.charCodeAt(i) | 32
    if (lower === letters.charCodeAt(at)) at++
    else if ((lower >= 97 && lower <= 122) || (lower >= 48 && lower <= 57)) return false
  }
  return at === letters.length
}
