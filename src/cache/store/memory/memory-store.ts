// HOT
import type { CacheKey, MemoryEntry, MemoryStore } from "../contract.ts"
import { CHAIN_MAX, WANTED_FOUND, WANTED_PENDING, type Wanted } from "./chains.ts"
import { EntryHandle, type HandleOwner } from "./entry-handle.ts"
import { Fills } from "./fills.ts"
import { ENTRY_SHIFT, GENERATION, PURGE_COUNTS, PURGES, PURGING } from "./layout.ts"
import type { StoreParts } from "./store-parts.ts"
import { Watches } from "./watches.ts"

const WALKS_MAX = 4

/** The memory store as one thread has it. */
export class ThreadMemoryStore implements MemoryStore, HandleOwner {
  readonly entryBytesMax: number
  readonly parts: StoreParts
  readonly fills: Fills
  readonly watches: Watches
  readonly idle: EntryHandle[]

  constructor(parts: StoreParts) {
    this.entryBytesMax = parts.memory.shared.entryBytesMax
    this.parts = parts
    this.fills = new Fills(parts)
    this.watches = new Watches(parts.bells)
    this.idle = []
  }

  /** A thread died while it changed the store: it is empty for everybody and stays so. Entries that are held can be read to their end. */
  get retired(): boolean {
    return this.parts.retired
  }

  find(key: CacheKey): MemoryEntry | null {
    return this.open(key, WANTED_FOUND)
  }

  pending(key: CacheKey): MemoryEntry | null {
    return this.open(key, WANTED_PENDING)
  }

  hold(place: number, generation: number): MemoryEntry | null {
    const { chains, pins, memory, retired } = this.parts
    if (retired || place <= 0 || place > memory.shared.entriesMax) return null
    pins.pin(place)
    if (chains.isFindable(place) && memory.entries[(place << ENTRY_SHIFT) + GENERATION] === generation) return this.handle().open(place, false)
    this.parts.unpin(place)
    return null
  }

  share({ place }: MemoryEntry): MemoryEntry {
    this.parts.pins.pin(place)
    return this.handle().open(place, false)
  }

  begin(key: CacheKey, replace: boolean): MemoryEntry | null {
    if (this.parts.retired) return null
    const slot = this.fills.begin(key, replace)
    return slot === 0 ? null : this.handle().open(slot, true)
  }

  supersede(entry: MemoryEntry, key: CacheKey): MemoryEntry | null {
    if (this.parts.retired || !entry.filling) return null
    const slot = this.fills.supersede(entry.place, key)
    return slot === 0 ? null : this.handle().open(slot, true)
  }

  removeKey(key: CacheKey): boolean {
    const { lock, chains, keeping } = this.parts
    if (!lock.takePatiently()) return false
    const pending = chains.search(key, WANTED_PENDING)
    if (pending !== 0) keeping.drop(pending)
    const found = chains.search(key, WANTED_FOUND)
    if (found !== 0) keeping.drop(found)
    lock.release()
    return pending !== 0 || found !== 0
  }

  removeGroup(key: { readonly group: string; readonly groupHash: number }, mark: boolean): number {
    const { lock, chains, keeping, memory } = this.parts
    // Before the look at the chain: what is begun behind that sees the count.
    Atomics.add(memory.control, countOf(key.groupHash), 1)
    if (!lock.takePatiently()) return 0
    let count = 0
    for (let slot = chains.first(key.groupHash), next = 0; slot !== 0; slot = next) {
      next = chains.next(slot)
      if (chains.isOfGroup(slot, key.group, key.groupHash) && keeping.purge(slot, mark)) count++
    }
    lock.release()
    return count
  }

  purges(groupHash: number): number {
    const { control } = this.parts.memory
    return Atomics.load(control, PURGES) + Atomics.load(control, countOf(groupHash))
  }

  get purging(): boolean {
    return Atomics.load(this.parts.memory.control, PURGING) !== 0
  }

  private open(key: CacheKey, wanted: Wanted): MemoryEntry | null {
    if (this.parts.retired) return null
    const slot = this.search(key, wanted)
    return slot === 0 ? null : this.handle().open(slot, false)
  }

  private handle(): EntryHandle {
    return this.idle.pop() ?? new EntryHandle(this)
  }

  /** The entry for this key, held; 0 = none. Without the lock, as long as nobody keeps taking entries out of the chain. */
  private search(key: CacheKey, wanted: Wanted): number {
    const { chains, pins } = this.parts
    const hash = key.hash | 0
    for (let walk = 0; walk < WALKS_MAX; walk++) {
      const changes = chains.changes(key.groupHash)
      let slot = chains.candidate(chains.first(key.groupHash), hash)
      for (let looks = 0; slot > 0 && looks < CHAIN_MAX; looks++) {
        pins.pin(slot)
        if (chains.matches(slot, key, wanted)) return slot
        const next = chains.next(slot)
        this.parts.unpin(slot)
        slot = chains.candidate(next, hash)
      }
      if (slot === 0 && chains.changes(key.groupHash) === changes) return 0
    }
    return this.searchLocked(key, wanted)
  }

  private searchLocked(key: CacheKey, wanted: Wanted): number {
    const { chains, pins, lock } = this.parts
    if (!lock.take()) return 0
    const slot = chains.search(key, wanted)
    if (slot !== 0) pins.pin(slot)
    lock.release()
    return slot
  }
}

/** Word of `control` that counts the purges of this group, and of some others. */
function countOf(groupHash: number): number {
  return PURGES + 1 + (groupHash & (PURGE_COUNTS - 1))
}
