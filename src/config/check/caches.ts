import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { RouteConfig } from "../schema.ts"
import { error, type Subject, warning } from "./subject.ts"

/** What caches, their folders and the routes that use them say of each other. */
export function checkCaches(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  return [...checkUse(subject), ...checkFolders(subject), ...config.routes.flatMap((route, i) => checkRoute(route, routeIndex[i]!))]
}

/** Memory that nobody fills. Where a route names a cache that is not there, or is not valid itself, that is said instead. */
function checkUse({ config, whole }: Subject): Finding[] {
  const used = config.routes.flatMap(route => placesOf(route).map(i => valueAt(route.filters[i]!.options, ["store"])))
  if (!whole || used.some(name => typeof name === "string" && !Object.hasOwn(config.caches, name))) return []
  return Object.keys(config.caches)
    .filter(name => !used.includes(name))
    .map(name => warning(["caches", name], "no route uses this cache", "key"))
}

/** A store removes whatever it does not know of its folder. */
function checkFolders({ config }: Subject): Finding[] {
  const owners = new Map<string, string>()
  return Object.entries(config.caches).flatMap(([name, { disk }]) => {
    if (disk === null) return []
    const owner = owners.get(disk.path)
    owners.set(disk.path, owner ?? name)
    return owner === undefined ? [] : [error(["caches", name, "disk", "path"], `this is the folder of the cache ${JSON.stringify(owner)} already`)]
  })
}

function checkRoute(route: RouteConfig, index: number): Finding[] {
  const [first, second] = placesOf(route)
  const at = (place: number): ConfigPath => ["routes", index, "filters", place]
  const findings: Finding[] = []
  if (second !== undefined) findings.push(error(at(second), "the route has a cache already, and one is all it can have"))
  if (first !== undefined && route.to.kind === "answer")
    findings.push(warning(at(first), `the cache is never asked: answers of "${route.to.name}" are the proxy's own`))
  return findings
}

function placesOf(route: RouteConfig): number[] {
  return route.filters.flatMap((use, i) => (use.inline === null && use.name === "cache" ? [i] : []))
}
