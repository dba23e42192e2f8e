import { limitForwards } from "../../../filter/index.ts"
import { type Exchange, NEXT, type Plan, type Verdict } from "../../../flow/index.ts"
import type { ListenerConfig } from "../../schema.ts"
import { type EntryParts, logStep, NO_ROUTE_INFO, planFor, routeStep } from "../compile-entry.ts"
import { entryPlan } from "../entry-plan.ts"
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
  const route = { ...NO_ROUTE_INFO, metrics: unrouted }
  return entryPlan(list, logStep(deps), { bodyBytesMax: listener.limits.bodyBytesMax, tunnelIdleMs: listener.timeouts.tunnelIdle, route })
}

function insideGate(x: Exchange): Verdict {
  const refuse = x.notes === null ? null : x.notes.refuse
  if (refuse !== null) return refuse(x)
  return x.method.length <= 4 ? NEXT : limitForwards(x)
}
