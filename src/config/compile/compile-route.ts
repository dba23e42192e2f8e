import { CidrSet, FAULT, hashString } from "../../base/index.ts"
import {
  type ForwardFieldsOptions,
  forwardRequestStep,
  forwardResponseStep,
  refuseMethod,
  type ReverseFieldsOptions,
  reverseRequestStep,
  reverseResponseStep,
} from "../../filter/index.ts"
import { armRequest, deliver, DONE, type Exchange, FAULT_VERDICT, NEXT, type Plan, type Step, type Verdict } from "../../flow/index.ts"
import { CONNECT_UDP } from "../../http/index.ts"
import {
  type AttemptRules,
  type Cluster,
  type ClusterSteps,
  clusterSteps,
  type Origins,
  originSteps,
  STICKY_SLOT,
  type Sticky,
} from "../../upstream/index.ts"
import { carriesUdp } from "../carries-udp.ts"
import { fixedExit } from "../schema/exits.ts"
import type { Config, RouteConfig } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { logStep } from "./compile-entry.ts"
import type { ClusterHandles } from "./cluster-handles.ts"
import { type Apart, compileCache, type RouteCachePlan } from "./cache.ts"
import { answerDeps, answerOf, buildFilters, type NamedFilter } from "./filters.ts"
import { type Arm, armRoutes, compileSplit } from "./split.ts"
import { priorityOf } from "./compile-guard.ts"
import { loginLine, parentLogin } from "./parent-login.ts"
import { parentSteps } from "./parent-steps.ts"
import { exitLabels, exitStep, exitSteps, orDirect, originsOfExit, routeBy } from "./compile-exits.ts"
import { type InspectSteps, inspectSteps } from "./inspect/inspect-steps.ts"
import type { Inspector } from "./inspect/inspector.ts"
import { refuseBind, refusesBind, withBind } from "./socks-bind.ts"
import { StepList } from "./step-list.ts"
import { compileTold } from "./told.ts"

/** What a route's plan is built from besides its own entry. */
export interface RouteParts {
  readonly config: Config
  readonly deps: CompileDeps
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly handles: ClusterHandles
  readonly origins: ReadonlyMap<string, Origins>
  /** By listener, for those that look into tunnels. */
  readonly inspectors: ReadonlyMap<string, Inspector>
  /** Index of the route's metrics block. */
  readonly metrics: number
  /** Index of the block of its cache. */
  readonly cacheMetrics: number
}

/** Defaults of a route to an origin, where no cluster says anything. */
const ORIGIN_TIMES = { connect: 10_000, head: 60_000, idle: 60_000, request: 0 }
const ORIGIN_RETRY = { attempts: 2, status: [] as readonly number[], budget: 0.2, replayBytesMax: 64 * 1024 }

/**
 * The plan of one route, in the order of phases:
 * [identify …] [access …] [forwarding fields] [request …] peer [upstreamRequest …] forward [judge] [upstreamResponse …] [response fields]
 * [response …] deliver, finish, log. What a route does not use is not in its plan. The forwarding fields come before the request filters, so that
 * an operator's filter may change what we say of the client. Each attempt starts at `peer`: what follows knows where it goes.
 */
export function compileRoute(route: RouteConfig, index: number, parts: RouteParts): Plan {
  const { deps } = parts
  const slots = { value: armRoutes(route).every(arm => stickyOf(arm, parts) === null) ? 1 : STICKY_SLOT + 1 }
  const owner = `routes/${route.name}`
  const opens = (x: Exchange): boolean => route.to.kind === "origin" && parts.inspectors.has(x.listener!.name)
  const filters = buildFilters(route.filters, deps, { owner, nextSlot: slots, cluster: parts.handles.get, opens })
  const list = new StepList(index, deps)
  list.addPhase("identify", filters)
  list.addPhase("access", filters)
  if (refusesBind(route, parts.config)) list.add("access", "no BIND", refuseBind)
  if (isNoTunnelsEnd(route, parts.config)) list.add("access", "no tunnel", refuseConnect)
  const own = { filters, index, slot: slots.value }
  if (route.to.kind !== "split") return compileArm({ route, list, counted: steps => steps, tell: null }, own, parts)
  return compileSplit(route, route.to.split, { deps, list, slot: own.slot + 1 }, arm => compileArm(arm, own, parts))
}

