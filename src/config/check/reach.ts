import type { Finding } from "../problem.ts"
import type { Config, RouteConfig } from "../schema.ts"
import { clustersOf, filterClustersOf, loginClustersOf, listenersOf, routeWord, type Subject, warning } from "./subject.ts"

/** What is written and never used: routes behind a catch-all, clusters without a route, listeners without one. */
export function checkReach(subject: Subject): Finding[] {
  const taken = new Taken()
  const unreachable = subject.config.routes.flatMap((route, position) => {
    const listeners = listenersOf(subject, route)
    const earlier = taken.shadowOf(route, listeners)
    taken.add(route, listeners, position)
    const at = ["routes", subject.routeIndex[position]!]
    return earlier === -1 ? [] : [warning(at, `this route can never match: ${routeWord(subject, earlier)} takes all of its requests before`)]
  })
  // With parts of the config missing, "nobody uses it" may be wrong.
  return subject.whole ? [...unreachable, ...unusedClusters(subject), ...listenersWithoutRoute(subject)] : unreachable
}

/** Rules of a route whose subsets are looked up; with more of them only none, one and all are. */
const rulesMax = 6

/**
 * What the routes so far leave nothing of: a route takes all requests of a later one when its rules are some of the later one's rules.
 * Looked up by the rules' text, so that thousands of routes are not compared with each other.
 */
class Taken {
  /** Rules as text → listener → position of the first route that has them. */
  readonly #byRules = new Map<string, Map<string, number>>()

  add(route: RouteConfig, listeners: readonly string[], position: number): void {
    if (route.match.when !== null) return
    const key = keyOf(rulesOf(route))
    const byListener = this.#byRules.get(key) ?? new Map<string, number>()
    this.#byRules.set(key, byListener)
    for (const name of listeners) if (!byListener.has(name)) byListener.set(name, position)
  }

  /** Position of the route that leaves nothing for this one, or -1. When several do so together, the last of them. */
  shadowOf(route: RouteConfig, listeners: readonly string[]): number {
    const maps = subsetsOf(rulesOf(route)).flatMap(rules => this.#byRules.get(keyOf(rules)) ?? [])
    let last = -1
    for (const name of listeners) {
      const first = Math.min(...maps.map(map => map.get(name) ?? Number.POSITIVE_INFINITY))
      if (first === Number.POSITIVE_INFINITY) return -1
      last = Math.max(last, first)
    }
    return last
  }
}

function rulesOf(route: RouteConfig): string[] {
  return route.match.rules.flatMap(rule => (rule.name === "listener" ? [] : [`${rule.name}=${JSON.stringify(rule.options)}`]))
}

function keyOf(rules: readonly string[]): string {
  return rules.join("\n")
}

function subsetsOf(rules: readonly string[]): (readonly string[])[] {
  if (rules.length > rulesMax) return [[], ...rules.map(rule => [rule]), rules]
  const subsets: string[][] = [[]]
  for (const rule of rules) subsets.push(...subsets.map(subset => [...subset, rule]))
  return subsets
}

/** Those that exits lead to, and that parents stand behind. */
function behindExits({ exits, clusters }: Config): string[] {
  return [...Object.values(exits), ...Object.values(clusters).map(({ parent }) => parent)].flatMap(one =>
    one === null || one.via === null ? [] : [one.via],
  )
}

/** Where a route names what is not there, what it means seems to be unused: that is one slip, and the route's. */
function unusedClusters({ config, declared }: Subject): Finding[] {
  const ofRoutes = config.routes.flatMap(route => [...clustersOf(route), ...filterClustersOf(route)])
  const used = new Set([...[...ofRoutes, ...loginClustersOf(config)].map(({ name }) => name), ...behindExits(config)])
  if ([...used].some(name => !declared.clusters.has(name))) return []
  return Object.keys(config.clusters).flatMap(name =>
    used.has(name) ? [] : [warning(["clusters", name], `no route uses the cluster ${JSON.stringify(name)}`, "key")],
  )
}

function listenersWithoutRoute(subject: Subject): Finding[] {
  const served = new Set(subject.config.routes.flatMap(route => listenersOf(subject, route)))
  if ([...served].some(name => !subject.declared.listeners.has(name))) return []
  return Object.keys(subject.config.listeners).flatMap(name =>
    served.has(name) || subject.config.listeners[name]!.dns !== null
      ? []
      : [warning(["listeners", name], `no route is for the listener ${JSON.stringify(name)}: every request gets 404`, "key")],
  )
}
