import { limitForwards } from "../../../filter/index.ts"
import { deliver, DONE, type Exchange, NEXT, type Plan, type Verdict } from "../../../flow/index.ts"
import type { ListenerConfig } from "../../schema.ts"
import { type EntryParts, logStep, NO_ROUTE_INFO, planFor, routeStep } from "../compile-entry.ts"
import { StepList } from "../step-list.ts"

/**
 * What requests go through first that came inside a tunnel we opened: who asks was found out when the tunnel began, and nothing that they say of it counts
 * (a trusted hop cannot have written inside TLS). Which route is it?
 */
export function compileInsideEntry(name: string, listener: ListenerConfig, { table, plans, routes, deps, unrouted }: EntryParts): Plan {
  const list = new StepList(name, deps)
  list.add("gate", "gate", insideGate)
  list.add(
    "route",
    "route",
    routeStep(
      table,
      plans.map((plan, index) => planFor(listener, plan, routes[index]!)),
    ),
  )
  const respondAt = list.length
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  list.add("log", "log", logStep(deps))
  list.steps.push(() => DONE)
  const { bodyBytesMax } = listener.limits
  const { tunnelIdle } = listener.timeouts
  const route = { ...NO_ROUTE_INFO, metrics: unrouted }
  return { steps: list.steps, respondAt, peerAt: -1, logAt, retry: null, bodyBytesMax, requestMs: 0, tunnelIdleMs: tunnelIdle, route }
}

function insideGate(x: Exchange): Verdict {
  const refuse = x.notes === null ? null : x.notes.refuse
  if (refuse !== null) return refuse(x)
  return x.method.length <= 4 ? NEXT : limitForwards(x)
}
