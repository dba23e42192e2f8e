// HOT
import type { StoreMemory } from "./layout.ts"
import { THREADS_USED } from "./layout.ts"

/**
 * Who holds which entry. Each thread counts in a row of its own, so that holding an entry costs no other thread a cache line, and so that what a dead
 * thread held is known to the last one.
 *
 * A reader counts first and looks then whether the entry is (still) the one it meant; who removes an entry takes its LIVE bit first and looks then
 * whether anybody counts it. Both steps are atomic operations, so at least one of the two sees the other.
 */
export class Pins {
  private readonly control: Int32Array
  private readonly rows: readonly Int32Array[]
  private readonly mine: Int32Array
  private readonly self: number

  constructor(memory: StoreMemory) {
    this.control = memory.control
    this.rows = memory.pins
    this.self = memory.self
    this.mine = memory.pins[memory.self]!
  }

  pin(slot: number): void {
    Atomics.add(this.mine, slot, 1)
  }

  /** True = this thread does not hold it any more. */
  unpin(slot: number): boolean {
    return Atomics.sub(this.mine, slot, 1) === 1
  }

  held(slot: number): boolean {
    const threads = this.control[THREADS_USED]!
    for (let thread = 0; thread < threads; thread++) if (Atomics.load(this.rows[thread]!, slot) !== 0) return true
    return false
  }

  heldByOthers(slot: number): boolean {
    const threads = this.control[THREADS_USED]!
    for (let thread = 0; thread < threads; thread++) {
      if (thread !== this.self && Atomics.load(this.rows[thread]!, slot) !== 0) return true
    }
    return false
  }

  /** Forgets what a thread held that is dead. */
  forget(thread: number, slot: number): void {
    // pages of the row that were never written stay so
    if (Atomics.load(this.rows[thread]!, slot) !== 0) Atomics.store(this.rows[thread]!, slot, 0)
  }
}
