import { isDeepStrictEqual } from "node:util"
import type { Config } from "./schema.ts"

export interface NameDiff {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

export interface ConfigDiff {
  readonly listeners: NameDiff
  readonly clusters: NameDiff
  readonly caches: NameDiff
  /** By name. A route that only moved is in `changed`, because the first match wins. */
  readonly routes: NameDiff
  /** Other sections that differ. */
  readonly sections: readonly string[]
  /** Nothing differs. */
  readonly same: boolean
}

/** Told name by name; filters of all routes stand in each of them by now. */
const APART: ReadonlySet<string> = new Set(["listeners", "clusters", "caches", "routes", "filters"])

/** What a reload changes. Functions of a TypeScript config are equal only to themselves, so loading it again counts as a change. */
export function diffConfig(old: Config, next: Config): ConfigDiff {
  const listeners = diffMaps(old.listeners, next.listeners)
  const clusters = diffMaps(old.clusters, next.clusters)
  const caches = diffMaps(old.caches, next.caches)
  const routes = diffRoutes(old.routes, next.routes)
  const sections = (Object.keys(next) as (keyof Config)[]).filter(section => !APART.has(section) && !isDeepStrictEqual(old[section], next[section]))
  const same = sections.length === 0 && [listeners, clusters, caches, routes].every(isEmpty)
  return { listeners, clusters, caches, routes, sections, same }
}

/** `listeners: +web -old; clusters: ~shop; observe`, or "nothing changed". */
export function formatDiff(diff: ConfigDiff): string {
  const parts = (["listeners", "clusters", "caches", "routes"] as const).flatMap(section =>
    isEmpty(diff[section]) ? [] : [`${section}: ${signs(diff[section])}`],
  )
  return diff.same ? "nothing changed" : [...parts, ...diff.sections].join("; ")
}

function signs({ added, removed, changed }: NameDiff): string {
  return [...added.map(name => `+${name}`), ...removed.map(name => `-${name}`), ...changed.map(name => `~${name}`)].join(" ")
}

function isEmpty({ added, removed, changed }: NameDiff): boolean {
  return added.length + removed.length + changed.length === 0
}

function diffMaps(old: Readonly<Record<string, unknown>>, next: Readonly<Record<string, unknown>>): NameDiff {
  const has = (map: Readonly<Record<string, unknown>>) => (name: string) => Object.hasOwn(map, name)
  return {
    added: Object.keys(next).filter(name => !has(old)(name)),
    removed: Object.keys(old).filter(name => !has(next)(name)),
    changed: Object.keys(next).filter(name => has(old)(name) && !isDeepStrictEqual(old[name], next[name])),
  }
}

function diffRoutes(old: Config["routes"], next: Config["routes"]): NameDiff {
  const byName = diffMaps(mapOf(old), mapOf(next))
  const moved = movedRoutes(old, next)
  return { ...byName, changed: next.map(route => route.name).filter(name => byName.changed.includes(name) || moved.has(name)) }
}

function mapOf(routes: Config["routes"]): Record<string, unknown> {
  return Object.fromEntries(routes.map(route => [route.name, route]))
}

/** Routes that stand in both and not in the same order among those. */
function movedRoutes(old: Config["routes"], next: Config["routes"]): ReadonlySet<string> {
  const both = new Set(old.map(route => route.name)).intersection(new Set(next.map(route => route.name)))
  const before = old.map(route => route.name).filter(name => both.has(name))
  const after = next.map(route => route.name).filter(name => both.has(name))
  return new Set(after.filter((name, i) => before[i] !== name))
}
