import type { MemoryEntry } from "../store/contract.ts"
import { decodeHead, RESPONSE } from "../stored.ts"
import { SliceFetch } from "./slice-fetch.ts"
import { sliceKey, type SliceScope } from "./slice-scope.ts"

/** How long a revalidation in the background keeps others from beginning one. */
const CLAIM_MS = 30_000

/** Asks about a slice anew in the background, one at a time over all threads. The entry stays the caller's. */
export function refreshSlice(scope: SliceScope, number: number, entry: MemoryEntry): void {
  const { store, time } = scope.cache
  const { memory } = store
  const nowMs = time.clock.wall()
  if (!entry.claim(nowMs, nowMs + CLAIM_MS)) return
  const writer = memory.begin(sliceKey(scope.key, number), true)
  const own = writer === null ? null : memory.hold(entry.place, entry.generation)
  const stored = own === null ? null : decodeHead(own.head)
  if (stored !== null && stored.kind === RESPONSE) {
    new SliceFetch(scope, number, { writer, old: { entry: own!, stored }, want: null }).run()
    return
  }
  own?.release()
  writer?.release()
}
