import { CidrSet, FAULT } from "../../base/index.ts"
import { trustedHopsStep } from "../../filter/index.ts"
import { deliver, DONE, type Exchange, FAULT_VERDICT, NEXT, type Plan, type Step, type Verdict } from "../../flow/index.ts"
import type { RouteTable } from "../../route/index.ts"
import { REFUSE_PATH } from "../../route/index.ts"
import type { ListenerConfig } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { buildFilters } from "./filters.ts"
import { StepList } from "./step-list.ts"

/** Index that route-less exchanges have in logs. */
const NO_ROUTE_INFO = { name: "", index: -1, cluster: "", metrics: -1 }

/** What the entries of all listeners share. */
export interface EntryParts {
  readonly table: RouteTable
  /** By route index. */
  readonly plans: readonly Plan[]
  readonly deps: CompileDeps
  /** Metrics block of exchanges without a route. */
  readonly unrouted: number
}

/** What every exchange of a listener goes through first: is the form allowed, who is it, may they use the proxy, which route is it. */
export function compileEntry(name: string, listener: ListenerConfig, { table, plans, deps, unrouted }: EntryParts): Plan {
  const list = new StepList(name, deps)
  list.add("gate", "gate", listener.forward === null ? reverseGate(listener.tls !== undefined && listener.tls !== null) : forwardGate)
  if (listener.trustedHops.length > 0) list.add("identify", "trusted hops", trustedHopsStep(CidrSet.parse(listener.trustedHops)))
  const auth = listener.forward?.auth
  if (auth !== undefined && auth !== null) {
    const filters = buildFilters([{ name: "proxy-auth", options: auth, inline: null }], deps, { value: 0 })
    list.addPhase("identify", filters)
    list.addPhase("access", filters)
  }
  list.add("route", "route", routeStep(table, plans))
  const respondAt = list.length
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  list.add("log", "log", logStep(deps))
  list.steps.push(() => DONE)
  return {
    steps: list.steps, respondAt, peerAt: -1, logAt, retry: null, bodyBytesMax: listener.limits.bodyBytesMax, requestMs: 0,
    tunnelIdleMs: listener.timeouts.tunnelIdle, route: { ...NO_ROUTE_INFO, metrics: unrouted },
  }
}

/** CONNECT is for proxies. An absolute target is taken as it must be (RFC 9112 section 3.2.2), but its scheme says nothing about this connection. */
function reverseGate(secure: boolean): Step {
  const scheme = secure ? "https" : "http"
  return (x: Exchange): Verdict => {
    if (x.method === "CONNECT") {
      x.fault = FAULT.connectForbidden
      return FAULT_VERDICT
    }
    x.scheme = scheme
    return NEXT
  }
}

function forwardGate(_x: Exchange): Verdict {
  return NEXT
}

/** Finds the route and goes on with its plan. */
function routeStep(table: RouteTable, plans: readonly Plan[]): Step {
  return (x: Exchange): Verdict => {
    const index = table.find(x)
    if (index < 0) {
      x.fault = index === REFUSE_PATH ? FAULT.ambiguousPath : FAULT.noRoute
      return FAULT_VERDICT
    }
    x.plan = plans[index]!
    x.step = -1
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
