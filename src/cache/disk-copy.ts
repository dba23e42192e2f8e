import type { Exchange } from "../flow/index.ts"
import { DiskHandle } from "./disk-handle.ts"
import type { RouteCache } from "./route-cache.ts"
import { ENTRY_PENDING, type MemoryEntry } from "./store/contract.ts"
import type { DiskWriter } from "./store/disk/disk-contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, encodeDiskRule, RESPONSE, type StoredResponse } from "./stored.ts"

export interface DiskContent {
  readonly head: Uint8Array
  /** Octets of the body, -1 = not known yet. */
  readonly length: number
  readonly labels: readonly string[]
}

/** Whose answer is written. */
export interface DiskCopyOwner {
  readonly cache: RouteCache
  readonly f: Exchange
  /** Told that nothing is left to read from. */
  readonly keeper: { giveUp(): void }
}

/** What is written to the disk beside memory, or instead of it. */
export class DiskCopy {
  private readonly fetch: DiskCopyOwner
  private readonly key: Key
  private readonly writer: DiskWriter
  /** Memory has none of it, or not all. */
  isOnly = false

  private constructor(fetch: DiskCopyOwner, key: Key, writer: DiskWriter) {
    this.fetch = fetch
    this.key = key
    this.writer = writer
    writer.onFail = () => this.gaveUp()
    writer.onDrain = () => {
      if (this.isOnly) this.fetch.f.onDownDrain()
    }
  }

  /** null = there is no disk, or none that takes it now. */
  static begin(fetch: DiskCopyOwner, key: Key, { head, length, labels }: DiskContent): DiskCopy | null {
    const writer = fetch.cache.store.disk?.begin(key, head, length, labels) ?? null
    return writer === null ? null : new DiskCopy(fetch, key, writer)
  }

  get failed(): boolean {
    return this.writer.failed
  }

  /** From here on it is read from the disk: memory keeps a rule that says so. */
  beOnly(entry: MemoryEntry, labels: readonly string[]): void {
    this.isOnly = true
    const rule = entry.state === ENTRY_PENDING ? entry : this.fetch.cache.store.memory.supersede(entry, this.key)
    if (rule === null) return
    if (rule.setHead(encodeDiskRule(this.writer.ticket), 0, labels)) rule.complete()
    if (rule !== entry) rule.release()
  }

  reader(): DiskHandle {
    return new DiskHandle(this.writer.tail())
  }

  /** False = the upstream is to wait. Where memory has it all nobody waits for a disk: what is too slow for it fails. */
  write(chunk: Uint8Array): boolean {
    if (this.writer.failed) return true
    return this.writer.write(chunk) || !this.isOnly
  }

  commit(): void {
    void this.writer.commit().then(isStored => {
      if (!isStored && this.isOnly) this.fetch.cache.store.memory.removeKey(this.key)
    })
  }

  /** For a body that turned out longer than the route stores: its readers have the whole, and then it goes. */
  commitAndRemove(): void {
    const { memory, disk } = this.fetch.cache.store
    void this.writer.commit().then(() => {
      memory.removeKey(this.key)
      return disk!.remove(this.key)
    })
  }

  abort(): void {
    this.writer.abort()
    if (this.isOnly) this.fetch.cache.store.memory.removeKey(this.key)
  }

  /** Without memory behind it there is nothing left to read from. */
  private gaveUp(): void {
    if (this.isOnly) this.fetch.keeper.giveUp()
  }
}

/** A 304 has freshened what is on disk, too, if that is what it was about. Nobody waits for it. */
export function freshenOnDisk(
  fetch: { readonly cache: RouteCache; readonly key: Key },
  old: StoredResponse,
  head: Uint8Array,
  labels: readonly string[],
): void {
  const { disk } = fetch.cache.store
  if (disk === null || !disk.mayHave(fetch.key)) return
  void disk.load(fetch.key).then(async entry => {
    if (entry === null) return
    const stored = decodeHead(entry.head)
    const isSame =
      stored !== null &&
      stored.kind === RESPONSE &&
      stored.etag === old.etag &&
      stored.responseMs <= old.responseMs &&
      stored.lastModified === old.lastModified
    if (isSame) await disk.updateHead(fetch.key, entry.version, head, labels)
    entry.close()
  })
}
