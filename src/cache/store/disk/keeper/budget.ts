import { assert } from "../../../../base/index.ts"
import type { SharedState } from "../shared-state.ts"

/** What the entries take, and what is set aside for those being written: together never over the limits. */
export class Budget {
  /** Octets of the entries in the two queues. */
  readonly bytes: [number, number] = [0, 0]
  entries = 0
  /** Octets set aside for writers. */
  reserved = 0
  writers = 0
  readonly bytesMax: number
  readonly entriesMax: number

  constructor(bytesMax: number, entriesMax: number) {
    this.bytesMax = bytesMax
    this.entriesMax = entriesMax
  }

  get used(): number {
    return this.bytes[0] + this.bytes[1]
  }

  /** Whether so much more is within the limits. */
  fits(bytes: number, entries: number): boolean {
    return this.used + this.reserved + bytes <= this.bytesMax && this.entries + this.writers + entries <= this.entriesMax
  }

  /** Whether it would be if every entry went. */
  couldFit(bytes: number, entries: number): boolean {
    return this.reserved + bytes <= this.bytesMax && this.writers + entries <= this.entriesMax
  }

  add(queue: 0 | 1, bytes: number): void {
    this.bytes[queue] += bytes
    this.entries++
  }

  take(queue: 0 | 1, bytes: number): void {
    this.bytes[queue] -= bytes
    this.entries--
    assert(this.bytes[queue] >= 0 && this.entries >= 0, "nothing is taken that was not added")
  }

  move(bytes: number, to: 0 | 1): void {
    this.bytes[to] += bytes
    this.bytes[to === 0 ? 1 : 0] -= bytes
  }

  clear(): void {
    this.bytes[0] = 0
    this.bytes[1] = 0
    this.entries = 0
    this.reserved = 0
    this.writers = 0
  }

  /** For `stats` in the control thread. */
  publish(shared: SharedState): void {
    shared.setNumber("entries", this.entries)
    shared.setNumber("bytes", this.used)
    shared.setNumber("reserved", this.reserved)
    shared.setNumber("writers", this.writers)
  }
}
