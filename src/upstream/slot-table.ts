import { type Clock, systemClock } from "../base/index.ts"
import type { PeerStates } from "./peer-states.ts"

interface Slot {
  readonly index: number
  /** Wall clock at which it went out of use, 0 = in use. */
  releasedAt: number
}

/** The key of a peer's slot. A cluster's own record has the key `cluster|`. */
export function slotKey(cluster: string, name: string): string {
  return `${cluster}|${name}`
}

/**
 * Says which slot of the shared states belongs to whom. Lives in the control thread; workers are told the numbers.
 * A key keeps its slot over reloads. A slot that went out of use is given to another key only after `graceMs` and when nothing is in flight,
 * since exchanges that started with an older snapshot may still count in it.
 */
export class SlotTable {
  private readonly states: PeerStates
  private readonly graceMs: number
  private readonly clock: Clock
  private readonly slots = new Map<string, Slot>()
  private readonly free: number[] = []
  private next = 0

  /** `graceMs` (default 60 s) should be over the drain timeout. */
  constructor(states: PeerStates, graceMs = 60_000, clock = systemClock) {
    this.states = states
    this.graceMs = graceMs
    this.clock = clock
  }

  /** The slot of this key, a new one if it has none; -1 when all slots are taken. */
  slot(key: string): number {
    const known = this.slots.get(key)
    if (known !== undefined) {
      known.releasedAt = 0
      return known.index
    }
    const index = this.take()
    if (index !== -1) this.slots.set(key, { index, releasedAt: 0 })
    return index
  }

  /** The slot of a key that is in use, or -1. Allocates nothing. */
  find(key: string): number {
    const known = this.slots.get(key)
    return known === undefined || known.releasedAt !== 0 ? -1 : known.index
  }

  /** Keeps these keys of one cluster, and its own record; its others go out of use. */
  keep(cluster: string, keys: ReadonlySet<string>): void {
    const prefix = slotKey(cluster, "")
    for (const [key, slot] of this.slots) {
      if (key.startsWith(prefix) && key !== prefix && !keys.has(key) && slot.releasedAt === 0) slot.releasedAt = this.clock.wall()
    }
  }

  /** Keeps these clusters; the slots of all others go out of use. */
  keepClusters(clusters: ReadonlySet<string>): void {
    for (const [key, slot] of this.slots) {
      if (slot.releasedAt === 0 && !clusters.has(key.slice(0, key.indexOf("|")))) slot.releasedAt = this.clock.wall()
    }
  }

  /** Slots in use, and those that wait for their grace to end. */
  get taken(): number {
    return this.slots.size
  }

  private take(): number {
    if (this.free.length === 0 && this.next >= this.states.slotsMax) this.sweep()
    const index = this.free.pop() ?? (this.next < this.states.slotsMax ? this.next++ : -1)
    if (index !== -1) this.states.reset(index)
    return index
  }

  private sweep(): void {
    const limit = this.clock.wall() - this.graceMs
    for (const [key, slot] of this.slots) {
      if (slot.releasedAt === 0 || slot.releasedAt > limit || this.states.inFlight(slot.index) !== 0) continue
      this.slots.delete(key)
      this.free.push(slot.index)
    }
  }
}
