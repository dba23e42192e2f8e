import { isDeepStrictEqual } from "node:util"
import type { Finding } from "../problem.ts"
import type { RouteConfig } from "../schema.ts"
import { listenersOf, routeWord, type Subject, warning } from "./subject.ts"

/** What is written and never used: routes behind a catch-all, clusters without a route, listeners without one. */
export function checkReach(subject: Subject): Finding[] {
  const unreachable = subject.config.routes.flatMap((route, position) => {
    const earlier = shadowOf(subject, route, position)
    const at = ["routes", subject.routeIndex[position]!]
    return earlier === -1 ? [] : [warning(at, `this route can never match: ${routeWord(subject, earlier)} takes all of its requests before`)]
  })
  // With parts of the config missing, "nobody uses it" may be wrong.
  return subject.whole ? [...unreachable, ...unusedClusters(subject), ...listenersWithoutRoute(subject)] : unreachable
}

/** Position of the earlier route that leaves nothing for this one, or -1. When several do so together, the last of them. */
function shadowOf(subject: Subject, route: RouteConfig, position: number): number {
  const open = new Set(listenersOf(subject, route))
  for (let i = 0; i < position && open.size > 0; i++) {
    const before = subject.config.routes[i]!
    if (!takesAllOf(before, route)) continue
    for (const name of listenersOf(subject, before)) open.delete(name)
    if (open.size === 0) return i
  }
  return -1
}

/** On a listener that both are for, every request that `route` matches is matched by `before`. */
function takesAllOf(before: RouteConfig, route: RouteConfig): boolean {
  if (before.match.when !== null && before.match.when !== route.match.when) return false
  return before.match.rules.every(
    rule => rule.name === "listener" || route.match.rules.some(other => other.name === rule.name && isDeepStrictEqual(other.options, rule.options)),
  )
}

function unusedClusters({ config }: Subject): Finding[] {
  const used = new Set(
    config.routes.flatMap(({ to }) => (to.kind === "cluster" ? [to.cluster] : to.kind === "origin" && to.via !== null ? [to.via] : [])),
  )
  return Object.keys(config.clusters).flatMap(name =>
    used.has(name) ? [] : [warning(["clusters", name], `no route uses the cluster ${JSON.stringify(name)}`, "key")],
  )
}

function listenersWithoutRoute(subject: Subject): Finding[] {
  const served = new Set(subject.config.routes.flatMap(route => listenersOf(subject, route)))
  return Object.keys(subject.config.listeners).flatMap(name =>
    served.has(name) ? [] : [warning(["listeners", name], `no route is for the listener ${JSON.stringify(name)}: every request gets 404`, "key")],
  )
}
