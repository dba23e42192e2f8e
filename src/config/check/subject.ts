import { sentence } from "../issue-sentence.ts"
import { filters } from "../features.gen.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import { shareFilters } from "../shared-filters.ts"
import { resolvePaths } from "../resolve-paths.ts"
import { type Config, configSchema } from "../schema.ts"

/** What the checks look at: as much of the config as the schema accepts, so that one slip does not hide another. */
export interface Subject {
  readonly config: Config
  /** What is written, whether valid or not: a cluster with a typo inside is no unknown cluster. */
  readonly declared: { readonly listeners: ReadonlySet<string>; readonly clusters: ReadonlySet<string>; readonly caches: ReadonlySet<string> }
  /** Index in `routes:` of each route of `config`; some may be missing. */
  readonly routeIndex: readonly number[]
  /** Nothing was left out. */
  readonly whole: boolean
  readonly raw: unknown
  /** Relative paths in the options of features count from here; all others in `config` are absolute already. */
  readonly baseDir: string
}

export type Check = (subject: Subject) => Finding[]

export function wholeSubject(config: Config, raw: unknown, baseDir: string): Subject {
  const declared = { listeners: keysOf(raw, "listeners"), clusters: keysOf(raw, "clusters"), caches: keysOf(raw, "caches") }
  return { config, declared, routeIndex: config.routes.map((_, index) => index), whole: true, raw, baseDir }
}

/** The valid parts of a config that is not valid: entry by entry of the named sections and the routes, everything else section by section. */
export function partialSubject(raw: unknown, baseDir: string): Subject {
  const sections = Object.entries(configSchema.shape).flatMap(([section, schema]): [string, unknown][] => {
    const content = valueAt(raw, [section])
    if (section === "routes") return [[section, []]]
    if (section === "listeners" || section === "clusters" || section === "caches" || section === "lists")
      return [[section, validEntries(section, content)]]
    const result = schema.safeParse(content, { error: sentence })
    return [[section, result.success ? result.data : schema.parse(undefined)]]
  })
  const { routes, routeIndex } = validRoutes(valueAt(raw, ["routes"]))
  const config = resolvePaths(shareFilters({ ...(Object.fromEntries(sections) as Config), routes }), baseDir)
  return { ...wholeSubject(config, raw, baseDir), routeIndex, whole: false }
}

function validEntries(section: "listeners" | "clusters" | "caches" | "lists", content: unknown): Record<string, unknown> {
  const schema = configSchema.shape[section]
  const entries = [...keysOf({ [section]: content }, section)].flatMap((name): [string, unknown][] => {
    const result = schema.safeParse(Object.fromEntries([[name, valueAt(content, [name])]]), { error: sentence })
    return result.success ? [[name, Object.values(result.data)[0]]] : []
  })
  return Object.fromEntries(entries)
}

function validRoutes(content: unknown): { routes: Config["routes"]; routeIndex: number[] } {
  const routes: Config["routes"] = []
  const routeIndex: number[] = []
  for (const [index, entry] of (Array.isArray(content) ? content : []).entries()) {
    const result = configSchema.shape.routes.safeParse([entry], { error: sentence })
    if (!result.success) continue
    const name = valueAt(entry, ["name"]) === undefined ? `route-${index + 1}` : result.data[0]!.name
    routes.push({ ...result.data[0]!, name })
    routeIndex.push(index)
  }
  return { routes, routeIndex }
}

function keysOf(raw: unknown, section: string): ReadonlySet<string> {
  const content = valueAt(raw, [section])
  return new Set(typeof content === "object" && content !== null && !Array.isArray(content) ? Object.keys(content) : [])
}

type Extra = Pick<Finding, "expected" | "suggestion">

export function error(path: ConfigPath, message: string, extra: Extra = {}): Finding {
  return { severity: "error", path, part: "value", message, ...extra }
}

export function warning(path: ConfigPath, message: string, part: "key" | "value" = "value"): Finding {
  return { severity: "warning", path, part, message }
}

/** A route as messages name it. */
export function routeWord(subject: Subject, position: number): string {
  return `routes[${subject.routeIndex[position]}] (${subject.config.routes[position]!.name})`
}

/** The clusters that a route's requests go to or through, each with the keys that lead there from the route. */
export function clustersOf({ to }: Config["routes"][number]): readonly { readonly name: string; readonly at: ConfigPath }[] {
  if (to.kind === "cluster") return [{ name: to.cluster, at: ["to", "cluster"] }]
  if (to.kind === "split") return to.split.arms.map(({ cluster }, i) => ({ name: cluster, at: ["to", "split", "arms", i, "cluster"] }))
  return to.kind === "origin" && to.via !== null ? [{ name: to.via, at: ["to", "origin", "via"] }] : []
}

/** The clusters that filters of a route send requests of their own to. */
export function filterClustersOf({ filters: uses }: Config["routes"][number]): readonly { readonly name: string; readonly at: ConfigPath }[] {
  return uses.flatMap((use, i) => {
    const named = use.inline === null ? (filters.find(filter => filter.name === use.name)?.clusters?.(use.options) ?? []) : []
    return named.map(({ name, at }) => ({ name, at: ["filters", i, use.name, ...at] }))
  })
}

/** The clusters that log-ins of forward clients send requests of their own to, each with the keys that lead there. */
export function loginClustersOf({ listeners }: Config): readonly { readonly name: string; readonly at: ConfigPath }[] {
  const definition = filters.find(filter => filter.name === "proxy-auth")
  return Object.entries(listeners).flatMap(([listener, { forward }]) => {
    const named = forward?.auth ? (definition?.clusters?.(forward.auth) ?? []) : []
    return named.map(({ name, at }) => ({ name, at: ["listeners", listener, "forward", "auth", ...at] }))
  })
}

/** Names of the listeners that a route is for. */
export function listenersOf(subject: Subject, route: Config["routes"][number]): readonly string[] {
  return route.match.listeners.length > 0 ? route.match.listeners : [...subject.declared.listeners]
}
