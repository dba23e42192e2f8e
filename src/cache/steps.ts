import type { Exchange, Step, Verdict } from "../flow/index.ts"
import { releaseStored } from "./answer.ts"
import { EarlyHints } from "./hints/early-hints.ts"
import { groupOf } from "./key-parts.ts"
import { passed, tellStatus } from "./passed.ts"
import { RouteCache, type RouteCacheParts } from "./route-cache.ts"

/** The steps that a route with a cache has more than others. */
export interface CacheSteps {
  /** Hit, wait, or on to the peer. */
  readonly look: Step
  /** Behind the upstream's answer to a request that the cache let through. */
  readonly passed: Step
  /** Behind the response: Cache-Status. */
  readonly tell: Step
  /** Behind delivery: gives back what was read. */
  readonly release: Step
}

export function cacheSteps(parts: RouteCacheParts): CacheSteps {
  const cache = new RouteCache(parts)
  const hints = parts.policy.earlyHints ? new EarlyHints(cache) : null
  return {
    look: hints === null ? cache.look : x => hints.look(x),
    passed: (x: Exchange) => passed(cache, x),
    tell: hints === null ? tellStatus : x => hints.tell(x),
    release(x: Exchange): Verdict {
      parts.count(x)
      if (x.method === "POST") cache.posts.delete(x)
      if (x.cacheReason !== "" && x.cacheReason !== "stored" && x.cacheReason !== "method" && x.host !== "") note(parts, x)
      return releaseStored(x)
    },
  }
}

/** For the report of what is not stored. */
function note(parts: RouteCacheParts, x: Exchange): void {
  const { query } = x
  x.query = ""
  parts.store.passed.add(groupOf(x), x.plan!.route.name, x.cacheReason, x.responseBytes)
  x.query = query
}
