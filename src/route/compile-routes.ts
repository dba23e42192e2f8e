import type { Exchange } from "../flow/index.ts"
import type { Match, MatcherDefinition, MatcherDeps } from "../plugin/index.ts"
import { HASH_SEED, hashStep, KeyTable, keyHash } from "./key-table.ts"
import { HOST_ANY, HOST_BELOW, type HostPattern, parseHost } from "./match/host/host-pattern.ts"
import { PATH_PREFIX, parsePath } from "./match/path/path-pattern.ts"
import { listed, type OneOrMore } from "./one-or-more.ts"
import { HAS_EXACT, HAS_PREFIX, RouteTable, type TableParts } from "./table.ts"
import type { Condition } from "./trace.ts"

/** A route as the look-up sees it. Its place in the array is its index. */
export interface RouteInput {
  /** Parsed options by the name of their matcher; {} matches everything. */
  readonly match: Readonly<Record<string, unknown>>
  /** A predicate of a TypeScript config, tested last. It must not change the exchange. */
  readonly when?: Match | null
  /** What happens to paths with encoded slashes or backslashes; default: refuse when there is a path rule, else allow. */
  readonly encodedSlashes?: "refuse" | "allow"
}

/** Beyond this many pairs of host and path a route is listed by its hosts alone, and its paths are tested one after the other. */
const PAIRS_MAX = 4096

const anyHost: HostPattern = { kind: HOST_ANY, host: "" }

/** An indexed path; null = any path, or paths that are tested in the residual. */
interface PathKey {
  readonly path: string
  readonly isPrefix: boolean
}

/** Compiles all routes of a config. `matchers` are the definitions that the routes may name. */
export function compileRoutes(routes: readonly RouteInput[], matchers: readonly MatcherDefinition<unknown>[], deps?: MatcherDeps): RouteTable {
  const byName = new Map(matchers.map(matcher => [matcher.name, matcher]))
  const builder = new TableBuilder()
  for (const route of routes) builder.add(route, conditionsOf(route, byName, deps))
  return new RouteTable(builder.parts())
}

function conditionsOf(route: RouteInput, matchers: ReadonlyMap<string, MatcherDefinition<unknown>>, deps?: MatcherDeps): Condition[] {
  const conditions = Object.entries(route.match)
    .filter(([, options]) => options !== undefined)
    .map(([name, options]): Condition => {
      const matcher = matchers.get(name)
      if (matcher === undefined) throw new Error(`there is no matcher "${name}"; expected one of ${[...matchers.keys()].join(", ")}`)
      const told = { describe: (x: Exchange) => matcher.describe(options, x, deps), found: (x: Exchange) => matcher.found?.(options, x, deps) ?? "" }
      return { name, holds: matcher.compile(options, deps), ...told }
    })
  if (route.when) conditions.push({ name: "when", holds: route.when, describe: () => "the predicate `when` says no" })
  return conditions
}

/** The paths of a route as keys of the index; null when one of them is a pattern, which only its matcher can test. */
function pathKeysOf(options: OneOrMore<string> | undefined): readonly (PathKey | null)[] | null {
  if (options === undefined) return [null]
  const texts = listed(options)
  if (texts.some(text => text.startsWith("~"))) return null
  return texts.map(parsePath).map(({ kind, path }) => ({ path, isPrefix: kind === PATH_PREFIX }))
}

function hostsOf(options: OneOrMore<string> | undefined): readonly HostPattern[] {
  const hosts = options === undefined ? [anyHost] : listed(options).map(parseHost)
  return hosts.some(host => host.kind === HOST_ANY) ? [anyHost] : hosts
}

class TableBuilder {
  private readonly residuals: Match[][] = []
  private readonly conditions: (readonly Condition[])[] = []
  private readonly refuses: number[] = []
  private readonly pathRules: number[] = []
  private readonly listenerSlots = new Map<string, number>()
  private readonly buckets = new Map<string, number>()
  private readonly bucketKey: number[] = []
  private readonly bucketHost: string[] = []
  private readonly bucketFirst: number[] = []
  private readonly bucketIsAny: boolean[] = []
  private readonly bucketAny: number[] = []
  private readonly bucketHas: number[] = []
  private readonly lists = new Map<string, number>()
  private readonly listKey: number[] = []
  private readonly listPath: string[] = []
  private readonly listIsAny: boolean[] = []
  private readonly listRoutes: number[][] = []
  private prefixDepthMax = 0
  private exactLengthMax = -1

