// HOT
import type { Exchange, ListenerInfo } from "../flow/index.ts"
import type { Match } from "../plugin/index.ts"
import { type Condition, traceRoutes, type Visit } from "./trace.ts"
import { HASH_SEED, hashStep, keyHash, type KeyTable } from "./key-table.ts"
import { otherReadings } from "./other-readings.ts"

/** No route matches. */
export const NO_ROUTE = -1
/** A route must not guess what an encoded slash means: answer FAULT.ambiguousPath. */
export const REFUSE_PATH = -2

const DOT = 0x2e
const SLASH = 0x2f

/** Bucket holds exact paths; bucket holds prefixes. */
export const HAS_EXACT = 1
export const HAS_PREFIX = 2

/**
 * The compiled form of all routes. A route lies in one list for each pair of a host and a path that it names; two hashes lead there:
 *
 *   (listener, host)  → bucket     by host table, or anyHost[listener slot]
 *   (bucket, path)    → list       by path table, or bucketAny[bucket] for routes without an indexed path
 *   list              → entries[listFrom[list] .. listFrom[list + 1])   route numbers, ascending
 */
export interface TableParts {
  readonly routes: number
  /** Conditions of each route that its list does not stand for. */
  readonly residuals: readonly (readonly Match[])[]
  /** All conditions of each route, for explain. */
  readonly conditions: readonly (readonly Condition[])[]
  /** 1 = refuses encoded slashes. */
  readonly refuses: Uint8Array
  /** 1 = has a path rule. */
  readonly pathRules: Uint8Array
  /** Slots from 1; slot 0 = routes for every listener. */
  readonly listenerSlots: ReadonlyMap<string, number>
  readonly hostTable: KeyTable
  /** By slot: 1 = some bucket of it has a host. */
  readonly slotHasHosts: Uint8Array
  /** By slot: the bucket of routes for every host, or -1. */
  readonly anyHost: Int32Array
  /** Slot * 2, and 1 more for the names below the host. */
  readonly bucketKey: Int32Array
  readonly bucketHost: readonly string[]
  /** The lowest route number in the bucket. */
  readonly bucketFirst: Int32Array
  readonly bucketAny: Int32Array
  readonly bucketHas: Uint8Array
  readonly pathTable: KeyTable
  /** Bucket * 2, and 1 more for prefixes. */
  readonly listKey: Int32Array
  readonly listPath: readonly string[]
  readonly listFrom: Int32Array
  readonly entries: Int32Array
  /** Segments of the deepest prefix. */
  readonly prefixDepthMax: number
  /** Octets of the longest exact path, -1 = there is none. */
  readonly exactLengthMax: number
}

/** Finds the first route that matches, in the order of the config, without allocation. One per worker: a look-up uses its scratch fields. */
export class RouteTable {
  private readonly parts: TableParts
  // scratch of one look-up
  private best = 0
  private refusingOnly = false
  private isHashed = false
  private exactHash = 0
  private prefixCount = 0
  private readonly prefixHashes: Int32Array
  private readonly prefixEnds: Int32Array
  // the slot of the listener that asked last
  private lastListener: ListenerInfo | null = null
  private lastSlot = 0

  constructor(parts: TableParts) {
    this.parts = parts
    this.prefixHashes = new Int32Array(parts.prefixDepthMax + 1)
    this.prefixEnds = new Int32Array(parts.prefixDepthMax + 1)
  }

  /** The number of routes. */
  get size(): number {
    return this.parts.routes
  }

  /** Whether the route looks at the path, so that it refuses encoded slashes by default. */
  hasPathRule(index: number): boolean {
    return this.parts.pathRules[index] === 1
  }

  /**
   * The index of the first route that matches, NO_ROUTE, or REFUSE_PATH.
   *
   * A path with an encoded slash or backslash has several readings: the one in which they are data, which is `x.rulePath`, and those in which
   * a server behind decodes them and splits the path there. A route that refuses encoded slashes (the default of routes with a path rule) says
   * REFUSE_PATH when it matches in any reading and no route before it has won. All others see the first reading alone.
   */
  find(x: Exchange): number {
    const { routes } = this.parts
    const found = this.search(x, routes, false)
    if (x.encodedSlash && this.isRefused(x, found)) return REFUSE_PATH
    return found < routes ? found : NO_ROUTE
  }

  /** Visits every route in order and says why it failed or won; returns what `find` returns. For explain. */
  trace(x: Exchange, visit: Visit): number {
    return traceRoutes(this.parts.conditions, this.parts.refuses, x, visit)
  }

  /** Encoded slashes are rare enough to pay for their readings as strings. */
  private isRefused(x: Exchange, found: number): boolean {
    if (found < this.parts.routes && this.parts.refuses[found] === 1) return true
    const { rulePath } = x
    const readings = otherReadings(x.path)
    let refused = false
    for (let i = 0; i < readings.length && !refused; i++) {
      x.rulePath = readings[i]!
      refused = this.search(x, found, true) < found
    }
    x.rulePath = rulePath
    return refused
  }

