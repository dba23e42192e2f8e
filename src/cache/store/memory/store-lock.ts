// HOT
import { LOCK, LOCK_FAILURES, NEVER, RETIRED, type StoreMemory } from "./layout.ts"

const SPINS_MAX = 400
/** Sleeps of about 0.1 ms: a holder that the system has put aside needs the processor more than the one that waits. */
const SLEEPS_MAX = 20
const SLEEP_MS = 0.05
/** For a fill, which others wait for: to give it up costs them another fetch. */
const FILL_SLEEPS_MAX = 400
const PATIENT_SLEEPS_MAX = 5000

/**
 * The one lock of a store. The word holds the number of the thread that has it, counted from 1, so that the control thread sees when a dead thread had it.
 * What it guards takes microseconds. Whoever waits too long gives up and leaves its work undone, except for a purge.
 */
export class StoreLock {
  private readonly control: Int32Array
  private readonly mine: number

  constructor(memory: StoreMemory) {
    this.control = memory.control
    this.mine = memory.self + 1
  }

  /** False = it took too long, or the store is retired. */
  take(): boolean {
    return this.takeWithin(SLEEPS_MAX)
  }

  /** As `take`, but waits for some 40 ms: for steps of a fill, which requests of all threads may wait for. */
  takeForFill(): boolean {
    return this.takeWithin(FILL_SLEEPS_MAX)
  }

  /** For what must not be left undone: waits for half a second at least. A store that is held for longer is retired, for its holder does not live. */
  takePatiently(): boolean {
    if (this.control[RETIRED] !== 0) return false
    if (this.wait(PATIENT_SLEEPS_MAX)) return true
    this.retire()
    return false
  }

  /** Nobody gets the lock any more. */
  retire(): void {
    Atomics.store(this.control, RETIRED, 1)
  }

  release(): void {
    Atomics.store(this.control, LOCK, 0)
  }

  /** Number of the thread that has it, -1 = nobody. */
  get holder(): number {
    return Atomics.load(this.control, LOCK) - 1
  }

  private check(): boolean {
    if (Atomics.load(this.control, RETIRED) === 0) return true
    this.release()
    return false
  }

  private takeWithin(sleepsMax: number): boolean {
    const { control } = this
    if (control[RETIRED] !== 0) return false
    if (Atomics.compareExchange(control, LOCK, 0, this.mine) === 0) return this.check()
    return this.wait(sleepsMax)
  }

  private wait(sleepsMax: number): boolean {
    const { control, mine } = this
    for (let tries = 0; tries < SPINS_MAX + sleepsMax; tries++) {
      if (Atomics.load(control, LOCK) === 0 && Atomics.compareExchange(control, LOCK, 0, mine) === 0) return this.check()
      if (control[RETIRED] !== 0) return false
      // this thread was thrown out of what it did under the lock: nobody knows in which state
      if (Atomics.load(control, LOCK) === mine) this.retire()
      if (tries >= SPINS_MAX) Atomics.wait(control, NEVER, 0, SLEEP_MS)
    }
    Atomics.add(control, LOCK_FAILURES, 1)
    return false
  }
}
