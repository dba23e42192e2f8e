// HOT
import type { KeyedTable, SharedTime } from "../../base/index.ts"
import type { PaceGauge } from "../../flow/index.ts"

/** How late the worker's timer wheel may be: what a rate gave meanwhile is not lost. */
const CREDIT_MS = 200
/** A piece is what goes in so long, within bounds. */
const PIECE_MS = 50
const PIECE_BYTES_MIN = 512
const PIECE_BYTES_MAX = 64 * 1024
/** What was written before the clock was set back holds up nobody for longer. */
const AHEAD_MS_MAX = 600_000

export function pieceOf(bytesPerSecond: number): number {
  return Math.min(Math.max(Math.floor((bytesPerSecond * PIECE_MS) / 1000), PIECE_BYTES_MIN), PIECE_BYTES_MAX)
}

/** The time at which all that went will have been paid for; `before` is what it was, 0 = nothing went yet. */
function dueAfter(before: number, now: number, ms: number): number {
  if (before === 0) return now + ms
  const from = before < now - CREDIT_MS ? now - CREDIT_MS : before > now + AHEAD_MS_MAX ? now + AHEAD_MS_MAX : before
  return from + ms
}

/** The rate of one exchange, or of one connection. */
export class OwnGauge implements PaceGauge {
  readonly pieceBytes: number
  private readonly msPerByte: number
  private readonly time: SharedTime
  private due = 0

  constructor(bytesPerSecond: number, time: SharedTime) {
    this.pieceBytes = pieceOf(bytesPerSecond)
    this.msPerByte = 1000 / bytesPerSecond
    this.time = time
  }

  went(octets: number): number {
    const now = this.time.now()
    this.due = dueAfter(this.due, now, octets * this.msPerByte)
    return this.due - now
  }
}

/** The rate of a key, shared by all exchanges that have it, in all workers. Word 2 and 3 of its entry: the time at which all is paid for. */
export class KeyGauge implements PaceGauge {
  readonly pieceBytes: number
  private readonly msPerByte: number
  private readonly time: SharedTime
  private readonly table: KeyedTable
  private readonly key: string

  constructor(bytesPerSecond: number, time: SharedTime, table: KeyedTable, key: string) {
    this.pieceBytes = pieceOf(bytesPerSecond)
    this.msPerByte = 1000 / bytesPerSecond
    this.time = time
    this.table = table
    this.key = key
  }

  went(octets: number): number {
    const { table } = this
    const now = this.time.now()
    const at = (table.enter(this.key) >> 1) + 1
    const due = dueAfter(table.floats[at]!, now, octets * this.msPerByte)
    table.floats[at] = due
    table.leave()
    return due - now
  }
}
