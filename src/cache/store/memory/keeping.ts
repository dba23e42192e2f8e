// HOT
import { assert } from "../../../base/index.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED } from "../contract.ts"
import type { Bells } from "./bells.ts"
import type { Chains } from "./chains.ts"
import type { Ghosts } from "./ghosts.ts"
import {
  BLOCK,
  CONTENT,
  CONTENT_BYTES,
  COUNT_EVICTED,
  COUNT_PURGED,
  ENTRIES_LIVE,
  ENTRY_SHIFT,
  FLAGS,
  FREQUENCY,
  GENERATION,
  HASH,
  IN_SMALL,
  KEY_BLOCK,
  LIVE,
  MARKED,
  NEXT,
  SLOT_FREE,
  SLOTS_TOUCHED,
  STATE_BITS,
  type StoreMemory,
  SWEEP_AT,
  SWEEP_LEFT,
  UNITS,
  USED,
} from "./layout.ts"
import type { Pins } from "./pins.ts"
import { MAIN, type Queues, SMALL } from "./queues.ts"
import { LARGE_UNITS, NO_UNIT, type Space } from "./space.ts"

/** Entries that are looked at for eviction while the lock is held once. */
export const EVICTION_STEPS_MAX = 128
/** Of these, how many only to have long runs. */
const TIDYING_STEPS_MAX = 32
/** Times the lock is taken to make room for one entry. */
export const ROUNDS_MAX = 64
/** An entry for which more others would have to go is refused. */
const EVICTIONS_MAX = (EVICTION_STEPS_MAX * ROUNDS_MAX) / 2
const SWEEP_STEPS_MAX = 64
/** Uses that lead from the small queue to the main one: one less for small entries, one more for large ones (docs/decisions/0019). */
const USES_FOR_MAIN = 2

interface KeepingParts {
  readonly memory: StoreMemory
  readonly space: Space
  readonly chains: Chains
  readonly queues: Queues
  readonly ghosts: Ghosts
  readonly pins: Pins
  readonly bells: Bells
}

/** How entries come and go: rows and units are taken, made free and evicted. All under the lock. */
export class Keeping {
  private readonly memory: StoreMemory
  private readonly space: Space
  private readonly chains: Chains
  private readonly queues: Queues
  private readonly ghosts: Ghosts
  private readonly pins: Pins
  private readonly bells: Bells
  private readonly tidyUnits: number
  private readonly smallUnits: number

  constructor(parts: KeepingParts) {
    this.memory = parts.memory
    this.space = parts.space
    this.chains = parts.chains
    this.queues = parts.queues
    this.ghosts = parts.ghosts
    this.pins = parts.pins
    this.bells = parts.bells
    this.tidyUnits = parts.memory.shared.units >>> 5
    this.smallUnits = Math.floor(parts.memory.shared.units / 10)
  }

  /** A row that nobody uses, 0 = there is none. */
  takeSlot(): number {
    const { control, entries, shared } = this.memory
    const slot = control[SLOT_FREE]!
    if (slot !== 0) {
      control[SLOT_FREE] = entries[(slot << ENTRY_SHIFT) + NEXT]!
      return slot
    }
    if (control[SLOTS_TOUCHED]! >= shared.entriesMax) return 0
    return ++control[SLOTS_TOUCHED]!
  }

  /** Gives back a row that nothing was made of. */
  giveSlot(slot: number): void {
    const { control, entries } = this.memory
    Atomics.store(entries, (slot << ENTRY_SHIFT) + NEXT, control[SLOT_FREE]!)
    control[SLOT_FREE] = slot
  }

  /** Evicts until one is gone. */
  evictSome(): void {
    const { control } = this.memory
    for (let steps = 0; steps < EVICTION_STEPS_MAX && control[SLOT_FREE] === 0; steps++) if (!this.evictNext()) return
  }

  /** Takes an entry away from those who look for it. Its memory becomes free at once, or when the last one lets go of it. */
  drop(slot: number): void {
    const { entries, control } = this.memory
    const base = slot << ENTRY_SHIFT
    if ((entries[base + FLAGS]! & LIVE) === 0) return
    this.chains.unlink(slot)
    this.queues.remove(slot)
    control[ENTRIES_LIVE]!--
    this.bells.ring(slot, -1)
    this.freeUnheld(slot)
  }

  /** Purges an entry: a complete one is marked, if that is asked for, everything else is dropped. False = there was nothing to purge. */
  purge(slot: number, mark: boolean): boolean {
    const { entries, counters } = this.memory
    const base = slot << ENTRY_SHIFT
    const flags = entries[base + FLAGS]!
    const state = flags & STATE_BITS
    if ((flags & LIVE) === 0) return false
    if (mark && state === ENTRY_COMPLETE) Atomics.or(entries, base + FLAGS, MARKED)
    else this.drop(slot)
    if (state === ENTRY_FAILED) return false
    counters[COUNT_PURGED]!++
    return true
  }

  /** Frees an entry that was dropped, unless somebody holds it. */
  freeUnheld(slot: number): void {
    const { entries, counters } = this.memory
    const base = slot << ENTRY_SHIFT
    if ((entries[base + FLAGS]! & (USED | LIVE)) !== USED || this.pins.held(slot)) return
    this.space.freeChain(entries[base + BLOCK]!)
    this.space.freeChain(entries[base + KEY_BLOCK]!)
    counters[CONTENT_BYTES]! -= entries[base + CONTENT]!
    entries[base + BLOCK] = NO_UNIT
    entries[base + KEY_BLOCK] = NO_UNIT
    entries[base + CONTENT] = 0
    entries[base + GENERATION] = (entries[base + GENERATION]! + 1) | 0
    Atomics.store(entries, base + FLAGS, 0)
    this.giveSlot(slot)
  }

