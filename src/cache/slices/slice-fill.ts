import { DiskCopy } from "../disk-copy.ts"
import type { BodySource } from "../entry-reader.ts"
import { EntrySource } from "../entry-source.ts"
import type { MemoryEntry } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import { DirectSource } from "./direct-source.ts"
import type { SliceFetch } from "./slice-fetch.ts"

export interface SliceContent {
  readonly head: Uint8Array
  /** Octets of the body. */
  readonly length: number
  readonly labels: readonly string[]
}

/**
 * Where the octets of one slice go while they come: into an entry in memory, to the disk beside it, to the disk alone where memory has no room, or, where there is
 * no room at all, to the one who asked.
 */
export class SliceFill {
  private readonly fetch: SliceFetch
  private readonly length: number
  private entry: MemoryEntry | null = null
  private disk: DiskCopy | null = null
  private direct: DirectSource | null = null
  private filled = 0

  private constructor(fetch: SliceFetch, length: number) {
    this.fetch = fetch
    this.length = length
  }

  /** `entry`: what others wait for under `key`; it is this one's to give back. null = nothing is to be stored. */
  static begin(fetch: SliceFetch, entry: MemoryEntry | null, key: Key, content: SliceContent): SliceFill {
    const fill = new SliceFill(fetch, content.length)
    if (entry !== null) fill.store(entry, key, content)
    return fill
  }

  private store(entry: MemoryEntry, key: Key, content: SliceContent): void {
    let disk = DiskCopy.begin(this.fetch, key, content)
    // A purge that came between the two has doomed the first only.
    if (disk !== null && !entry.live) {
      disk.abort()
      disk = null
    }
    this.disk = disk
    if (entry.setHead(content.head, content.length, content.labels)) {
      this.entry = entry
      return
    }
    if (disk !== null) disk.beOnly(entry, content.labels)
    entry.release()
  }

  /** Nobody but the one who asked has any use for what comes. */
  get isDirect(): boolean {
    return this.entry === null && this.disk === null
  }

  /** For a reader of this thread; once only where there is no room. */
  source(): BodySource {
    if (this.entry !== null) return new EntrySource(this.fetch.cache.store.memory.share(this.entry), null)
    if (this.disk !== null) return this.disk.reader()
    this.direct = new DirectSource(this.fetch.f, this.length, () => this.fetch.giveUp())
    return this.direct
  }

  /** False = the upstream is to wait. */
  push(chunk: Uint8Array): boolean {
    this.filled += chunk.length
    if (this.filled > this.length) {
      // More than it said: whose octets these are nobody knows.
      this.fetch.giveUp()
      return true
    }
    const goesOn = this.disk === null || this.disk.write(chunk)
    if (this.entry === null) return this.direct === null ? goesOn : this.direct.push(chunk)
    if (!this.entry.append(chunk)) this.fetch.giveUp()
    return true
  }

  complete(): void {
    if (this.filled !== this.length) {
      this.fail()
      return
    }
    this.disk?.commit()
    this.entry?.complete()
    this.close()
    this.direct?.end()
  }

  fail(): void {
    this.disk?.abort()
    this.entry?.fail()
    this.close()
    this.direct?.fail()
  }

  private close(): void {
    const { entry } = this
    this.entry = null
    entry?.release()
  }
}
