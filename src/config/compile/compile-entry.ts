import { pacGate } from "../../answer/index.ts"
import { CidrSet, FAULT } from "../../base/index.ts"
import { identifyCertificate, limitForwards, refuseMethod, trustedHopsStep } from "../../filter/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Plan, type Step, type Verdict } from "../../flow/index.ts"
import { asksForUdp, BODY_LENGTH, readUdpTarget } from "../../http/index.ts"
import type { RouteTable } from "../../route/index.ts"
import type { StandIns } from "../../net/index.ts"
import type { Origins } from "../../upstream/index.ts"
import { REFUSE_PATH } from "../../route/index.ts"
import type { ListenerConfig, RouteConfig } from "../schema.ts"
import type { ClusterHandles } from "./cluster-handles.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { rawProtocolOf } from "./raw-protocol.ts"
import { entryPlan } from "./entry-plan.ts"
import { httpChallengeStep } from "./http-challenge.ts"
import { type CapturedRules, capturedStep } from "./captured.ts"
import { dnsStep, standInNames } from "./dns-entry.ts"
import { buildFilters } from "./filters.ts"
import { compileRelay, relayGate } from "./socks-relay.ts"
import { StepList } from "./step-list.ts"

/** Index that route-less exchanges have in logs. */
export const NO_ROUTE_INFO = { name: "", index: -1, cluster: "", metrics: -1 }

/** What the entries of all listeners share. */
export interface EntryParts {
  readonly table: RouteTable
  /** By route index. */
  readonly plans: readonly Plan[]
  /** The same for connections without HTTP; null where the route does not serve them. */
  readonly rawPlans: Readonly<Record<"tcp" | "udp", readonly (Plan | null)[]>>
  readonly routes: readonly RouteConfig[]
  readonly deps: CompileDeps
  readonly handles: ClusterHandles
  /** Metrics block of exchanges without a route. */
  readonly unrouted: number
  /** Folder of the certificates whose HTTP-01 challenges plain listeners answer; null = nothing is proven that way. */
  readonly challenges: string | null
  /** By forward listener. */
  readonly origins: ReadonlyMap<string, Origins>
  /** By listener that answers with them. */
  readonly standIns: ReadonlyMap<string, StandIns>
}

/** What every exchange of a listener goes through first: is the form allowed, who is it, may they use the proxy, which route is it. */
export function compileEntry(name: string, listener: ListenerConfig, parts: EntryParts): Plan {
  const raw = rawProtocolOf(listener)
  if (listener.dns !== null) return compileDnsEntry(name, listener.dns, parts)
  if (raw !== null) return compileRawEntry(name, listener, parts, parts.rawPlans[raw])
  const { table, plans, routes, deps, handles, unrouted, challenges } = parts
  const list = new StepList(name, deps)
  const transparent = listener.forward?.transparent ?? null
  if (transparent !== null) list.add("gate", "captured", capturedStep(parts.origins.get(name)!, capturedRules(listener, transparent.dial, parts)))
  if (listener.forward === null) list.add("gate", "gate", reverseGate(listener.tls !== undefined && listener.tls !== null))
  // Authorities have no password for a proxy.
  if (challenges !== null && !listener.tls) list.add("answer", "certificate challenge", httpChallengeStep(challenges))
  const pac = listener.forward?.pac
  if (pac) list.add("answer", "pac", pacGate(pac, { secure: listener.tls !== null }))
  if (listener.trustedHops.length > 0) list.add("identify", "trusted hops", trustedHopsStep(CidrSet.parse(listener.trustedHops)))
  if (listener.tls?.clientCertificates) list.add("identify", "client certificate", identifyCertificate)
  const auth = listener.forward?.auth
  if (auth !== undefined && auth !== null) {
    const place = { owner: `listeners/${name}`, nextSlot: { value: 0 }, cluster: handles.get }
    const filters = buildFilters([{ name: "proxy-auth", options: auth, inline: null }], deps, place)
    list.addPhase("identify", filters)
    list.addPhase("access", filters)
  }
  if (listener.forward !== null) list.add("gate", "gate", forwardGate)
  const route = { ...NO_ROUTE_INFO, metrics: unrouted }
  if (listener.forward?.socks?.udp) list.add("gate", "UDP relay", relayGate(compileRelay(name, listener, deps, { log: logStep(deps), route })))
  list.add(
    "route",
    "route",
    routeStep(
      table,
      plans.map((plan, index) => planFor(listener, plan, routes[index]!)),
    ),
  )
  return entryPlan(list, logStep(deps), { bodyBytesMax: listener.limits.bodyBytesMax, tunnelIdleMs: listener.timeouts.tunnelIdle, route })
}

