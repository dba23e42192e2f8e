import { nearest } from "../../base/index.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { RouteConfig } from "../schema.ts"
import { clustersOf, error, filterClustersOf, loginClustersOf, type Subject } from "./subject.ts"

/** Names that lead nowhere, and names that are taken twice. */
export function checkReferences(subject: Subject): Finding[] {
  const routes = subject.config.routes.flatMap((route, i) => checkRoute(route, subject.routeIndex[i]!, subject))
  const logins = loginClustersOf(subject.config).flatMap(({ name, at }) => unknown("cluster", name, subject.declared.clusters, at))
  return [...routes, ...logins, ...checkRouteNames(subject)]
}

function checkRoute(route: RouteConfig, index: number, { declared, raw }: Subject): Finding[] {
  const at: ConfigPath = ["routes", index]
  const listeners = route.match.listeners.flatMap((name, i) => {
    const path: ConfigPath = [...at, "match", "listener"]
    return unknown("listener", name, declared.listeners, Array.isArray(valueAt(raw, path)) ? [...path, i] : path)
  })
  const stores = route.filters.flatMap((use, i) => {
    const store = use.name === "cache" ? valueAt(use.options, ["store"]) : undefined
    return typeof store === "string" ? unknown("cache", store, declared.caches, [...at, "filters", i, "cache", "store"]) : []
  })
  const used = [...filterClustersOf(route), ...clustersOf(route)].flatMap(one => unknown("cluster", one.name, declared.clusters, [...at, ...one.at]))
  return [...listeners, ...stores, ...used]
}

/** A name that nothing has, with the nearest one that something has. */
export function unknown(noun: string, name: string, known: ReadonlySet<string>, path: ConfigPath): Finding[] {
  if (known.has(name)) return []
  const names = [...known]
  const suggestion = nearest(name, names)
  const there = names.length === 0 ? `no ${noun} is defined` : `defined: ${names.slice(0, 10).join(", ")}`
  const tail = suggestion === null ? `; ${there}` : `; did you mean ${JSON.stringify(suggestion)}?`
  return [error(path, `there is no ${noun} ${JSON.stringify(name)}${tail}`, suggestion === null ? {} : { suggestion })]
}

function checkRouteNames({ config, routeIndex }: Subject): Finding[] {
  const first = new Map<string, number>()
  return config.routes.flatMap((route, i) => {
    const before = first.get(route.name)
    if (before === undefined) {
      first.set(route.name, routeIndex[i]!)
      return []
    }
    return [error(["routes", routeIndex[i]!, "name"], `routes[${before}] already has the name ${JSON.stringify(route.name)}`)]
  })
}
