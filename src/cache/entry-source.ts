// HOT
import type { BodySource } from "./entry-reader.ts"
import type { DiskHandle } from "./disk-handle.ts"
import type { Fetch } from "./fetch.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, type MemoryEntry } from "./store/contract.ts"

const NOTHING = new Uint8Array(0)

/**
 * The body of an entry of the memory store, and, where its fetch runs in this thread, what comes after the store had no more room for it.
 * Gives its entry back at `release`.
 */
export class EntrySource implements BodySource {
  private readonly entry: MemoryEntry
  private readonly fetch: Fetch | null

  constructor(entry: MemoryEntry, fetch: Fetch | null) {
    this.entry = entry
    this.fetch = fetch
    if (fetch !== null) fetch.readerCame(this)
  }

  /** Where its reader is. */
  at = 0
  /** What goes on where memory ends, when there is a disk. */
  private tail: DiskHandle | null = null

  piece(at: number, max?: number): Uint8Array {
    this.at = at
    const stored = this.entry.piece(at, max)
    if (stored.length > 0 || this.fetch === null) return stored
    if (this.fetch.spills) this.tail ??= this.fetch.tail()
    if (this.tail !== null) return this.tail.piece(at, max)
    return this.fetch.spilledAt(at) ?? NOTHING
  }

  get bodyLength(): number {
    if (this.tail !== null) return this.tail.bodyLength
    const { bodyLength, state, filled } = this.entry
    return bodyLength >= 0 ? bodyLength : state === ENTRY_COMPLETE ? filled : -1
  }

  get ended(): boolean {
    if (this.tail !== null) return this.tail.ended
    if (this.fetch?.spills) return this.fetch.isOver
    return this.entry.state >= ENTRY_COMPLETE
  }

  get failed(): boolean {
    if (this.tail !== null) return this.tail.failed
    if (this.fetch?.spills) return this.fetch.isBroken
    return this.entry.state === ENTRY_FAILED
  }

  get quiet(): boolean {
    return this.tail === null && this.fetch !== null && !this.fetch.isOver && !this.fetch.flushing
  }

  watch(changed: () => void): void {
    if (this.tail !== null) this.tail.watch(changed)
    else if (this.fetch !== null) this.fetch.watch(changed)
    else this.entry.watch(changed)
  }

  unwatch(changed: () => void): void {
    this.tail?.unwatch(changed)
    if (this.fetch !== null) this.fetch.unwatch(changed)
    else if (this.tail === null) this.entry.unwatch(changed)
  }

  release(): void {
    this.tail?.release()
    if (this.fetch !== null) this.fetch.readerLeft(this)
    this.entry.release()
  }
}