  add(route: RouteInput, conditions: readonly Condition[]): void {
    const index = this.residuals.length
    const match = route.match as { listener?: OneOrMore<string>; host?: OneOrMore<string>; path?: OneOrMore<string> }
    const slots = match.listener === undefined ? [0] : listed(match.listener).map(name => this.slotOf(name))
    const hosts = hostsOf(match.host)
    const keys = pathKeysOf(match.path)
    const pathsListed = keys !== null && (keys.length === 1 || hosts.length * keys.length <= PAIRS_MAX)
    for (const slot of slots) {
      for (const host of hosts) {
        const bucket = this.bucketOf(slot, host, index)
        for (const key of pathsListed ? keys : [null]) this.addTo(this.listOf(bucket, key), index)
      }
    }
    const hasPath = match.path !== undefined
    const isListed = new Set(pathsListed ? ["listener", "host", "path"] : ["listener", "host"])
    this.conditions.push(conditions)
    this.residuals.push(conditions.filter(condition => !isListed.has(condition.name)).map(condition => condition.holds))
    this.pathRules.push(hasPath ? 1 : 0)
    this.refuses.push((route.encodedSlashes ?? (hasPath ? "refuse" : "allow")) === "refuse" ? 1 : 0)
  }

  parts(): TableParts {
    const slots = this.listenerSlots.size + 1
    const anyHost = new Int32Array(slots).fill(-1)
    const slotHasHosts = new Uint8Array(slots)
    const hostTable = new KeyTable(this.bucketKey.length)
    this.bucketKey.forEach((key, bucket) => {
      if (this.bucketIsAny[bucket]) anyHost[key >> 1] = bucket
      else {
        slotHasHosts[key >> 1] = 1
        hostTable.insert(keyHash(hashBackwards(this.bucketHost[bucket]!), key), bucket)
      }
    })
    const pathTable = new KeyTable(this.listKey.length)
    const listFrom = new Int32Array(this.listRoutes.length + 1)
    this.listRoutes.forEach((routes, list) => {
      listFrom[list + 1] = listFrom[list]! + routes.length
      if (!this.listIsAny[list]) pathTable.insert(keyHash(hashForwards(this.listPath[list]!), this.listKey[list]!), list)
    })
    return {
      routes: this.residuals.length,
      residuals: this.residuals,
      conditions: this.conditions,
      refuses: Uint8Array.from(this.refuses),
      pathRules: Uint8Array.from(this.pathRules),
      listenerSlots: this.listenerSlots,
      hostTable,
      slotHasHosts,
      anyHost,
      bucketKey: Int32Array.from(this.bucketKey),
      bucketHost: this.bucketHost,
      bucketFirst: Int32Array.from(this.bucketFirst),
      bucketAny: Int32Array.from(this.bucketAny),
      bucketHas: Uint8Array.from(this.bucketHas),
      pathTable,
      listKey: Int32Array.from(this.listKey),
      listPath: this.listPath,
      listFrom,
      entries: Int32Array.from(this.listRoutes.flat()),
      prefixDepthMax: this.prefixDepthMax,
      exactLengthMax: this.exactLengthMax,
    }
  }

  private slotOf(listener: string): number {
    const known = this.listenerSlots.get(listener)
    if (known !== undefined) return known
    this.listenerSlots.set(listener, this.listenerSlots.size + 1)
    return this.listenerSlots.size
  }

  private bucketOf(slot: number, host: HostPattern, route: number): number {
    const name = `${slot} ${host.kind} ${host.host}`
    const known = this.buckets.get(name)
    if (known !== undefined) return known
    const bucket = this.bucketKey.length
    this.buckets.set(name, bucket)
    this.bucketKey.push(slot * 2 + (host.kind === HOST_BELOW ? 1 : 0))
    this.bucketHost.push(host.host)
    this.bucketIsAny.push(host.kind === HOST_ANY)
    this.bucketFirst.push(route)
    this.bucketAny.push(-1)
    this.bucketHas.push(0)
    return bucket
  }

  private listOf(bucket: number, key: PathKey | null): number {
    const name = key === null ? `${bucket}` : `${bucket} ${key.isPrefix ? "prefix" : "exact"} ${key.path}`
    const known = this.lists.get(name)
    if (known !== undefined) return known
    const list = this.listKey.length
    this.lists.set(name, list)
    this.listKey.push(bucket * 2 + (key?.isPrefix ? 1 : 0))
    this.listPath.push(key?.path ?? "")
    this.listIsAny.push(key === null)
    this.listRoutes.push([])
    if (key === null) this.bucketAny[bucket] = list
    else this.noteKey(bucket, key)
    return list
  }

  private noteKey(bucket: number, { path, isPrefix }: PathKey): void {
    this.bucketHas[bucket]! |= isPrefix ? HAS_PREFIX : HAS_EXACT
    if (isPrefix) this.prefixDepthMax = Math.max(this.prefixDepthMax, path.split("/").length - 1)
    else this.exactLengthMax = Math.max(this.exactLengthMax, path.length)
  }

  /** Routes come in order, so each list is sorted; a route that names a key twice is in it once. */
  private addTo(list: number, route: number): void {
    const routes = this.listRoutes[list]!
    if (routes[routes.length - 1] !== route) routes.push(route)
  }
}

function hashForwards(text: string): number {
  let hash = HASH_SEED
  for (let i = 0; i < text.length; i++) hash = hashStep(hash, text.charCodeAt(i))
  return hash
}

function hashBackwards(text: string): number {
  let hash = HASH_SEED
  for (let i = text.length - 1; i >= 0; i--) hash = hashStep(hash, text.charCodeAt(i))
  return hash
}
