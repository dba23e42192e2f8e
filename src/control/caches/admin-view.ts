import { compileQueryView } from "../../cache/index.ts"
import type { Config } from "../../config/index.ts"
import type { MetricsRegistry } from "../../observe/index.ts"
import type { CacheView } from "../admin/cache-routes.ts"
import type { WorkerInspection } from "../protocol.ts"
import { statsOf } from "./cache-stats.ts"
import type { Caches } from "./caches.ts"
import { TARGET_WORDS, targetsOf, type QueryView } from "./purge-targets.ts"
import { mergePassed } from "./uncacheable.ts"

export interface CacheViewParts {
  readonly caches: Caches
  readonly config: () => Config
  readonly registry: MetricsRegistry
  readonly metrics: SharedArrayBuffer
  readonly inspect: (passesMax: number) => Promise<readonly (WorkerInspection | null)[]>
}

/** URLs that each worker tells of. */
const PASSES_MAX = 1000

/** The caches as the admin API has them. */
export function cacheView(parts: CacheViewParts): CacheView {
  const { caches, config } = parts
  return {
    names: () => caches.names,
    async purge(cache, query, soft) {
      const targets = targetsOf(query, viewsOf(config()))
      return typeof targets === "string" ? targets : caches.purge(cache, targets, soft)
    },
    async entries(cache, query, limit) {
      const some = TARGET_WORDS.some(word => query.has(word))
      const targets = some ? targetsOf(query, viewsOf(config())) : [{ by: "all" as const }]
      return typeof targets === "string" ? targets : caches.list(cache, targets, limit)
    },
    async stats() {
      const of = { config: config(), registry: parts.registry, metrics: parts.metrics }
      return Object.fromEntries(caches.names.map(name => [name, statsOf(name, caches.get(name)!, of)]))
    },
    async report(limit) {
      const inspections = await parts.inspect(PASSES_MAX)
      return mergePassed(
        inspections.flatMap(inspection => (inspection === null ? [] : Object.values(inspection.passes))),
        limit,
      )
    },
  }
}

/** How the routes with a cache see the query of a URL. */
function viewsOf(config: Config): QueryView[] {
  return config.routes.flatMap(route =>
    route.filters.filter(use => use.name === "cache" && use.inline === null).map(use => compileQueryView(use.options)),
  )
}
