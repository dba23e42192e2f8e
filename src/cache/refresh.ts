// HOT
import type { Exchange } from "../flow/index.ts"
import { Fetch } from "./fetch.ts"
import type { RouteCache } from "./route-cache.ts"
import type { MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, RESPONSE, type StoredResponse } from "./stored.ts"

/** How long a revalidation in the background keeps others from beginning one. */
const CLAIM_MS = 30_000
/** Lifetimes under this are not worth looking ahead. */
const AHEAD_MS_MIN = 1000

/** Fetches anew in the background, one at a time over all threads. The entry stays the caller's. */
export function refresh(cache: RouteCache, x: Exchange, key: Key, entry: MemoryEntry): void {
  const { memory } = cache.store
  const nowMs = cache.time.clock.wall()
  if (!entry.claim(nowMs, nowMs + CLAIM_MS)) return
  const writer = memory.begin(key, true)
  const own = writer === null ? null : memory.hold(entry.place, entry.generation)
  const stored = own === null ? null : decodeHead(own.head)
  if (stored !== null && stored.kind === RESPONSE) {
    Fetch.background(cache, x, key, writer!, own!, stored)
    return
  }
  // Nobody does it: somebody else may.
  entry.unclaim()
  if (own !== null) own.release()
  if (writer === null) return
  writer.fail()
  writer.release()
}

/** The same for what is fresh and asked for in the last part of its lifetime. */
export function refreshAhead(cache: RouteCache, x: Exchange, key: Key, entry: MemoryEntry, stored: StoredResponse): void {
  const goneMs = cache.time.clock.wall() - stored.responseMs + stored.initialAgeMs
  if (stored.lifetimeMs >= AHEAD_MS_MIN && goneMs > stored.lifetimeMs * (1 - cache.policy.refreshShare)) refresh(cache, x, key, entry)
}
