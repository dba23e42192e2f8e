import { ENTRY_COMPLETE, ENTRY_FAILED, type PurgeTarget, type StoredFacts } from "../contract.ts"
import { Key } from "../key.ts"
import {
  BLOCK,
  BODY_LENGTH,
  CONTENT_BYTES,
  COUNT_EVICTED,
  COUNT_INSERTED,
  COUNT_PURGED,
  ENTRIES_LIVE,
  ENTRY_SHIFT,
  FILLER,
  FLAGS,
  GROUP_BYTES,
  HEAD_BYTES,
  KEY_BYTES,
  LABEL_BYTES,
  LIVE,
  LOCK_FAILURES,
  MARKED,
  PURGES,
  PURGING,
  REFUSALS,
  REFUSED,
  REPLACING,
  SLOTS_TOUCHED,
  STATE_BITS,
  UNIT_BYTES,
  USED,
} from "./layout.ts"
import type { ThreadMemoryStore } from "./memory-store.ts"
import type { StoreParts } from "./store-parts.ts"

/** Rows that are looked at while the lock is held once. */
const SLICE = 1024

export interface MemoryStoreStats {
  /** Entries that are found or under way. */
  readonly entries: number
  readonly entriesMax: number
  /** Octets in use, in whole units, with what was removed and is still read; and the limit. */
  readonly usedBytes: number
  readonly bytes: number
  /** What of `usedBytes` holds nothing: the ends of units, and room that growing bodies have in advance. */
  readonly wasteBytes: number
  /** Entries that got a head, that were evicted, that were purged or marked. */
  readonly inserted: number
  readonly evicted: number
  readonly purged: number
  readonly refused: Readonly<Record<(typeof REFUSALS)[number], number>>
  /** How often a thread waited for the lock in vain. */
  readonly lockFailures: number
  readonly retired: boolean
}

/** What the control thread does with the store. */
export class MemoryStoreSupervisor {
  private readonly store: ThreadMemoryStore
  private readonly parts: StoreParts

  constructor(store: ThreadMemoryStore) {
    this.store = store
    this.parts = store.parts
  }

  /**
   * Removes, or with `mark` marks, what the target names. Fills under way are removed in both cases, for a label those, too, whose labels are not known yet.
   * Returns how many. A store whose lock is not to be had is retired by this, and with it goes whatever was to be purged.
   */
  purge(target: PurgeTarget, mark: boolean): number {
    if (target.by === "group") return this.store.removeGroup(new Key(target.group, ""), mark)
    const { lock, keeping, memory } = this.parts
    let count = 0
    // Both before the first look: what is begun behind that sees them.
    Atomics.add(memory.control, PURGES, 1)
    Atomics.add(memory.control, PURGING, 1)
    this.slices((from, to) => {
      if (!lock.takePatiently()) return
      for (let slot = from; slot <= to; slot++) if (this.isLive(slot) && this.isMeant(slot, target) && keeping.purge(slot, mark)) count++
      lock.release()
    })
    Atomics.sub(memory.control, PURGING, 1)
    return count
  }

  /** Complete entries that the target names, at most `limit`. */
  list(target: PurgeTarget, limit: number): StoredFacts[] {
    const { parts } = this
    const found: StoredFacts[] = []
    if (parts.retired) return found
    const last = parts.memory.control[SLOTS_TOUCHED]!
    for (let slot = 1; slot <= last && found.length < limit; slot++) {
      if (!this.isLive(slot)) continue
      parts.pins.pin(slot)
      if (this.isLive(slot) && this.isComplete(slot) && this.isMeant(slot, target)) found.push(this.facts(slot))
      parts.unpin(slot)
    }
    return found
  }