/** What all arms of a route have. `slot` is a state slot that no filter has. */
interface Own {
  readonly filters: readonly NamedFilter[]
  readonly index: number
  readonly slot: number
}

/** What comes behind access: all of the plan that depends on where a request goes. */
function compileArm({ route, list, counted, tell }: Arm, { filters, index, slot }: Own, parts: RouteParts): Plan {
  const { deps, config } = parts
  const sticky = stickyOf(route, parts)
  const times = timesOf(route, config)
  if (times.request > 0) list.add("request", "request timeout", requestTimer(deps, times.request))
  if (route.to.kind === "origin" && route.to.exit !== null) list.add("request", "exit", exitStep(route.to.exit, config))
  const steps = upstreamOf(route, parts)
  const upstream = steps === null ? null : counted(steps)
  const cache = upstream === null ? null : compileCache(route, apartOf(route, config), parts)
  if (upstream === null) {
    list.addPhase("request", filters)
    list.add("answer", route.to.kind === "answer" ? route.to.name : route.to.kind, localStep(route, parts))
  }
  const inspect = inspectOf(route, parts)
  const way = upstream === null ? null : { upstream, filters, fields: fieldsSteps(route, parts), inspect: inspect?.look ?? null, slot }
  // Before the cache: with a cookie of ours a request would be one that nothing is stored for.
  if (sticky !== null) list.add("fields", "session", sticky.read)
  const peerAt = way === null ? -1 : addUpstream(list, way, cache)
  const respondAt = list.length
  if (cache !== null) list.add("response", "cache status", cache.steps.tell)
  if (sticky !== null) list.add("response", "session", sticky.tell)
  if (tell !== null) list.add("response", "split", tell)
  list.addPhase("response", filters)
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  if (upstream !== null) list.add("log", "finish", upstream.finish)
  if (inspect !== null) list.add("log", "inside TLS", inspect.noteEnd)
  if (cache !== null) list.add("log", "cache release", cache.steps.release)
  list.addPhase("log", filters)
  list.add("log", "log", logStep(deps))
  list.steps.push(() => DONE)
  const plan = {
    steps: list.steps,
    respondAt,
    peerAt,
    logAt,
    retry: upstream === null ? null : upstream.retry,
    requestMs: times.request,
    // Where the route says nothing these are the listener's, which the entry of each fills in.
    bodyBytesMax: route.bodyBytesMax ?? 0,
    tunnelIdleMs: 0,
    route: { name: route.name, index, cluster: clusterOf(route), metrics: parts.metrics },
  }
  if (cache !== null)
    cache.complete(respondAt, fetchPlan(plan, way!, deps), !filters.some(({ filter }) => filter.response !== undefined || filter.log !== undefined))
  return plan
}

/** How the route's cluster keeps clients. A cookie is for the site that a cluster serves; what clients fetch through a parent are others' sites. */
function stickyOf(route: RouteConfig, { clusters, config }: RouteParts): Sticky | null {
  const name = clusterOf(route)
  const isOthers = route.to.kind === "origin" && config.clusters[name]?.sticky?.name === "cookie"
  return name === "" || isOthers ? null : clusters.get(name)!.sticky
}

/** The way to an upstream and back, as a route has it. `slot` is a state slot that no filter has. */
interface Way {
  readonly upstream: ClusterSteps
  readonly filters: readonly NamedFilter[]
  readonly fields: { readonly request: Step; readonly response: Step }
  /** Looks into tunnels; null = nobody does. */
  readonly inspect: Step | null
  readonly slot: number
}

