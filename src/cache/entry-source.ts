// HOT
import type { BodySource } from "./entry-reader.ts"
import type { DiskHandle } from "./disk-handle.ts"
import type { Fetch } from "./fetch.ts"
import type { Keeper } from "./keeper.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, type MemoryEntry } from "./store/contract.ts"

const NOTHING = new Uint8Array(0)

/**
 * The body of an entry of the memory store, and, where its fetch runs in this thread, what comes after the store had no more room for it.
 * Gives its entry back at `release`.
 */
export class EntrySource implements BodySource {
  private readonly entry: MemoryEntry
  private readonly keeper: Keeper | null

  constructor(entry: MemoryEntry, fetch: Fetch | null) {
    this.entry = entry
    this.keeper = fetch === null ? null : fetch.keeper
    if (this.keeper !== null) this.keeper.readers.add(this)
  }

  /** Where its reader is. */
  at = 0
  /** What goes on where memory ends, when there is a disk. */
  private tail: DiskHandle | null = null

  piece(at: number, max?: number): Uint8Array {
    this.at = at
    const stored = this.entry.piece(at, max)
    const { keeper } = this
    if (stored.length > 0 || keeper === null) return stored
    if (keeper.spills) this.tail ??= keeper.tail()
    if (this.tail !== null) return this.tail.piece(at, max)
    return keeper.spilledAt(at) ?? NOTHING
  }

  get bodyLength(): number {
    if (this.tail !== null) return this.tail.bodyLength
    const { bodyLength, state, filled } = this.entry
    return bodyLength >= 0 ? bodyLength : state === ENTRY_COMPLETE ? filled : -1
  }

  get ended(): boolean {
    if (this.tail !== null) return this.tail.ended
    if (this.keeper?.spills) return this.keeper.over
    return this.entry.state >= ENTRY_COMPLETE
  }

  get failed(): boolean {
    if (this.tail !== null) return this.tail.failed
    // What went by before this reader came is not to be had any more.
    if (this.keeper?.spills) return this.keeper.broken || (this.at >= this.entry.filled && this.keeper.hasLost(this.at))
    return this.entry.state === ENTRY_FAILED
  }

  get quiet(): boolean {
    return this.tail === null && this.keeper !== null && this.keeper.inTurn
  }

  watch(changed: () => void): void {
    if (this.tail !== null) this.tail.watch(changed)
    else if (this.keeper !== null) this.keeper.watchers.add(changed)
    else this.entry.watch(changed)
  }

  unwatch(changed: () => void): void {
    this.tail?.unwatch(changed)
    if (this.keeper !== null) this.keeper.watchers.delete(changed)
    else if (this.tail === null) this.entry.unwatch(changed)
  }

  release(): void {
    this.tail?.release()
    if (this.keeper !== null) this.keeper.readerLeft(this)
    this.entry.release()
  }
}
