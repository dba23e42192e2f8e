// HOT
import { GHOST_CLOCK, type StoreMemory } from "./layout.ts"

const WAYS = 4

/**
 * Remembers hashes of entries that were evicted from the small queue, as long as about as many octets again were evicted as the main queue has.
 * Sets of four, each a hash and the clock (units evicted so far) of its eviction; a new one takes the place of the oldest. Under the lock.
 */
export class Ghosts {
  private readonly control: Int32Array
  private readonly ghosts: Int32Array
  private readonly mask: number
  private readonly ageMax: number

  constructor(memory: StoreMemory) {
    this.control = memory.control
    this.ghosts = memory.ghosts
    this.mask = memory.ghosts.length / (2 * WAYS) - 1
    this.ageMax = Math.floor(memory.shared.units * 0.9)
  }

  add(hash: number, units: number): void {
    const { control, ghosts } = this
    const clock = (control[GHOST_CLOCK]! + units) | 0
    control[GHOST_CLOCK] = clock
    const set = (hash & this.mask) * WAYS * 2
    let oldest = set
    for (let at = set; at < set + WAYS * 2; at += 2) {
      if (ghosts[at] === (hash | 0)) oldest = at
      if (ghosts[oldest] === (hash | 0)) continue
      if (((clock - ghosts[at + 1]!) | 0) > ((clock - ghosts[oldest + 1]!) | 0)) oldest = at
    }
    ghosts[oldest] = hash | 0
    ghosts[oldest + 1] = clock
  }

  /** Whether the hash is remembered; it is not any more afterwards. */
  take(hash: number): boolean {
    const { ghosts } = this
    const set = (hash & this.mask) * WAYS * 2
    for (let at = set; at < set + WAYS * 2; at += 2) {
      if (ghosts[at] !== (hash | 0)) continue
      ghosts[at] = 0
      const age = (this.control[GHOST_CLOCK]! - ghosts[at + 1]!) | 0
      return age >= 0 && age <= this.ageMax
    }
    return false
  }
}