/** How the requests of a route's cache go: upstream and back, without a client, a log line or what stands in front of the cache. */
function fetchPlan(plan: Plan, way: Way, deps: CompileDeps): Plan {
  const list = new StepList(plan.route.index, { ...deps, watch: undefined })
  if (isEarly(way)) list.add("fields", "forwarding fields", way.fields.request)
  const peerAt = addAttempt(list, way)
  list.add("fields", "response fields", way.fields.response)
  const respondAt = list.length
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  list.add("log", "finish", way.upstream.finish)
  list.steps.push(() => DONE)
  return { ...plan, steps: list.steps, respondAt, peerAt, logAt }
}

/** Nothing that an operator wrote changes the request behind its access rules: then a hit needs no fields for the peer. */
function isEarly({ filters }: Way): boolean {
  return !filters.some(({ filter }) => filter.request !== undefined)
}

/** What a cache has to tell apart on this route. */
export function apartOf(route: RouteConfig, config: Config): Apart {
  return { destination: destinationOf(route, config), told: compileTold(route, config) }
}

/** Who answers, and what the listener makes of it. */
function destinationOf(route: RouteConfig, config: Config): string {
  const names = route.match.listeners.length > 0 ? route.match.listeners : Object.keys(config.listeners)
  const said = names.map(name => {
    const { trustedHops, via, forward } = config.listeners[name]!
    return JSON.stringify([trustedHops.length > 0, via, forward?.privacy ?? ""])
  })
  const sameForAll = said.every(one => one === said[0])
  const exit = route.to.kind === "origin" && route.to.exit !== null ? `:${route.to.exit.default}` : ""
  return `${route.to.kind}:${clusterOf(route)}${exit}:${sameForAll ? hashString(said[0]!) : hashString(route.name)}`
}

/** CONNECT reaches this route, and what stands there speaks HTTP: a 2xx would open a tunnel to it that no rule sees into (RFC 9110 section 9.3.6). */
function isNoTunnelsEnd({ match, to }: RouteConfig, config: Config): boolean {
  const names = match.listeners.length > 0 ? match.listeners : Object.keys(config.listeners)
  const says2xx = to.kind === "cluster" || to.kind === "split" || (to.kind === "answer" && answerOf(to.name).says2xx?.(to.options) === true)
  return says2xx && names.some(name => config.listeners[name]!.forward !== null)
}

function refuseConnect(x: Exchange): Verdict {
  // UDP tunnels of forward clients end here or nowhere.
  if (x.upgrade === CONNECT_UDP && x.listener!.forward) {
    x.fault = FAULT.forbidden
    return FAULT_VERDICT
  }
  return x.method === "CONNECT" ? refuseMethod(x) : NEXT
}

/** From the forwarding fields to the response's; returns where an attempt starts. */
function addUpstream(list: StepList, way: Way, cache: RouteCachePlan | null): number {
  const early = cache !== null && isEarly(way)
  if (early) list.add("cache", "cache", cache.steps.look)
  list.add("fields", "forwarding fields", way.fields.request)
  list.addPhase("request", way.filters)
  if (cache !== null && !early) list.add("cache", "cache", cache.steps.look)
  if (way.inspect !== null) list.add("inspect", "inside TLS", way.inspect)
  const peerAt = addAttempt(list, way)
  if (cache !== null) list.add("cache", "passed", cache.steps.passed)
  list.add("fields", "response fields", way.fields.response)
  return peerAt
}

/** What is opened may leave over HTTP/2 where the origin has it: browsers speak it to us. */
const INSIDE_UPGRADE = { tls: false, http: "auto", ca: null, tcpOnly: true } as const

/** Tunnels to origins are looked into before they are dialled, on listeners that do so. */
function inspectOf(route: RouteConfig, { config, inspectors, origins, deps }: RouteParts): InspectSteps | null {
  if (route.to.kind !== "origin") return null
  const listeners = route.match.listeners.length > 0 ? route.match.listeners : Object.keys(config.listeners)
  return inspectSteps(listeners, { inspectors, origins, time: deps.time })
}

