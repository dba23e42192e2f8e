import { formatDuration, KeyedTable, KIND_METER, type SharedTime, type TableShape } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import { SlidingWindow } from "../keyed/meter.ts"
import { statusTest } from "../keyed/status-list.ts"
import type { BanCause, BanOptions } from "./ban-options.ts"

/** Counts what exchanges end with, by key, for one cause of a ban. */
export class Strikes {
  /** Why a key is banned. */
  readonly reason: string
  private readonly cause: BanCause
  private readonly hasStatus: (status: number) => boolean
  private readonly table: KeyedTable
  private readonly window: SlidingWindow
  private readonly time: SharedTime

  /** Equal causes of one zone count together. */
  constructor(cause: BanCause, { zone, key, bansMax }: BanOptions, time: SharedTime, deps: Pick<FilterDeps, "shared">) {
    const { status, fault, times, per } = cause
    const shape: TableShape = { keysMax: Math.min(4_000_000, bansMax * 10), valueWords: 16, kind: KIND_METER }
    const what = String(status ?? fault)
    this.table = new KeyedTable(deps.shared(`bans/${zone}/strikes/${key}/${what}/${per}`, KeyedTable.bytes(shape)), shape)
    this.window = new SlidingWindow(this.table, Infinity, per)
    this.cause = cause
    this.hasStatus = statusTest(status ?? [])
    this.time = time
    this.reason = `${times} times ${(status ?? fault ?? []).join(", ")} in ${formatDuration(per)}`
  }

  /** The exchange is over; true = it was one too many. */
  count(x: Exchange, key: string): boolean {
    const { status, fault, times } = this.cause
    const is = status === null ? x.fault !== null && fault!.includes(x.fault.code) : this.hasStatus(x.status) && (x.headSent || !x.gone)
    if (!is) return false
    const { table, window } = this
    const base = table.enter(key)
    const before = window.usedAt(base, this.time.now())
    window.add(base, 1)
    // Whoever is banned begins anew afterwards.
    const enough = before + 1 >= times - 1e-6
    if (enough) table.drop()
    table.leave()
    return enough
  }
}
