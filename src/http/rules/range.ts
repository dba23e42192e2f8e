// HOT
import { isWord } from "../grammar.ts"
import { readDigits, skipSpace, trimEnd } from "./scan.ts"

/** Ranges of one request that are served; with more, the whole is. */
export const rangesMax = 8

/** Octets first to last, both included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

const UNIT = "bytes="
const NOTHING: readonly ByteRange[] = Object.freeze([])
/** Greater numbers are taken for this one, which no representation reaches. */
const positionMax = Number.MAX_SAFE_INTEGER

/**
 * What a Range asks of a representation of `length` octets (RFC 9110 sections 14.1.2, 14.2): its ranges in the order asked. null = the whole: another unit,
 * not valid, nothing to cut (`length` 0, or -1 = not known), more than `rangesMax`, or ranges that overlap, which are dearer than the whole.
 */
export function parseRange(value: string, length: number): readonly ByteRange[] | "unsatisfiable" | null {
  if (length <= 0 || !isWord(value, 0, UNIT.length, UNIT)) return null
  const found = readRanges(value, length)
  if (found === null) return null
  return found.length === 0 ? "unsatisfiable" : found
}

/** The ranges that can be satisfied; null = not valid, too many, or overlapping. */
function readRanges(value: string, length: number): readonly ByteRange[] | null {
  let ranges = NOTHING as ByteRange[]
  let count = 0
  let at = UNIT.length
  while (at <= value.length) {
    const comma = value.indexOf(",", at)
    const end = comma < 0 ? value.length : comma
    const start = skipSpace(value, at, end)
    const stop = trimEnd(value, start, end)
    at = end + 1
    if (stop === start) continue
    if (++count > rangesMax) return null
    const range = readRange(value, start, stop, length)
    if (range === null) return null
    if (range.first >= length) continue
    if (overlapsOne(ranges, range)) return null
    if (ranges.length === 0) ranges = [range]
    else ranges.push(range)
  }
  return count === 0 ? null : ranges
}

/** One range; `first` is `length` or more when it cannot be satisfied. null = not valid. */
function readRange(value: string, start: number, end: number, length: number): ByteRange | null {
  const dash = value.indexOf("-", start)
  if (dash < 0 || dash >= end) return null
  if (dash === start) {
    const suffix = readDigits(value, start + 1, end, positionMax)
    return suffix < 0 ? null : { first: suffix === 0 ? length : Math.max(0, length - suffix), last: length - 1 }
  }
  const first = readDigits(value, start, dash, positionMax)
  const last = dash + 1 === end ? positionMax : readDigits(value, dash + 1, end, positionMax)
  if (first < 0 || last < first) return null
  return { first, last: Math.min(last, length - 1) }
}

function overlapsOne(ranges: readonly ByteRange[], range: ByteRange): boolean {
  for (let i = 0; i < ranges.length; i++) if (range.first <= ranges[i]!.last && ranges[i]!.first <= range.last) return true
  return false
}

export interface ContentRange extends ByteRange {
  /** Of the whole representation, -1 = not known. */
  readonly length: number
}

/** A valid `bytes first-last/length` (RFC 9110 section 14.4), null for anything else. */
export function parseContentRange(value: string): ContentRange | null {
  const dash = value.indexOf("-")
  const slash = value.indexOf("/", dash)
  if (!isWord(value, 0, 6, "bytes ") || dash < 0 || slash < 0) return null
  const first = readPosition(value, 6, dash)
  const last = readPosition(value, dash + 1, slash)
  const unknown = value.length === slash + 2 && value.charCodeAt(slash + 1) === STAR
  const length = unknown ? -1 : readPosition(value, slash + 1, value.length)
  if (first < 0 || last < first || (!unknown && length <= last)) return null
  return { first, last, length }
}

const STAR = 42

/** -1 = no number, or one that cannot be told from others. */
function readPosition(text: string, start: number, end: number): number {
  const position = readDigits(text, start, end, positionMax)
  return position === positionMax ? -1 : position
}
