import type { EntryFacts } from "../../cache/index.ts"
import type { Purged } from "../caches/caches.ts"
import type { CacheStats } from "../caches/cache-stats.ts"
import type { UncacheableUrl } from "../caches/uncacheable.ts"

/** What the admin listener can see of the caches and do with them. */
export interface CacheView {
  /** Names of the caches. */
  names(): readonly string[]
  purge(cache: string | null, query: URLSearchParams, soft: boolean): Promise<Purged | string>
  entries(
    cache: string | null,
    query: URLSearchParams,
    limit: number,
  ): Promise<{ entries: (EntryFacts & { cache: string })[]; more: boolean } | string>
  stats(): Promise<Readonly<Record<string, CacheStats>>>
  report(limit: number): Promise<readonly UncacheableUrl[]>
}

export interface CacheAnswer {
  readonly status: number
  readonly type: string
  readonly body: unknown
}

type CacheHandler = (view: CacheView, query: URLSearchParams) => Promise<CacheAnswer>

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 10_000

export const cacheReaders: Readonly<Record<string, CacheHandler>> = {
  "/cache/entries": (view, query) => entries(view, query, false),
  "/cache/entry": (view, query) => entries(view, query, true),
  "/cache/stats": async view => json(200, { caches: await view.stats() }),
  "/cache/report": async (view, query) => {
    const limit = limitOf(query)
    return typeof limit === "string" ? json(400, { error: limit }) : json(200, { urls: await view.report(limit) })
  },
}

export const cacheChangers: Readonly<Record<string, CacheHandler>> = {
  "/cache/purge": async (view, query) => {
    const cache = cacheOf(view, query)
    if (cache instanceof Error) return json(404, { error: cache.message })
    const soft = query.get("soft") ?? "false"
    if (soft !== "true" && soft !== "false") return json(400, { error: "soft: expected true or false" })
    try {
      const purged = await view.purge(cache, query, soft === "true")
      return typeof purged === "string" ? json(400, { error: purged }) : json(200, purged)
    } catch (error) {
      // A disk that cannot be reached: what memory had is gone, and the disk is purged before anything is read from it again.
      return json(503, { error: `the purge is not over: ${(error as Error).message}` })
    }
  },
}

async function entries(view: CacheView, query: URLSearchParams, whole: boolean): Promise<CacheAnswer> {
  const cache = cacheOf(view, query)
  if (cache instanceof Error) return json(404, { error: cache.message })
  const limit = limitOf(query)
  if (typeof limit === "string") return json(400, { error: limit })
  const found = await view.entries(cache, query, limit)
  if (typeof found === "string") return json(400, { error: found })
  return json(200, whole ? found : { ...found, entries: found.entries.map(({ head: _, ...entry }) => entry) })
}

function cacheOf(view: CacheView, query: URLSearchParams): string | null | Error {
  const name = query.get("cache")
  if (name === null || name === "" || view.names().includes(name)) return name === "" ? null : name
  return new Error(`there is no cache "${name}"; there is ${view.names().join(", ") || "none"}`)
}

function limitOf(query: URLSearchParams): number | string {
  const given = query.get("limit")
  if (given === null) return LIMIT_DEFAULT
  return /^\d{1,6}$/.test(given) && Number(given) >= 1 && Number(given) <= LIMIT_MAX
    ? Number(given)
    : `limit: expected a number from 1 to ${LIMIT_MAX}`
}

function json(status: number, body: unknown): CacheAnswer {
  return { status, type: "application/json", body }
}
