import type { BodySource } from "./entry-reader.ts"
import type { HeldEntry } from "./held-entry.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, type EntryState } from "./store/contract.ts"
import { type DiskEntry, type DiskTail, TAIL_FAILED, TAIL_GROWING } from "./store/disk/disk-contract.ts"

const NOTHING = new Uint8Array(0)
const READ_BYTES = 256 * 1024

/** An entry on disk, or one that is being written, as the engine reads it: piece by piece, each of them asked for when the one before has been taken. */
export class DiskHandle implements HeldEntry, BodySource {
  readonly entry: DiskEntry | DiskTail
  private readonly tail: DiskTail | null
  private chunk: Uint8Array = NOTHING
  private chunkAt = 0
  private reading = false
  private closed = false
  private broken = false
  private readonly watchers = new Set<() => void>()
  private readonly grew = (): void => this.tell()

  constructor(entry: DiskEntry | DiskTail) {
    this.entry = entry
    this.tail = "written" in entry ? entry : null
  }

  get bodyLength(): number {
    return this.entry.bodyLength
  }

  get state(): EntryState {
    if (this.failed) return ENTRY_FAILED
    return this.tail === null || this.tail.state !== TAIL_GROWING ? ENTRY_COMPLETE : ENTRY_FILLING
  }

  get ended(): boolean {
    const { tail } = this
    return this.broken || (tail !== null && tail.state !== TAIL_GROWING && this.chunkAt + this.chunk.length >= tail.written && !this.reading)
  }

  get failed(): boolean {
    return this.broken || (this.ended && this.tail?.state === TAIL_FAILED)
  }

  readonly quiet = false

  piece(at: number, max = READ_BYTES): Uint8Array {
    const offset = at - this.chunkAt
    if (offset >= 0 && offset < this.chunk.length) return this.chunk.subarray(offset, Math.min(this.chunk.length, offset + max))
    this.read(at)
    return NOTHING
  }

  private read(at: number): void {
    if (this.reading || this.closed || this.broken) return
    if (this.tail !== null && at >= this.tail.written && this.tail.state !== TAIL_GROWING) return
    this.reading = true
    void this.entry.read(at, READ_BYTES).then(octets => this.came(at, octets))
  }

  private came(at: number, octets: Uint8Array | null): void {
    this.reading = false
    if (this.closed) {
      this.entry.close()
      return
    }
    if (octets === null) this.broken = true
    else if (octets.length > 0) {
      this.chunk = octets
      this.chunkAt = at
    }
    if (octets !== null && octets.length === 0 && this.tail !== null && this.tail.state === TAIL_GROWING && this.watchers.size > 0)
      this.tail.watch(this.grew)
    else this.tell()
  }

  private tell(): void {
    const all = [...this.watchers]
    this.watchers.clear()
    for (const changed of all) changed()
  }

  watch(changed: () => void): void {
    this.watchers.add(changed)
    // Nothing under way: what is watched is the growth itself.
    if (!this.reading && this.tail !== null) this.tail.watch(this.grew)
  }

  unwatch(changed: () => void): void {
    this.watchers.delete(changed)
  }

  touch(): void {}

  release(): void {
    if (this.closed) return
    this.closed = true
    this.tail?.unwatch(this.grew)
    // One read at a time: it is closed behind the one that is under way.
    if (!this.reading) this.entry.close()
  }
}
