import { nearest } from "../../base/index.ts"
import type { ListUse } from "../../plugin/index.ts"
import { filters, matchers } from "../features.gen.ts"
import { fileState } from "../lists/file-text.ts"
import { unknownCategory, unknownList } from "../lists/name-lists.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { MatcherUse } from "../schema/match.ts"
import { error, type Subject } from "./subject.ts"

type Named = Pick<ListUse, "kind" | "name"> & { readonly at: ConfigPath }

/** Lists and categories that are named and that there are none of, and files of lists that cannot be read. What is in the files is told by those who read them. */
export function checkLists(subject: Subject): Finding[] {
  const { config, raw } = subject
  const names = Object.keys(mapAt(raw, ["lists"]))
  const categories = names.map(name => valueAt(raw, ["lists", name, "category"])).filter(category => typeof category === "string")
  const unknown = usesOf(subject).flatMap(({ kind, name, at }) => {
    const known = kind === "list" ? names : categories
    if (known.includes(name)) return []
    const suggestion = nearest(name, known)
    const text = kind === "list" ? unknownList(name, known) : unknownCategory(name, [...new Set(known)])
    return [error(at, text, suggestion === null ? {} : { suggestion })]
  })
  const files = Object.entries(config.lists).flatMap(([list, { files: paths, bytesMax }]) =>
    (paths ?? []).flatMap((path, i) => {
      const trouble = fileState(path, bytesMax)
      return trouble === "" ? [] : [error(written(raw, ["lists", list, "files", i]), trouble)]
    }),
  )
  return [...unknown, ...files]
}

function usesOf({ config, routeIndex, raw }: Subject): Named[] {
  const ofRoutes = config.routes.flatMap((route, i): Named[] => {
    const at: ConfigPath = ["routes", routeIndex[i]!]
    const ofFilters = route.filters.flatMap((use, j) => {
      if (use.inline !== null) return []
      const own = filters.find(filter => filter.name === use.name)?.lists?.(use.options) ?? []
      const path: ConfigPath = [...at, "filters", j, use.name]
      return [...own.map(one => ({ ...one, at: [...path, ...one.at] })), ...usesOfMatches(use.options, path)]
    })
    return [...usesOfMatches(route.match, [...at, "match"]), ...usesOfMatches(route.to, [...at, "to"]), ...ofFilters]
  })
  const neverOpen = Object.entries(config.listeners).flatMap(([listener, { forward }]) => {
    const at: ConfigPath = ["listeners", listener, "forward", "inspect", "neverOpen", "categories"]
    return (forward?.inspect?.neverOpen.categories ?? []).map((name, i): Named => ({ kind: "category", name, at: [...at, i] }))
  })
  const blocked = [
    ...config.resolver.block.map((name, i): Named => ({ kind: "list", name, at: ["resolver", "block", i] })),
    ...Object.entries(config.listeners).flatMap(([listener, { dns }]) =>
      (dns?.block ?? []).map((name, i): Named => ({ kind: "list", name, at: ["listeners", listener, "dns", "block", i] })),
    ),
  ]
  const all = [...ofRoutes, ...neverOpen, ...blocked, ...usesOfMatches(config.listeners, ["listeners"])]
  return all.map(one => ({ ...one, at: written(raw, one.at) }))
}

/** What the matches name that stand anywhere in `value`, which is parsed and stands at `at`. */
function usesOfMatches(value: unknown, at: ConfigPath): Named[] {
  if (typeof value !== "object" || value === null) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => usesOfMatches(item, [...at, i]))
  if (isMatch(value)) {
    return value.rules.flatMap(({ name, options }) =>
      (matchers.find(matcher => matcher.name === name)?.lists?.(options) ?? []).map(one => ({ ...one, at: [...at, name, ...one.at] })),
    )
  }
  return Object.entries(value).flatMap(([key, item]) => usesOfMatches(item, [...at, key]))
}

function isMatch(value: object): value is { rules: readonly MatcherUse[] } {
  const { rules, when } = value as { rules?: unknown; when?: unknown }
  return Array.isArray(rules) && when !== undefined
}

/** The path as it is in the file: one value stands for a list of one. Filters of all routes stand in front of each one's own here, and elsewhere in the file. */
function written(raw: unknown, at: ConfigPath): ConfigPath {
  const [, , list, index, ...rest] = at
  if (at[0] !== "routes" || list !== "filters" || typeof index !== "number") return asWritten(raw, at)
  const shared = valueAt(raw, ["filters"])
  const sharedCount = Array.isArray(shared) ? shared.length : 0
  const front = at.slice(0, 3)
  const there = index < sharedCount ? ["filters", index] : [...front, index - sharedCount]
  return [...front, index, ...asWritten(raw, [...there, ...rest]).slice(there.length)]
}

function asWritten(raw: unknown, at: ConfigPath): ConfigPath {
  const out: (string | number)[] = []
  for (const key of at) if (typeof key === "string" || Array.isArray(valueAt(raw, out))) out.push(key)
  return out
}

function mapAt(raw: unknown, at: ConfigPath): Record<string, unknown> {
  const value = valueAt(raw, at)
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
