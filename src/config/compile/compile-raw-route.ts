import { deliver, DONE, type Plan } from "../../flow/index.ts"
import { clusterSteps } from "../../upstream/index.ts"
import type { FilterUse } from "../schema/route.ts"
import type { RouteConfig } from "../schema.ts"
import { logStep } from "./compile-entry.ts"
import { rulesOf, type RouteParts } from "./compile-route.ts"
import { buildFilters, definitionOf } from "./filters.ts"
import { StepList } from "./step-list.ts"

/**
 * The plan of a route for connections without HTTP: [identify …] [access …] peer, forward, judge, deliver as a tunnel, log. Of its filters only those phases run:
 * nothing else has a meaning here. null = the route leads to no cluster of this kind.
 */
export function compileRawRoute(route: RouteConfig, index: number, parts: RouteParts, protocol: "tcp" | "udp"): Plan | null {
  const { config, deps, clusters, handles } = parts
  const name = route.to.kind === "cluster" ? route.to.cluster : ""
  if (config.clusters[name]?.protocol !== protocol) return null
  const upstream = clusterSteps(clusters.get(name)!, rulesOf(route, config, false))
  // What stands among the filters of all routes may be for requests only.
  const takes = (use: FilterUse): boolean => use.everywhere !== true || use.inline !== null || definitionOf(use.name).raw === true
  const filters = buildFilters(route.filters, deps, {
    takes,
    owner: `routes/${route.name}`,
    nextSlot: { value: 1 },
    cluster: handles.get,
  })
  const list = new StepList(index, deps)
  list.addPhase("identify", filters)
  list.addPhase("access", filters)
  const peerAt = list.length
  list.add("peer", "peer", upstream.peer)
  list.add("forward", "forward", upstream.forward)
  list.add("judge", "judge", upstream.judge)
  const respondAt = list.length
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  list.add("log", "finish", upstream.finish)
  list.addPhase("log", filters)
  list.add("log", "log", logStep(deps))
  list.steps.push(() => DONE)
  return {
    steps: list.steps,
    respondAt,
    peerAt,
    logAt,
    retry: upstream.retry,
    bodyBytesMax: 0,
    requestMs: 0,
    tunnelIdleMs: 0,
    route: { name: route.name, index, cluster: name, metrics: parts.metrics },
  }
}
