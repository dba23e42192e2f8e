import type { DiskStats, MemoryStoreStats } from "../../cache/index.ts"
import type { Config } from "../../config/index.ts"
import { CACHE, CACHE_RESULTS, type MetricsRegistry, sumCell } from "../../observe/index.ts"
import type { LiveCache } from "./caches.ts"

type Results = Readonly<Record<(typeof CACHE_RESULTS)[number], number>>

/** What came of the requests of a route, or of all routes of a cache. */
export interface ResultCounts {
  readonly results: Results
  /** Answers without a whole fetch from upstream, of all that asked the cache; 0 to 1. */
  readonly hitRatio: number
  readonly bytesSaved: number
}

export interface CacheStats extends ResultCounts {
  readonly memory: MemoryStoreStats
  /** null = none. */
  readonly disk: DiskStats | null
  readonly routes: Readonly<Record<string, ResultCounts>>
}

interface StatsParts {
  readonly config: Config
  readonly registry: MetricsRegistry
  readonly metrics: SharedArrayBuffer
}

export function statsOf(name: string, cache: LiveCache, parts: StatsParts): CacheStats {
  const names = parts.config.routes
    .filter(route => route.filters.some(use => use.name === "cache" && (use.options as { store?: string }).store === name))
    .map(route => route.name)
  const routes = Object.fromEntries([...new Set(names)].map(route => [route, countsOf(route, parts)]))
  return { memory: cache.supervisor.stats(), disk: cache.disk?.store.stats() ?? null, ...sumOf(Object.values(routes)), routes }
}

function countsOf(route: string, { registry, metrics }: StatsParts): ResultCounts {
  const at = registry.cache(route)
  const results = Object.fromEntries(CACHE_RESULTS.map((result, i) => [result, sumCell(metrics, registry.capacity, at + i)])) as Results
  return { results, hitRatio: ratioOf(results), bytesSaved: sumCell(metrics, registry.capacity, at + CACHE.savedBytes) }
}

function sumOf(all: readonly ResultCounts[]): ResultCounts {
  const results = Object.fromEntries(CACHE_RESULTS.map(result => [result, all.reduce((sum, one) => sum + one.results[result], 0)])) as Results
  return { results, hitRatio: ratioOf(results), bytesSaved: all.reduce((sum, one) => sum + one.bytesSaved, 0) }
}

/** Requests that the cache has no part in do not count. */
function ratioOf(results: Results): number {
  const answered = results.hit + results.stale + results.revalidated + results.coalesced
  const asked = answered + results.miss + results.pass
  return asked === 0 ? 0 : Math.round((answered / asked) * 10_000) / 10_000
}
