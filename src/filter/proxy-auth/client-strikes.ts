import { KeyedTable, KIND_METER, SharedTime, type TableShape } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { FilterDeps } from "../../plugin/index.ts"
import { clientKey } from "../keyed/client-key.ts"
import { SlidingWindow } from "../keyed/meter.ts"

const CLIENTS_MAX = 10_000

/** Wrong credentials by client, over all workers and connections: an IPv4 address, or an IPv6 network of 64 bits. */
export class ClientStrikes {
  private readonly max: number
  private readonly table: KeyedTable
  private readonly window: SlidingWindow
  private readonly time: SharedTime
  /** Milliseconds until a client that was refused may try again. */
  retryMs = 0

  constructor(max: number, perMs: number, deps: Pick<FilterDeps, "place" | "shared" | "time">) {
    const shape: TableShape = { keysMax: CLIENTS_MAX, valueWords: 16, kind: KIND_METER }
    this.table = new KeyedTable(deps.shared(`${deps.place}/strikes`, KeyedTable.bytes(shape)), shape)
    this.window = new SlidingWindow(this.table, max, perMs)
    this.time = new SharedTime(deps.time.clock)
    this.max = max
  }

  count({ clientAddress }: Exchange): void {
    const base = this.table.enter(clientKey(clientAddress))
    this.window.usedAt(base, this.time.now())
    this.window.add(base, 1)
    this.table.leave()
  }

  isSpent({ clientAddress }: Exchange): boolean {
    const base = this.table.find(clientKey(clientAddress))
    const used = base === -1 ? 0 : this.window.usedAt(base, this.time.now())
    this.table.leave()
    return used > this.max - 1e-6
  }
}
