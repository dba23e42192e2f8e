// HOT
import { BELL_SHIFT, ENTRY_SHIFT, type StoreMemory, THREADS_USED, WATCHERS } from "./layout.ts"

/**
 * Wakes the threads that wait for an entry to change. Who waits sets its bit at the entry first and looks at the entry then; who changes the entry
 * looks at the bits afterwards. Both steps are atomic operations, so at least one of the two sees the other.
 */
export class Bells {
  private readonly control: Int32Array
  private readonly entries: Int32Array
  private readonly bells: Int32Array
  private readonly bit: number
  private readonly own: number

  constructor(memory: StoreMemory) {
    this.control = memory.control
    this.entries = memory.entries
    this.bells = memory.bells
    this.bit = 1 << (memory.self & 31)
    this.own = memory.self << BELL_SHIFT
  }

  /** This thread waits for the entry to change. */
  expect(slot: number): void {
    Atomics.or(this.entries, (slot << ENTRY_SHIFT) + WATCHERS, this.bit)
  }

  /** The entry changed: wakes all who wait, but for one that knows by itself (-1 = nobody does). */
  ring(slot: number, except: number): void {
    const word = (slot << ENTRY_SHIFT) + WATCHERS
    if (Atomics.load(this.entries, word) === 0) return
    const bits = Atomics.exchange(this.entries, word, 0)
    const threads = this.control[THREADS_USED]!
    for (let thread = 0; thread < threads; thread++) {
      if ((bits & (1 << (thread & 31))) === 0 || thread === except) continue
      Atomics.add(this.bells, thread << BELL_SHIFT, 1)
      Atomics.notify(this.bells, thread << BELL_SHIFT)
    }
  }

  /** How often this thread's bell rang. */
  get count(): number {
    return Atomics.load(this.bells, this.own)
  }

  /** Null when the bell rang since it had rung `count` times; else a promise of its next ring. It keeps no thread alive. */
  next(count: number): Promise<unknown> | null {
    const wait = Atomics.waitAsync(this.bells, this.own, count).value
    return typeof wait === "string" ? null : wait
  }
}