  /**
   * A block of `units`, evicting what it takes; `NO_UNIT` = not after `EVICTION_STEPS_MAX` steps. The first `runUnits` of it are one run, what is behind
   * them may be a chain of extents.
   */
  makeBlock(units: number, runUnits: number): number {
    for (let steps = 0; ; steps++) {
      const block = this.isScattered(units, steps) ? NO_UNIT : this.tryBlock(units, runUnits)
      if (block !== NO_UNIT || steps === EVICTION_STEPS_MAX || !this.evictNext()) return block
    }
  }

  /** A chain of at least `unitsMin` units, better `units`, evicting what it takes; `NO_UNIT` = as above. */
  makeChain(units: number, unitsMin: number): number {
    const { space } = this
    for (let steps = 0; steps < EVICTION_STEPS_MAX; steps++) {
      if ((space.unitsFree >= units && !this.isScattered(units, steps)) || !this.evictNext()) break
    }
    const { unitsFree } = space
    return unitsFree < unitsMin ? NO_UNIT : space.allocateChain(Math.min(units, unitsFree))
  }

  /** Whether `units` are free after a bounded number of evictions, going by how large entries are now. */
  isWithinReach(units: number): boolean {
    const { control, shared } = this.memory
    const missing = units - this.space.unitsFree
    if (missing <= 0) return true
    const used = shared.units - this.space.unitsFree
    return missing <= used && missing * control[ENTRIES_LIVE]! <= used * EVICTIONS_MAX
  }

  /** One step of eviction: the oldest entry of a queue goes, or goes on in the main queue. False = there is none. */
  evictNext(): boolean {
    const { queues } = this
    const small = queues.last(SMALL)
    const main = queues.last(MAIN)
    if (small !== 0 && (main === 0 || queues.units(SMALL) > this.smallUnits)) this.ageSmall(small)
    else if (main !== 0) this.ageMain(main)
    else return false
    return true
  }

  /** Looks at some of the rows when a thread could not free what it was the last to hold. */
  sweep(): void {
    const { control } = this.memory
    if (control[SWEEP_LEFT]! <= 0) return
    for (let steps = 0; steps < SWEEP_STEPS_MAX && control[SWEEP_LEFT]! > 0; steps++) {
      if (control[SWEEP_AT]! >= control[SLOTS_TOUCHED]!) control[SWEEP_AT] = 0
      this.sweepSlot(++control[SWEEP_AT]!)
      Atomics.sub(control, SWEEP_LEFT, 1)
    }
  }

  /** Drops a fill that failed and frees what nobody holds. */
  sweepSlot(slot: number): void {
    const flags = this.memory.entries[(slot << ENTRY_SHIFT) + FLAGS]!
    if ((flags & USED) === 0) return
    if ((flags & LIVE) === 0) this.freeUnheld(slot)
    else if ((flags & STATE_BITS) === ENTRY_FAILED) this.drop(slot)
  }

  /** Whether some more should be evicted because there is room, but in many small pieces: as long as little is free and few steps were taken. */
  private isScattered(units: number, steps: number): boolean {
    const { space } = this
    if (units < LARGE_UNITS || steps >= TIDYING_STEPS_MAX) return false
    return space.unitsLarge < units && space.unitsFree < units + this.tidyUnits
  }

  private tryBlock(units: number, runUnits: number): number {
    const { space } = this
    if (space.unitsFree < units) return NO_UNIT
    const run = space.allocateRun(units)
    if (run !== NO_UNIT || space.runMax < runUnits) return run
    const first = space.allocateRun(space.runMax)
    space.join(first, space.allocateChain(units - space.extentUnits(first)))
    return first
  }

  private ageSmall(slot: number): void {
    const { entries } = this.memory
    const base = slot << ENTRY_SHIFT
    if (this.isUnderWay(slot)) this.requeue(slot, entries[base + FREQUENCY]!)
    else if (entries[base + FREQUENCY]! >= USES_FOR_MAIN + this.queues.sizeClass(slot) || this.pins.held(slot)) {
      this.queues.remove(slot)
      this.queues.push(slot, MAIN, 0)
    } else {
      this.ghosts.add(entries[base + HASH]!, entries[base + UNITS]!)
      this.evict(slot)
    }
  }

  private ageMain(slot: number): void {
    const frequency = this.memory.entries[(slot << ENTRY_SHIFT) + FREQUENCY]!
    if (this.isUnderWay(slot) || this.pins.held(slot)) {
      this.requeue(slot, frequency)
      return
    }
    // another round costs a use, and for a large entry two
    const left = frequency - 1 - Math.max(this.queues.sizeClass(slot), 0)
    if (left < 0) this.evict(slot)
    else this.requeue(slot, left)
  }

  private requeue(slot: number, frequency: number): void {
    const queue = (this.memory.entries[(slot << ENTRY_SHIFT) + FLAGS]! & IN_SMALL) !== 0 ? SMALL : MAIN
    this.queues.remove(slot)
    this.queues.push(slot, queue, frequency)
  }

  private evict(slot: number): void {
    assert(!this.isUnderWay(slot), "a fill is never evicted")
    this.drop(slot)
    this.memory.counters[COUNT_EVICTED]!++
  }

  private isUnderWay(slot: number): boolean {
    return (this.memory.entries[(slot << ENTRY_SHIFT) + FLAGS]! & STATE_BITS) < ENTRY_COMPLETE
  }
}
