import { formatSize } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { BODY_CHUNKED, BODY_LENGTH } from "../../http/index.ts"
import { allowedUpgrades, isIdempotent } from "../../upstream/index.ts"
import { CACHE_REASONS } from "../../cache/index.ts"
import { cacheQuestion, cacheUseOf } from "../compile/cache.ts"
import { answerOf } from "../compile/filters.ts"
import { apartOf, retryOf, timesOf } from "../compile/compile-route.ts"
import { listsNow } from "../lists/name-lists.ts"
import type { DestinationConfig } from "../schema/route.ts"
import type { Config, ListenerConfig, RouteConfig } from "../schema.ts"
import type { BodyFacts, RetryFacts, TimeoutFacts, UpgradeFacts } from "./explanation.ts"
import { plain, shown } from "./shown.ts"

/** Whether the route asks a cache, and for what. */
export function cacheFacts(route: RouteConfig, config: Config, x: Exchange): string {
  const use = cacheUseOf(route)
  const question = cacheQuestion(route, apartOf(route, config), listsNow(config))
  if (use === null || question === null) return "no cache on this route"
  if (route.to.kind !== "cluster" && route.to.kind !== "origin") return "not asked: the answer is the proxy's own"
  const store = `store ${plain(use.store)}`
  const why = question.whyNot(x)
  return why === "" ? `${store}; asked for ${shown(question.groupOf(x))}` : `${store}; passed by: ${CACHE_REASONS[why]?.meaning ?? why}`
}

export function localText({ name, options }: Extract<DestinationConfig, { kind: "answer" }>): string {
  return plain(answerOf(name).describe(options))
}

export function timeoutFacts(route: RouteConfig, config: Config, listener: ListenerConfig, tunnelIdle: number | null): TimeoutFacts {
  const { head, body, write, idle } = listener.timeouts
  const isLocal = route.to.kind !== "cluster" && route.to.kind !== "origin"
  return { upstream: isLocal ? null : timesOf(route, config), client: { head, body, write, idle }, tunnelIdle }
}

/** When another attempt is made, or null for answers of the proxy itself. */
export function retryFacts(route: RouteConfig, config: Config, method: string): RetryFacts | null {
  const { to } = route
  if (to.kind !== "cluster" && to.kind !== "origin") return null
  const retry = retryOf(route, config)
  const says = to.kind === "origin" && to.via === null ? originRetryText(retry.attempts, method) : clusterRetryText(retry, method)
  const straight = to.kind === "origin" && to.via !== null && to.orDirect ? "; straight to the origin when no parent can be reached" : ""
  return { ...retry, says: says + straight }
}

function clusterRetryText({ attempts, status, budget, replayBytesMax }: Omit<RetryFacts, "says">, method: string): string {
  if (attempts === 1) return "none: one attempt"
  const idempotent = isIdempotent(method)
  const broken = idempotent ? `when one breaks before the answer (${method} is idempotent)` : ""
  const answered = idempotent && status.length > 0 ? `after ${ranges(status)}` : ""
  const causes = ["when no connection can be made", broken, answered].filter(cause => cause !== "")
  const only = idempotent ? "" : `; ${method} is not idempotent, so nothing that a peer may have seen is repeated`
  const share = `as long as retries stay under ${Math.round(budget * 100)}% of the requests (3 a second are always allowed)`
  return `up to ${attempts} attempts: ${causes.join(", ")}${only}; ${share}; bodies up to ${formatSize(replayBytesMax)} are kept for it`
}

function originRetryText(attempts: number, method: string): string {
  const first = "each address of the name is tried in turn"
  if (method === "CONNECT") return `${first}; a tunnel that stands is never repeated`
  if (attempts === 1 || !isIdempotent(method)) return `${first}; no other attempt${attempts === 1 ? "" : ` (${method} is not idempotent)`}`
  return `${first}; up to ${attempts} attempts after a connection that breaks before the answer (${method} is idempotent)`
}

/** `502-504, 507` */
function ranges(numbers: readonly number[]): string {
  const spans: [number, number][] = []
  for (const number of numbers) {
    const last = spans.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else spans.push([number, number])
  }
  return spans.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(", ")
}

export function bodyFacts(x: Exchange, bytesMax: number): BodyFacts {
  const limit = bytesMax === 0 ? "no limit" : `at most ${formatSize(bytesMax)}`
  if (x.requestBody === BODY_CHUNKED) return { bytesMax, says: `${limit}; this one does not say how long it is` }
  if (x.requestBody !== BODY_LENGTH) return { bytesMax, says: `${limit}; this request has none` }
  return { bytesMax, says: `${limit}; this one has ${formatSize(x.requestLength)}` }
}

/** `asked` is what the client offers to switch to, as the codec read it. */
export function upgradeFacts(route: RouteConfig, asked: string): UpgradeFacts | null {
  if (route.to.kind !== "cluster" && route.to.kind !== "origin") return null
  const through = asked === "" ? "" : allowedUpgrades(asked, new Set(route.upgrade))
  const allowed = route.upgrade.length === 0 ? "none" : route.upgrade.join(", ")
  const says =
    asked === ""
      ? "not asked for"
      : through === ""
        ? `${shown(asked)} is asked for and left out: an ordinary request goes on`
        : `${shown(through)} goes through`
  return { allowed: route.upgrade, asked: shown(asked), says: `${allowed}; ${says}` }
}