/** From the peer to what its answer's own filters leave; returns the first step. */
function addAttempt(list: StepList, { upstream, filters, slot }: Way): number {
  const peerAt = list.length
  list.add("peer", "peer", upstream.peer)
  if (filters.some(({ filter }) => filter.upstreamRequest !== undefined)) list.add("upstreamRequest", "own fields", ownFields(slot))
  list.addPhase("upstreamRequest", filters)
  list.add("forward", "forward", upstream.forward)
  list.add("judge", "judge", upstream.judge)
  list.addPhase("upstreamResponse", filters)
  return peerAt
}

/** What filters add for one attempt goes no further than that: the next one starts from what the request's own filters have left. */
function ownFields(slot: number): Step {
  return (x: Exchange): Verdict => {
    const left = x.slots[slot]
    if (left === undefined) x.slots[slot] = x.request.extra
    else x.request.extra = left as string
    return NEXT
  }
}

function requestTimer(deps: CompileDeps, ms: number): Step {
  return (x: Exchange): Verdict => {
    armRequest(x, deps.time, ms)
    return NEXT
  }
}

/** Name of the cluster that a route sends to, "" when it sends to none. */
export function clusterOf(route: RouteConfig): string {
  return route.to.kind === "cluster" ? route.to.cluster : route.to.kind === "origin" ? (route.to.via ?? "") : ""
}

/** Timeouts of a route: its own words over its cluster's. */
export function timesOf(route: RouteConfig, config: Config): { connect: number; head: number; idle: number; request: number } {
  const cluster = config.clusters[clusterOf(route)]
  return { ...ORIGIN_TIMES, ...cluster?.timeouts, ...defined(route.timeouts) }
}

export function retryOf(route: RouteConfig, config: Config): { attempts: number; status: readonly number[]; budget: number; replayBytesMax: number } {
  const cluster = config.clusters[clusterOf(route)]
  return { ...ORIGIN_RETRY, ...cluster?.retry, ...defined(route.retry) }
}

function defined<T extends object>(overrides: T): { [K in keyof T]?: Exclude<T[K], undefined | null> } {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined && value !== null)) as never
}

export function rulesOf(route: RouteConfig, config: Config, absolute: boolean): AttemptRules {
  return attemptRules(timesOf(route, config), retryOf(route, config), {
    absolute,
    upgrades: new Set(route.upgrade),
    priority: priorityOf(route.priority),
  })
}

function attemptRules(
  times: ReturnType<typeof timesOf>,
  retry: ReturnType<typeof retryOf>,
  rest: Pick<AttemptRules, "absolute" | "upgrades" | "priority">,
): AttemptRules {
  return {
    times: { head: times.head, idle: times.idle },
    connectMs: times.connect,
    attemptsMax: retry.attempts,
    retryStatus: retry.status.length === 0 ? null : new Set(retry.status),
    keepBytesMax: retry.replayBytesMax,
    ...rest,
  }
}

/** Rules of requests that no route made. */
export function rulesOfCluster(name: string, config: Config): AttemptRules {
  const { timeouts, retry } = config.clusters[name]!
  return attemptRules(timeouts, retry, { absolute: false, upgrades: new Set() })
}

function upstreamOf(route: RouteConfig, parts: RouteParts): ClusterSteps | null {
  const { to } = route
  if (to.kind === "cluster") return clusterSteps(parts.clusters.get(to.cluster)!, rulesOf(route, parts.config, false))
  if (to.kind !== "origin") return null
  if (to.exit === null) return wayOut(route, "", parts)
  const { config } = parts
  const label = fixedExit(to.exit)
  if (label !== null) return wayOut(route, label, parts)
  return exitSteps(new Map(exitLabels(to.exit, config).map(one => [one, wayOut(routeBy(route, one, config), one, parts)])))
}

/** To origins, by one exit; "" = by none. */
function wayOut(route: RouteConfig, exit: string, parts: RouteParts): ClusterSteps {
  const to = route.to as Extract<RouteConfig["to"], { kind: "origin" }>
  if (to.via === null) return straightOut(route, exit, parts)
  const via = viaSteps(route, to.via, parts)
  return to.orDirect ? orDirect(via, straightOut({ ...route, to: { ...to, via: null } }, "", parts)) : via
}