  stats(): MemoryStoreStats {
    const { control, counters, shared } = this.parts.memory
    const usedBytes = (shared.units - this.parts.space.unitsFree) * UNIT_BYTES
    const refused = Object.fromEntries(REFUSALS.map((reason, i) => [reason, control[REFUSED + i]! >>> 0]))
    return {
      entries: control[ENTRIES_LIVE]!,
      entriesMax: shared.entriesMax,
      usedBytes,
      bytes: shared.bytes,
      wasteBytes: usedBytes - counters[CONTENT_BYTES]!,
      inserted: counters[COUNT_INSERTED]!,
      evicted: counters[COUNT_EVICTED]!,
      purged: counters[COUNT_PURGED]!,
      refused: refused as Record<(typeof REFUSALS)[number], number>,
      lockFailures: control[LOCK_FAILURES]! >>> 0,
      retired: this.parts.retired,
    }
  }

  /**
   * A thread died. To be called after its end and before another one takes its number. What it filled fails, what it held is free. When it died while it
   * changed the store nobody knows in which state that is: the store is retired.
   */
  workerLost(thread: number): void {
    const { lock, keeping, pins } = this.parts
    if (lock.holder === thread) {
      lock.retire()
      return
    }
    this.slices((from, to) => {
      if (!lock.takePatiently()) return
      for (let slot = from; slot <= to; slot++) {
        this.failFill(slot, thread)
        pins.forget(thread, slot)
        keeping.sweepSlot(slot)
      }
      lock.release()
    })
  }

  private failFill(slot: number, thread: number): void {
    const { entries } = this.parts.memory
    const base = slot << ENTRY_SHIFT
    const flags = entries[base + FLAGS]!
    if ((flags & USED) === 0 || (flags & STATE_BITS) >= ENTRY_COMPLETE || entries[base + FILLER] !== thread + 1) return
    Atomics.or(entries, base + FLAGS, ENTRY_FAILED)
  }

  private slices(each: (from: number, to: number) => void): void {
    const { control } = this.parts.memory
    for (let from = 1; from <= control[SLOTS_TOUCHED]! && !this.parts.retired; from += SLICE) {
      each(from, Math.min(from + SLICE - 1, control[SLOTS_TOUCHED]!))
    }
  }

  private isLive(slot: number): boolean {
    return (Atomics.load(this.parts.memory.entries, (slot << ENTRY_SHIFT) + FLAGS) & (USED | LIVE)) === (USED | LIVE)
  }

  private isComplete(slot: number): boolean {
    return (Atomics.load(this.parts.memory.entries, (slot << ENTRY_SHIFT) + FLAGS) & (STATE_BITS | REPLACING)) === ENTRY_COMPLETE
  }

  /** Under the lock, or held and complete. */
  private isMeant(slot: number, target: PurgeTarget): boolean {
    const { memory, octets } = this.parts
    const { entries } = memory
    const base = slot << ENTRY_SHIFT
    const block = entries[base + BLOCK]!
    const groupBytes = entries[base + GROUP_BYTES]!
    switch (target.by) {
      case "all":
        return true
      case "group":
        return groupBytes === target.group.length && octets.isText(block, target.group)
      case "prefix":
        return groupBytes >= target.prefix.length && octets.isText(block, target.prefix)
      case "label": {
        const pending = (entries[base + FLAGS]! & STATE_BITS) === 0
        return pending || octets.hasLabel(block, entries[base + KEY_BYTES]!, entries[base + LABEL_BYTES]!, target.label)
      }
    }
  }

  private facts(slot: number): StoredFacts {
    const { memory, octets } = this.parts
    const { entries } = memory
    const base = slot << ENTRY_SHIFT
    const block = entries[base + BLOCK]!
    const headAt = octets.offset(block) + entries[base + KEY_BYTES]! + entries[base + LABEL_BYTES]!
    return {
      key: octets.readText(block, 0, entries[base + KEY_BYTES]!),
      group: octets.readText(block, 0, entries[base + GROUP_BYTES]!),
      head: octets.segment(block).slice(headAt, headAt + entries[base + HEAD_BYTES]!),
      bodyLength: entries[base + BODY_LENGTH]!,
      marked: (entries[base + FLAGS]! & MARKED) !== 0,
      tier: "memory",
    }
  }
}
