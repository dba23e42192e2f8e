// HOT
import type { Validators } from "./conditional.ts"

/** Ranges of one request that are served; with more, the whole is. */
export const rangesMax = 8

/** Octets first to last, both included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** What a Range asks of a representation of `length` octets (RFC 9110 section 14.1.2): ranges in the order asked; null = the whole. */
export function parseRange(value: string, length: number): readonly ByteRange[] | "unsatisfiable" | null {
  return [value, length] as never
}

export interface ContentRange extends ByteRange {
  /** Of the whole representation, -1 = not known. */
  readonly length: number
}

/** A valid `bytes first-last/length` (RFC 9110 section 14.4), null for anything else. */
export function parseContentRange(value: string): ContentRange | null {
  return value as never
}

export interface Part extends ContentRange {
  readonly validators: Validators
}

/** The run that two parts of the same representation give, null when they do not touch or are not known to be of the same (RFC 9111 section 3.4: the same strong validator). */
export function combineParts(a: Part, b: Part): ContentRange | null {
  return [a, b] as never
}
