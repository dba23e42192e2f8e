// HOT
import { formatDuration, KeyedTable, KIND_METER, type SharedTime, type TableShape } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import { compileKey, type LimitKey } from "../keyed/limit-key.ts"
import { FixedWindow, type Meter, OVER, SlidingWindow, TokenBucket } from "../keyed/meter.ts"
import type { LimitOptions } from "./rate-limit-options.ts"

/** No key looks like it. */
const NO_KEY = "\0"

/** What a limit is built with besides its own options. */
export interface LimitParts {
  /** What a request counts. */
  readonly cost: number
  /** Its memory's name when it has no zone. */
  readonly place: string
  readonly time: SharedTime
  readonly deps: Pick<FilterDeps, "shared" | "slot">
  readonly evictions: { add(n: number): void }
}

/** One limit of a filter: where it counts, by what, and how much. */
export class Limit {
  readonly options: LimitOptions
  /** Name in RateLimit fields. */
  readonly name: string
  /** Milliseconds after which a refused request may come again; of the last `take`. */
  retryMs = 0
  private readonly key: LimitKey
  private readonly table: KeyedTable
  private readonly meter: Meter
  private readonly time: SharedTime
  private readonly cost: number
  /** Stands for all requests that have no key; "" = they are not limited. */
  private readonly emptyKey: string
  private readonly evictions: { add(n: number): void }
  // Slots of what is left and of the seconds until all is there again, for the fields of the answer.
  private readonly leftSlot: number
  private readonly resetSlot: number

  constructor(options: LimitOptions, { cost, place, time, deps, evictions }: LimitParts) {
    this.options = options
    this.name = options.name ?? formatDuration(options.per)
    this.key = compileKey(options.key)
    this.cost = cost
    this.emptyKey = options.withoutKey === "limit" ? NO_KEY : ""
    this.time = time
    this.evictions = evictions
    const shape: TableShape = { keysMax: options.keysMax, valueWords: 16, kind: KIND_METER }
    const zone = options.zone === null ? place : `rate-limit/${options.zone}`
    // Words mean another thing where period or algorithm are others: those count for themselves, and anew after a reload that changes them.
    this.table = new KeyedTable(deps.shared(`${zone}/${options.algorithm}/${options.per}`, KeyedTable.bytes(shape)), shape)
    this.meter = meterOf(this.table, options)
    this.leftSlot = deps.slot()
    this.resetSlot = deps.slot()
  }

  /** What the meter says of this request: 0, milliseconds to wait, or OVER. A request without a key is not limited. */
  take(x: Exchange): number {
    const key = this.keyOf(x)
    if (key === "") return 0
    const { table, meter } = this
    const base = table.enter(key)
    const verdict = meter.take(base, this.time.now(), this.cost)
    table.leave()
    if (table.evicted > 0) this.countEvicted()
    x.slots[this.leftSlot] = meter.remaining
    x.slots[this.resetSlot] = Math.ceil(meter.resetMs / 1000)
    if (verdict === OVER) this.retryMs = meter.retryMs
    return verdict
  }

  /** Undoes `take` for a request that another limit refuses. */
  giveBack(x: Exchange): void {
    const key = this.keyOf(x)
    if (key === "") return
    const base = this.table.find(key)
    if (base !== -1) this.meter.giveBack(base, this.cost)
    this.table.leave()
  }

  /** What is left for this client, -1 = the request was not looked at. */
  leftOf(x: Exchange): number {
    const left = x.slots[this.leftSlot]
    return left === undefined ? -1 : (left as number)
  }

  /** Seconds until all is there again. */
  resetOf(x: Exchange): number {
    return x.slots[this.resetSlot] as number
  }

  private keyOf(x: Exchange): string {
    const key = this.key.of(x)
    return key === "" ? this.emptyKey : key
  }

  private countEvicted(): void {
    this.evictions.add(this.table.evicted)
    this.table.evicted = 0
  }
}

function meterOf(table: KeyedTable, { algorithm, requests, per, burst, delay }: LimitOptions): Meter {
  if (algorithm === "token-bucket") return new TokenBucket(table, { amount: requests, perMs: per, capacity: burst, delayMs: delay ?? 0 })
  return algorithm === "fixed-window" ? new FixedWindow(table, requests, per) : new SlidingWindow(table, requests, per)
}
