import type { Exchange } from "../flow/index.ts"
import type { RouteCache } from "./route-cache.ts"
import { ENTRY_COMPLETE, type MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, PASS_RULE, RESPONSE, type StoredHead, type StoredResponse, VARY_RULE } from "./stored.ts"
import { variantOf } from "./variants.ts"

export interface Located {
  readonly key: Key
  readonly entry: MemoryEntry
  readonly stored: StoredResponse
}

/** What is stored in memory for this request, whole and held; null = nothing. */
export function locate(cache: RouteCache, x: Exchange): Located | null {
  const { memory } = cache.store
  let key = cache.keyOf(x)
  for (let looks = 0; looks < 2; looks++) {
    const entry = memory.find(key)
    const stored = entry === null || entry.state !== ENTRY_COMPLETE ? null : decodeHead(entry.head)
    if (stored?.kind === RESPONSE) return { key, entry: entry!, stored }
    entry?.release()
    if (stored?.kind !== VARY_RULE) return null
    key = variantOf(x, key, stored.sets[0]!)
  }
  return null
}

/** Where the rule is that says that what is asked for is not to be stored; null = there is none. */
export function locatePassRule(cache: RouteCache, x: Exchange): Key | null {
  let key = cache.keyOf(x)
  for (let looks = 0; looks < 2; looks++) {
    const stored = headAt(cache, key)
    if (stored?.kind === PASS_RULE) return key
    if (stored?.kind !== VARY_RULE) return null
    key = variantOf(x, key, stored.sets[0]!)
  }
  return null
}

function headAt(cache: RouteCache, key: Key): StoredHead | null {
  const entry = cache.store.memory.find(key)
  const stored = entry === null || entry.state !== ENTRY_COMPLETE ? null : decodeHead(entry.head)
  entry?.release()
  return stored
}
