// HOT
import { type ContentRange, hasStrongDate, isStrongTag, type Validators } from "../../http/index.ts"

/** A part of a representation, or as much of an incomplete 200 as came. */
export interface Part extends ContentRange {
  readonly validators: Validators
}

/** The run that two parts of the same representation give, null when they do not touch or are not known to be of the same (RFC 9111 section 3.4: the same strong validator). */
export function combineParts(a: Part, b: Part, nowMs: number): ContentRange | null {
  if (a.length >= 0 && b.length >= 0 && a.length !== b.length) return null
  if (a.first > b.last + 1 || b.first > a.last + 1 || !isSameStrongly(a.validators, b.validators, nowMs)) return null
  return { first: Math.min(a.first, b.first), last: Math.max(a.last, b.last), length: Math.max(a.length, b.length) }
}

/** Entity tags where there are any; else dates, where they are strong (RFC 9110 section 8.8.2.2). */
function isSameStrongly(a: Validators, b: Validators, nowMs: number): boolean {
  if (a.etag !== "" || b.etag !== "") return a.etag === b.etag && isStrongTag(a.etag)
  return a.lastModified !== "" && a.lastModified === b.lastModified && hasStrongDate(a, nowMs) && hasStrongDate(b, nowMs)
}