  /** The lowest matching route below `limit`, or `limit`. */
  private search(x: Exchange, limit: number, refusingOnly: boolean): number {
    this.best = limit
    this.refusingOnly = refusingOnly
    this.isHashed = false
    const slot = x.listener === this.lastListener ? this.lastSlot : this.findSlot(x.listener)
    if (slot > 0) this.searchHosts(x, slot)
    this.searchHosts(x, 0)
    return this.best
  }

  private findSlot(listener: ListenerInfo | null): number {
    this.lastListener = listener
    this.lastSlot = listener === null ? 0 : (this.parts.listenerSlots.get(listener.name) ?? 0)
    return this.lastSlot
  }

  /** From the last character of the host to the first: every dot on the way ends a suffix that a wildcard may name. */
  private searchHosts(x: Exchange, slot: number): void {
    const bucket = this.parts.anyHost[slot]!
    if (bucket >= 0) this.searchBucket(x, bucket)
    if (this.parts.slotHasHosts[slot] === 0) return
    const { host } = x
    let hash = HASH_SEED
    for (let i = host.length - 1; i >= 0; i--) {
      const code = host.charCodeAt(i)
      if (code === DOT && i > 0) this.searchHost(x, slot * 2 + 1, hash, i + 1)
      hash = hashStep(hash, code)
    }
    this.searchHost(x, slot * 2, hash, 0)
  }

  /** The bucket of x.host from `start` on. */
  private searchHost(x: Exchange, key: number, hash: number, start: number): void {
    const { hostTable, bucketKey, bucketHost } = this.parts
    const wanted = keyHash(hash, key)
    for (let slot = hostTable.first(wanted); slot >= 0; slot = hostTable.next(wanted, slot)) {
      const bucket = hostTable.valueAt(slot)
      const host = bucketHost[bucket]!
      if (bucketKey[bucket] !== key || host.length !== x.host.length - start || !x.host.endsWith(host)) continue
      this.searchBucket(x, bucket)
      return
    }
  }

  private searchBucket(x: Exchange, bucket: number): void {
    const { bucketFirst, bucketAny, bucketHas } = this.parts
    if (bucketFirst[bucket]! >= this.best) return
    const list = bucketAny[bucket]!
    if (list >= 0) this.searchList(x, list)
    const has = bucketHas[bucket]!
    if (has === 0) return
    if (!this.isHashed) this.hashPath(x.rulePath)
    if ((has & HAS_EXACT) !== 0 && x.rulePath.length <= this.parts.exactLengthMax) this.searchPath(x, bucket * 2, this.exactHash, x.rulePath.length)
    if ((has & HAS_PREFIX) === 0) return
    for (let i = 0; i < this.prefixCount; i++) this.searchPath(x, bucket * 2 + 1, this.prefixHashes[i]!, this.prefixEnds[i]!)
  }

  /** The list of x.rulePath up to `end`. */
  private searchPath(x: Exchange, key: number, hash: number, end: number): void {
    const { pathTable, listKey, listPath } = this.parts
    const wanted = keyHash(hash, key)
    for (let slot = pathTable.first(wanted); slot >= 0; slot = pathTable.next(wanted, slot)) {
      const list = pathTable.valueAt(slot)
      const path = listPath[list]!
      if (listKey[list] !== key || path.length !== end || !x.rulePath.startsWith(path)) continue
      this.searchList(x, list)
      return
    }
  }

  private searchList(x: Exchange, list: number): void {
    const { listFrom, entries, refuses } = this.parts
    const end = listFrom[list + 1]!
    for (let i = listFrom[list]!; i < end; i++) {
      const route = entries[i]!
      if (route >= this.best) return
      if ((this.refusingOnly && refuses[route] === 0) || !this.residualHolds(x, route)) continue
      this.best = route
      return
    }
  }

  private residualHolds(x: Exchange, route: number): boolean {
    const matches = this.parts.residuals[route]!
    for (let i = 0; i < matches.length; i++) if (!matches[i]!(x)) return false
    return true
  }

  /** Hashes of every prefix that ends before a slash or at the end, as far as routes have prefixes, and of the whole path when one could be that long. */
  private hashPath(path: string): void {
    const { prefixDepthMax, exactLengthMax } = this.parts
    this.isHashed = true
    this.prefixCount = 0
    this.exactHash = HASH_SEED
    if (path.charCodeAt(0) !== SLASH) return
    const { length } = path
    let hash = HASH_SEED
    for (let i = 0; i < length; i++) {
      const code = path.charCodeAt(i)
      if (code === SLASH) this.addPrefix(hash, i)
      if (this.prefixCount > prefixDepthMax && length > exactLengthMax) return
      hash = hashStep(hash, code)
    }
    this.addPrefix(hash, length)
    this.exactHash = hash
  }

  private addPrefix(hash: number, end: number): void {
    if (this.prefixCount > this.parts.prefixDepthMax) return
    this.prefixHashes[this.prefixCount] = hash
    this.prefixEnds[this.prefixCount] = end
    this.prefixCount++
  }
}
