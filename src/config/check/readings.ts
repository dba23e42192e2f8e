import { nearest } from "../../base/index.ts"
import { readingNames, unknownReading } from "../compile/readings.ts"
import { filters, matchers } from "../features.gen.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { MatchConfig } from "../schema/match.ts"
import { error, type Subject } from "./subject.ts"

/** Counters that are read and that nobody counts, and names that stand for two different ones. */
export function checkReadings(subject: Subject): Finding[] {
  // A route that is left out may be the one that counts.
  if (!subject.whole) return []
  const known = readingNames(subject.config)
  const unknown = readersOf(subject).flatMap(({ name, at }) => {
    if (known.has(name)) return []
    const suggestion = nearest(name, [...known.keys()])
    return [error(at, unknownReading(name, [...known.keys()]), suggestion === null ? {} : { suggestion })]
  })
  return [...unknown, ...checkTwice(subject, known)]
}

interface Reader {
  readonly name: string
  readonly at: ConfigPath
}

function readersOfMatch({ rules }: MatchConfig, at: ConfigPath): Reader[] {
  return rules.flatMap(({ name, options }) =>
    (matchers.find(matcher => matcher.name === name)?.readings?.(options) ?? []).map(one => ({ name: one.name, at: [...at, name, ...one.at] })),
  )
}

/** Readers among the matches that stand anywhere in a filter's options. */
function readersInside(value: unknown, at: ConfigPath): Reader[] {
  if (typeof value !== "object" || value === null) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => readersInside(item, [...at, i]))
  const { rules, when } = value as Partial<MatchConfig>
  if (Array.isArray(rules) && when !== undefined) return readersOfMatch(value as MatchConfig, at)
  return Object.entries(value).flatMap(([key, item]) => readersInside(item, [...at, key]))
}

function readersOf({ config, routeIndex, raw }: Subject): Reader[] {
  return config.routes.flatMap((route, i) => {
    const at: ConfigPath = ["routes", routeIndex[i]!]
    const arms = route.to.kind === "split" ? route.to.split.arms : []
    const ofArms = arms.flatMap(({ match }, k) => {
      const path: ConfigPath = [...at, "to", "split", "arms", k, "match"]
      const isList = Array.isArray(valueAt(raw, path))
      return (match ?? []).flatMap((one, m) => readersOfMatch(one, isList ? [...path, m] : path))
    })
    const rules = [...readersOfMatch(route.match, [...at, "match"]), ...ofArms]
    const uses = route.filters.flatMap((use, j) => {
      const named = use.inline === null ? (filters.find(filter => filter.name === use.name)?.readings?.(use.options) ?? []) : []
      const path: ConfigPath = [...at, "filters", j, use.name]
      // The cache's `bypass` has no readings, which it says itself.
      const inside = use.inline === null && use.name !== "cache" ? readersInside(use.options, path) : []
      return [...named.map(one => ({ name: one.name, at: [...path, ...one.at] })), ...inside]
    })
    return [...rules, ...uses]
  })
}

function checkTwice({ config, routeIndex }: Subject, known: ReturnType<typeof readingNames>): Finding[] {
  return config.routes.flatMap((route, i) =>
    route.filters.flatMap((use, j) => {
      const name = use.inline === null ? (filters.find(filter => filter.name === use.name)?.reading?.name(use.options) ?? "") : ""
      const first = known.get(name)
      if (first === undefined || JSON.stringify(first.options) === JSON.stringify(use.options)) return []
      const path: ConfigPath = ["routes", routeIndex[i]!, "filters", j, use.name, "name"]
      return [error(path, `the counter ${JSON.stringify(name)} has other settings where it stands first; one name is one counter`)]
    }),
  )
}
