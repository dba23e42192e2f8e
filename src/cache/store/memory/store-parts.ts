// HOT
import { Bells } from "./bells.ts"
import { Chains } from "./chains.ts"
import { Ghosts } from "./ghosts.ts"
import { Keeping } from "./keeping.ts"
import { ENTRY_SHIFT, FLAGS, LIVE, REFUSED, RETIRED, type SharedMemoryStore, SLOTS_TOUCHED, StoreMemory, SWEEP_LEFT, USED } from "./layout.ts"
import { Octets } from "./octets.ts"
import { Pins } from "./pins.ts"
import { Queues } from "./queues.ts"
import { Space } from "./space.ts"
import { StoreLock } from "./store-lock.ts"

/** The parts of a store as one thread has them. */
export class StoreParts {
  readonly memory: StoreMemory
  readonly lock: StoreLock
  readonly space: Space
  readonly octets: Octets
  readonly chains: Chains
  readonly queues: Queues
  readonly ghosts: Ghosts
  readonly pins: Pins
  readonly bells: Bells
  readonly keeping: Keeping

  constructor(shared: SharedMemoryStore, self: number) {
    const memory = new StoreMemory(shared, self)
    this.memory = memory
    this.lock = new StoreLock(memory)
    this.space = new Space(memory)
    this.octets = new Octets(memory)
    this.chains = new Chains(memory, this.octets)
    this.queues = new Queues(memory)
    this.ghosts = new Ghosts(memory)
    this.pins = new Pins(memory)
    this.bells = new Bells(memory)
    this.keeping = new Keeping(this)
  }

  get retired(): boolean {
    return this.memory.control[RETIRED] !== 0
  }

  /** Lets go of an entry that this thread holds. Whoever lets go last of one that was dropped frees it. */
  unpin(slot: number): void {
    if (!this.pins.unpin(slot)) return
    if ((Atomics.load(this.memory.entries, (slot << ENTRY_SHIFT) + FLAGS) & (USED | LIVE)) === USED) this.freeUnheld(slot)
  }

  /** Leaves what could not be done now to those who have the lock later. */
  askForSweep(): void {
    const { control } = this.memory
    Atomics.store(control, SWEEP_LEFT, control[SLOTS_TOUCHED]!)
  }

  refuse(reason: number): void {
    Atomics.add(this.memory.control, REFUSED + reason, 1)
  }

  private freeUnheld(slot: number): void {
    if (!this.lock.take()) {
      this.askForSweep()
      return
    }
    this.keeping.freeUnheld(slot)
    this.lock.release()
  }
}
