import { hasStrongDate, isStrongTag, type Validators } from "../../http/index.ts"
import type { StoredResponse } from "../stored.ts"

/** What slices must have in common to be put one behind the other (RFC 9111 section 3.4): a strong validator, and the complete length. */
export interface Representation extends Validators {
  /** Octets of the whole. */
  readonly length: number
  /** When the slice came, or was found to hold, that this was taken from. Wall clock. */
  readonly responseMs: number
}

/** Of a stored slice. */
export function representationOf(stored: StoredResponse): Representation {
  const { etag, lastModified, date, status, responseMs } = stored
  return { etag, lastModified, date, status, responseMs, length: stored.part!.length }
}

/** An entity tag where there is one; else a date, where it is strong (RFC 9110 section 8.8.2.2). */
export function hasStrongValidator(of: Validators, nowMs: number): boolean {
  return of.etag !== "" ? isStrongTag(of.etag) : of.lastModified !== "" && hasStrongDate(of, nowMs)
}

/** Whether an answer to a request for a slice, which is none, says that there is none any more. A failure does not: it may be over soon. */
export function endsWhatWasThere(status: number): boolean {
  return status < 400 || status === 404 || status === 410 || status === 416
}

/** Whether a slice that was there is left of an older representation than one that has come, or been found to hold, since. */
export function isLeftOver(its: Representation, of: Representation): boolean {
  return !isSameRepresentation(its, of) && its.responseMs <= of.responseMs
}

/** Both are known to have a strong validator: only such slices are stored. */
export function isSameRepresentation(a: Representation, b: Representation): boolean {
  if (a.length !== b.length) return false
  return a.etag !== "" || b.etag !== "" ? a.etag === b.etag : a.lastModified === b.lastModified
}