function straightOut(route: RouteConfig, exit: string, parts: RouteParts): ClusterSteps {
  const to = route.to as Extract<RouteConfig["to"], { kind: "origin" }>
  const rules = rulesOf(route, parts.config, false)
  const byListener = new Map(
    [...originsOfExit(parts.origins, exit)].map(([name, origins]) => [
      name,
      withBind(
        originSteps(origins, rules, to.upgrade ?? (parts.inspectors.has(name) ? INSIDE_UPGRADE : null)),
        origins,
        parts.config.listeners[name],
      ),
    ]),
  )
  const of = (x: Exchange): ClusterSteps => byListener.get(x.listener!.name)!
  return {
    peer(x) {
      if (byListener.has(x.listener!.name)) return of(x).peer(x)
      x.fault = FAULT.notForward
      return FAULT_VERDICT
    },
    forward: x => of(x).forward(x),
    judge: x => of(x).judge(x),
    finish: x => (byListener.has(x.listener!.name) ? of(x).finish(x) : NEXT),
    retry: x => of(x).retry(x),
  }
}

/** Through a cluster of parents. */
export function viaSteps(route: RouteConfig, via: string, { clusters, config, origins, inspectors }: RouteParts): ClusterSteps {
  const cluster = clusters.get(via)!
  const upgrade = (route.to.kind === "origin" ? route.to.upgrade : null) ?? (inspectors.size > 0 ? INSIDE_UPGRADE : null)
  const line = loginLine(parentLogin(config.clusters[via]!.parent))
  const udp = route.upgrade.includes(CONNECT_UDP) && carriesUdp(config.clusters[via]!)
  return parentSteps(clusterSteps(cluster, { ...rulesOf(route, config, true), upgrade }), { cluster, loginLine: line, origins, upgrade, udp })
}

function localStep({ name, to }: RouteConfig, { deps }: RouteParts): Step {
  if (to.kind !== "answer") throw new Error(`route ${name} has no local answer`)
  return answerOf(to.name).build(to.options, answerDeps(deps, `routes/${name}/${to.name}`))
}

/** Forwarding fields by direction; a route that several listeners use asks which one it is. */
function fieldsSteps(route: RouteConfig, parts: RouteParts): { request: Step; response: Step } {
  const names = route.match.listeners.length > 0 ? route.match.listeners : Object.keys(parts.config.listeners)
  const pairs = names.map((name): readonly [string, { request: Step; response: Step }] => [name, pairFor(name, route, parts)])
  if (pairs.length === 1) return pairs[0]![1]
  const requests = new Map(pairs.map(([name, pair]) => [name, pair.request]))
  const responses = new Map(pairs.map(([name, pair]) => [name, pair.response]))
  return { request: x => requests.get(x.listener!.name)!(x), response: x => responses.get(x.listener!.name)!(x) }
}

function pairFor(name: string, route: RouteConfig, parts: RouteParts): { request: Step; response: Step } {
  const listener = parts.config.listeners[name]!
  const position = Object.keys(parts.config.listeners).indexOf(name)
  const pseudonym = `bothways-${parts.deps.instanceId}-${position}`
  if (route.to.kind === "origin") {
    const options: ForwardFieldsOptions = { via: pseudonym, sendVia: listener.via, privacy: listener.forward?.privacy ?? "standard" }
    return { request: forwardRequestStep(options), response: forwardResponseStep(options) }
  }
  const options: ReverseFieldsOptions = {
    via: listener.via ? pseudonym : "",
    scheme: listener.tls === undefined || listener.tls === null ? "http" : "https",
    trusted: listener.trustedHops.length > 0 ? CidrSet.parse(listener.trustedHops) : null,
  }
  return { request: reverseRequestStep(options), response: reverseResponseStep(options) }
}