/** Queries are answered by the listener itself. */
function compileDnsEntry(name: string, dns: NonNullable<ListenerConfig["dns"]>, { deps, standIns, unrouted }: EntryParts): Plan {
  const list = new StepList(name, deps)
  list.add("answer", "dns", dnsStep(dns, standIns.get(name) ?? null, deps))
  const route = { ...NO_ROUTE_INFO, metrics: unrouted }
  return entryPlan(list, logStep(deps), { bodyBytesMax: 0, tunnelIdleMs: 0, route })
}

/** What a connection without HTTP goes through first: which route is it. */
function compileRawEntry(name: string, listener: ListenerConfig, { table, deps, unrouted }: EntryParts, plans: readonly (Plan | null)[]): Plan {
  const tunnelIdleMs = listener.udp?.idle ?? listener.timeouts.tunnelIdle
  const own = plans.map(plan => plan && { ...plan, tunnelIdleMs })
  const list = new StepList(name, deps)
  if (listener.tls?.clientCertificates) list.add("identify", "client certificate", identifyCertificate)
  list.add("route", "route", rawRouteStep(table, own))
  const route = { ...NO_ROUTE_INFO, metrics: unrouted }
  return entryPlan(list, logStep(deps), { bodyBytesMax: 0, tunnelIdleMs, route })
}

function rawRouteStep(table: RouteTable, plans: readonly (Plan | null)[]): Step {
  return (x: Exchange): Verdict => {
    const index = table.find(x)
    const plan = index < 0 ? null : plans[index]!
    if (plan === null) {
      x.fault = FAULT.noRoute
      return FAULT_VERDICT
    }
    x.plan = plan
    x.step = -1
    return NEXT
  }
}

function capturedRules({ bind }: ListenerConfig, dial: "address" | "name", { standIns }: EntryParts): CapturedRules {
  const ports = new Set(bind.flatMap(address => ("port" in address ? [address.port] : [])))
  return { dialsNames: dial === "name", nameOf: standInNames(standIns.values()), ports }
}

/** GET, HEAD, POST and PUT need no look at their names. */
const USUAL_METHOD = 4

/** CONNECT is for proxies. An absolute target is taken as it must be (RFC 9112 section 3.2.2), but its scheme says nothing about this connection. */
function reverseGate(secure: boolean): Step {
  const scheme = secure ? "https" : "http"
  return (x: Exchange): Verdict => {
    x.scheme = scheme
    if (x.method.length <= USUAL_METHOD) return NEXT
    return x.method === "CONNECT" ? refuseMethod(x) : limitForwards(x)
  }
}

/** Behind the log-in: nobody learns anything of a proxy that they may not use. */
function forwardGate(x: Exchange): Verdict {
  if (x.upgrade !== "" && asksForUdp(x.upgrade)) return nameUdpTarget(x)
  return x.method.length <= USUAL_METHOD ? NEXT : limitForwards(x)
}

/** Whom a UDP tunnel is for must be known before the route is: rules about hosts are rules about it. */
function nameUdpTarget(x: Exchange): Verdict {
  const fault = readUdpTarget(x)
  if (fault === null) return NEXT
  x.fault = fault
  return FAULT_VERDICT
}

/** A route's plan as this listener runs it: the listener's limits hold where the route says nothing. Steps and their state are shared. */
export function planFor(listener: ListenerConfig, plan: Plan, route: RouteConfig): Plan {
  const bodyBytesMax = route.bodyBytesMax ?? listener.limits.bodyBytesMax
  const tunnelIdleMs = listener.timeouts.tunnelIdle
  return plan.bodyBytesMax === bodyBytesMax && plan.tunnelIdleMs === tunnelIdleMs ? plan : { ...plan, bodyBytesMax, tunnelIdleMs }
}

/** Finds the route and goes on with its plan. */
export function routeStep(table: RouteTable, plans: readonly Plan[]): Step {
  return (x: Exchange): Verdict => {
    const index = table.find(x)
    if (index < 0) {
      x.fault = index === REFUSE_PATH ? FAULT.ambiguousPath : FAULT.noRoute
      return FAULT_VERDICT
    }
    const plan = plans[index]!
    x.plan = plan
    x.step = -1
    // What says that it is too long need not come first (RFC 9110 section 15.5.14).
    if (plan.bodyBytesMax > 0 && x.requestBody === BODY_LENGTH && x.requestLength > plan.bodyBytesMax) {
      x.fault = FAULT.bodyTooLarge
      return FAULT_VERDICT
    }
    return NEXT
  }
}

/** The last step of every plan but one: line, metrics, and word to whoever counts exchanges. */
export function logStep(deps: CompileDeps): Step {
  const { accessLog, metrics, time } = deps
  const enabled = accessLog?.enabled === true
  return (x: Exchange): Verdict => {
    x.endedAt = time.clock.now()
    if (enabled) accessLog.log(x)
    if (metrics !== null) metrics.exchange(x)
    deps.ended(x)
    return NEXT
  }
}
