import { type Exchange, NEXT, type Verdict } from "../flow/index.ts"
import { NAME } from "../http/index.ts"
import { groupOf } from "./key-parts.ts"
import type { RouteCache } from "./route-cache.ts"
import { invalidatedTargets, isSafe } from "./rules/invalidation.ts"
import { hashOfGroup } from "./store/key.ts"

/** Reasons that lie in the request. */
const WORDS: Readonly<Record<string, string>> = { method: "method", "request-no-store": "request" }

/** Behind an upstream's answer that no cache was asked for, or that is not for the store: what it means for what is stored. */
export function passed(cache: RouteCache, x: Exchange): Verdict {
  if (x.cacheReason === "method" && !isSafe(x.method)) invalidate(cache, x)
  if (cache.policy.status)
    x.cacheStatus = `; fwd=${WORDS[x.cacheReason] ?? (x.cacheResult === "miss" ? "uri-miss" : "bypass")}; fwd-status=${x.status}${detail(x)}`
  return NEXT
}

function detail(x: Exchange): string {
  return x.cacheReason === "" || x.cacheReason === "method" ? "" : `; detail=${x.cacheReason}`
}

/** What an unsafe request has changed is not what is stored (RFC 9111 section 4.4). */
function invalidate(cache: RouteCache, x: Exchange): void {
  const { response } = x
  const targets = invalidatedTargets(x.method, groupOf(x), {
    status: x.status,
    location: response.get(NAME.location),
    contentLocation: response.get(NAME.contentLocation),
  })
  for (const group of targets) cache.store.memory.removeGroup({ group, groupHash: hashOfGroup(group) }, false)
}

/** Says what the cache did. The first step behind the response, which local replies pass, too. */
export function tellStatus(x: Exchange): Verdict {
  if (x.cacheResult === "") return NEXT
  if (x.cacheStatus !== "") x.response.extra += `Cache-Status: bothways${x.cacheStatus}\r\n`
  else if (x.fault !== null) x.response.extra += `Cache-Status: bothways; fwd=${x.cacheResult === "miss" ? "uri-miss" : "bypass"}${detail(x)}\r\n`
  return NEXT
}
