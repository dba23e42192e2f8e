import { combineParts } from "./rules/combine-parts.ts"
import { type ContentRange, parseContentRange } from "../http/index.ts"
import type { FieldLines } from "./rules/field-lines.ts"
import type { HeldEntry } from "./held-entry.ts"
import { Key } from "./store/key.ts"
import type { StoredResponse } from "./stored.ts"

/** Behind the plain key: the entry that holds a part of what is to be there. */
const PART = "\0part"

/** Where a part of a representation is stored (RFC 9111 section 3.3): beside the whole, so that nobody takes it for that. */
export function partKey(key: Key): Key {
  return new Key(key.group, key.text.substring(key.group.length) + PART)
}

/** A part that is stored, held. */
export interface HeldPart {
  readonly entry: HeldEntry
  readonly stored: StoredResponse
}

/** What a 206 gives together with a part that is stored. */
export interface Joined {
  /** What will be stored. */
  readonly run: ContentRange
  /** What just comes. */
  readonly fresh: ContentRange
  /** It is all of the representation. */
  readonly isWhole: boolean
  /** Octets of the stored part that go before what comes. */
  readonly before: number
  /** Where in the stored part it goes on behind what comes, -1 = nothing does. */
  readonly after: number
}

/** Puts a 206 and what is stored together (RFC 9111 section 3.4), or takes the 206 by itself. null = it does not say which part it is. */
export function joinParts(held: HeldPart | null, lines: FieldLines, nowMs: number): Joined | null {
  const fresh = parseContentRange(lines.get("content-range"))
  if (fresh === null) return null
  const alone: Joined = { run: fresh, fresh, isWhole: isWhole(fresh), before: 0, after: -1 }
  const old = held?.stored.part ?? null
  if (held === null || old === null) return alone
  const validators = { etag: lines.get("etag"), lastModified: lines.get("last-modified"), date: lines.get("date"), status: 206 }
  const run = combineParts({ ...old, validators: held.stored }, { ...fresh, validators }, nowMs)
  if (run === null) return alone
  const after = old.last > fresh.last ? fresh.last + 1 - old.first : -1
  return { run, fresh, isWhole: isWhole(run), before: Math.max(0, fresh.first - old.first), after }
}

function isWhole({ first, last, length }: ContentRange): boolean {
  return first === 0 && length === last + 1
}

export function rangeText({ first, last, length }: ContentRange): string {
  return `bytes ${first}-${last}/${length < 0 ? "*" : length}`
}
