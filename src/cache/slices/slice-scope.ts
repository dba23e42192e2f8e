import type { Exchange } from "../../flow/index.ts"
import type { BodySource } from "../entry-reader.ts"
import type { RouteCache } from "../route-cache.ts"
import type { RequestDirectives } from "../rules/cache-control.ts"
import { Key } from "../store/key.ts"
import type { StoredResponse } from "../stored.ts"
import type { KnownSlices } from "./known-slices.ts"
import type { Representation } from "./representation.ts"
import type { SliceFetch } from "./slice-fetch.ts"

/** Slices that one representation may have; what is larger is not cut. */
export const SLICES_MAX = 65_536

const SLICE = "\0slice"

/** Where slice `number` of a representation is stored. `key` is the whole's, plain or of a variant; the group is the same, so that a purge takes all of them along. */
export function sliceKey(key: Key, number: number): Key {
  return new Key(key.group, `${key.text.substring(key.group.length)}${SLICE}${number}`)
}

/** Where it is noted that the server does not do what slices need. */
export function sliceRuleKey(key: Key): Key {
  return new Key(key.group, `${key.text.substring(key.group.length)}${SLICE}s`)
}

/** What the slices of one answer have in common. */
export interface SliceScope {
  readonly cache: RouteCache
  /** The client's request: not to be looked at any more once the answer is over. */
  readonly x: Exchange
  /** Octets of each slice but the last. */
  readonly sliceBytes: number
  readonly known: KnownSlices
  readonly directives: RequestDirectives
  /** Wall clock when the request came. */
  readonly sinceMs: number
  /** Of the whole. The first answer may show that it is another one's (Vary). */
  key: Key
  /** What is not the URL's any more: slices of it are fetched anew, wherever they are stored still. null = nothing is known. */
  refused: Representation | null
}

/** How a slice came to hand; the words of `cacheResult`. */
export type SliceResult = "hit" | "stale" | "revalidated" | "coalesced" | "miss"

/** A slice that can be read: all of it, or as it comes. Its source is released by whoever has it. */
export interface HeldSlice {
  readonly number: number
  /** Of the whole. */
  readonly key: Key
  readonly stored: StoredResponse
  /** Octet 0 is the slice's first. */
  readonly source: BodySource
  readonly result: SliceResult
  /** What brought it just now; null = it was there, or somebody else's has. */
  readonly fetch: SliceFetch | null
}
