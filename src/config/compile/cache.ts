import { type CacheOptions, type CachePolicy, type CacheSteps, cacheSteps, compilePolicy, Question } from "../../cache/index.ts"
import type { Exchange, Plan } from "../../flow/index.ts"
import { CACHE, CACHE_RESULTS } from "../../observe/index.ts"
import type { Lists } from "../../plugin/index.ts"
import type { RouteConfig } from "../schema.ts"
import type { MatchConfig } from "../schema/match.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { anyOf } from "./split.ts"

/** What a route's cache is compiled with besides the route. */
export interface CacheParts {
  readonly deps: CompileDeps
  /** Offset of its block of metrics. */
  readonly cacheMetrics: number
}

/** What tells apart, in one cache, answers that differ though their URLs do not. */
export interface Apart {
  /** Who gives them, and what the listener makes of them. */
  readonly destination: string
  /** What the server is told of how the client came; null = nothing that differs. */
  readonly told: CachePolicy["told"]
}

const results: readonly string[] = CACHE_RESULTS
const SAVING = new Set(["hit", "stale", "revalidated", "coalesced"])

function countResult(x: Exchange, { metrics }: CompileDeps, at: number): void {
  const index = results.indexOf(x.cacheResult)
  if (metrics === null || index < 0) return
  metrics.add(at + index, 1)
  if (SAVING.has(x.cacheResult)) metrics.add(at + CACHE.savedBytes, x.responseBytes)
}

/** Options of a `cache` filter in a route. */
export type CacheUse = CacheOptions & { readonly bypass: readonly MatchConfig[] | null }

/** What the plan of a route with a cache is completed with when it is whole. */
export interface RouteCachePlan {
  readonly steps: CacheSteps
  /** Behind the last step of the upstream's answer, and how the cache's own requests go. `plain`: no filter looks at the fields of an answer. */
  complete(respondAt: number, fetch: Plan, plain: boolean): void
}

export function cacheUseOf(route: RouteConfig): CacheUse | null {
  const use = route.filters.find(filter => filter.inline === null && filter.name === "cache")
  return use === undefined ? null : (use.options as CacheUse)
}

/** The cache of a route; null when it has none, and where there is no memory for one (explain, check). */
export function compileCache(route: RouteConfig, { destination, told }: Apart, { deps, cacheMetrics }: CacheParts): RouteCachePlan | null {
  const use = cacheUseOf(route)
  const store = use === null ? null : (deps.caches?.get(use.store) ?? null)
  if (use === null || store === null) return null
  const plan: { respondAt: number; fetch: Plan | null; plain: boolean } = { respondAt: 0, fetch: null, plain: false }
  const policy = compilePolicy(use, anyOf(use.bypass, deps), told)
  const steps = cacheSteps({ policy, store, time: deps.time, destination, plan, count: x => countResult(x, deps, cacheMetrics) })
  return {
    steps,
    complete(respondAt, fetch, plain) {
      plan.plain = plain
      plan.respondAt = respondAt
      plan.fetch = fetch
    },
  }
}

/** What the cache of a route makes of a request before it looks, for explain. null = it has none. */
export function cacheQuestion(route: RouteConfig, { destination, told }: Apart, lists?: Lists): Question | null {
  const use = cacheUseOf(route)
  return use === null ? null : new Question(compilePolicy(use, anyOf(use.bypass, lists === undefined ? undefined : { lists }), told), destination)
}
