import { type ContentRange, parseContentRange } from "../../http/index.ts"
import { httpDate } from "../../flow/index.ts"
import { type Asked, type Judged, judgeAnswer, keptLines, partLines } from "../judge-answer.ts"
import { rangeText } from "../parts.ts"
import type { RouteCache } from "../route-cache.ts"
import type { FieldLines } from "../rules/field-lines.ts"
import { hasStrongValidator } from "./representation.ts"
import { SLICES_MAX } from "./slice-scope.ts"

/** It is the slice that was asked for. */
export const IS_SLICE = 0
/** It is all of a representation that is not longer than a slice. */
export const IS_WHOLE = 1
/** It is something else: `NO_SLICE` says nothing of the server, `NEVER_SLICES` that it does not do what slices need. */
export const NO_SLICE = 2
export const NEVER_SLICES = 3

export interface JudgedSlice {
  readonly kind: 0 | 1 | 2 | 3
  readonly judged: Judged
  /** What it says that it is, null = nothing. */
  readonly part: ContentRange | null
}

/** What was asked for: slice `number` of representations that are cut into `sliceBytes`. */
export interface SliceAsked extends Asked {
  readonly number: number
  readonly sliceBytes: number
}

/** What came of the request for a slice. */
export function judgeSlice(cache: RouteCache, asked: SliceAsked, answer: { status: number; lines: FieldLines }): JudgedSlice {
  const { status, lines } = answer
  const judged = judgeAnswer(cache, { ...asked, hasPart: true }, answer)
  if (status !== 206) return { kind: status === 200 ? NEVER_SLICES : NO_SLICE, judged, part: null }
  const part = parseContentRange(lines.get("content-range"))
  return { kind: kindOfPart(cache, asked, judged, part), judged, part }
}

function kindOfPart(cache: RouteCache, { number, sliceBytes }: SliceAsked, { verdict, lines, facts }: Judged, part: ContentRange | null): 0 | 1 | 3 {
  if (part === null || part.length < 0 || !verdict.store) return NEVER_SLICES
  const first = number * sliceBytes
  if (part.first !== first || part.last !== Math.min(first + sliceBytes, part.length) - 1) return NEVER_SLICES
  if (part.length <= sliceBytes) return IS_WHOLE
  if (part.length > sliceBytes * SLICES_MAX || part.length > cache.policy.storing.bodyBytesMax) return NEVER_SLICES
  // A date is strong beside the time at which the answer was made; without one it was made when it came (RFC 9110 section 6.6.1).
  const date = lines.get("date") || httpDate()
  const validators = { etag: lines.get("etag"), lastModified: lines.get("last-modified"), date, status: 206 }
  return hasStrongValidator(validators, facts.responseMs) ? IS_SLICE : NEVER_SLICES
}

/** The field lines that a slice is stored with. */
export function sliceLines({ lines, verdict }: Judged, part: ContentRange): string {
  return partLines(keptLines(lines, verdict.withoutFields), rangeText(part), part.last - part.first + 1)
}
