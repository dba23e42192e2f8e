import { type Exchange, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { DiskHandle } from "./disk-handle.ts"
import { bringIn, openOnDisk, PROMOTE_BYTES_MAX } from "./from-disk.ts"
import type { RouteCache } from "./route-cache.ts"
import type { MemoryEntry } from "./store/contract.ts"
import type { AttachedDiskStore, DiskEntry, DiskTail } from "./store/disk/disk-contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, RESPONSE, type StoredResponse } from "./stored.ts"
import { labelsOf } from "./labels.ts"
import { FieldLines } from "./rules/field-lines.ts"

/**
 * Looks on disk for one request. The first that asks does it for all (`writer` is the entry in memory that others wait for); what is small comes into memory,
 * of what is large memory keeps a rule that says where it is, and then each request looks by itself.
 */
export class DiskLook implements Waiter {
  private readonly cache: RouteCache
  private readonly disk: AttachedDiskStore
  private x: Exchange | null
  private readonly key: Key
  private writer: MemoryEntry | null
  private readonly looks: number

  constructor(cache: RouteCache, x: Exchange, key: Key, of: { writer: MemoryEntry | null; looks: number }) {
    this.cache = cache
    this.disk = cache.store.disk!
    this.x = x
    this.key = key
    this.writer = of.writer
    this.looks = of.looks
  }

  /** `ticket`: of the writer that is or was writing it, 0 = not known. */
  begin(ticket: number): Verdict {
    this.x!.waiter = this
    void this.look(ticket)
    return WAIT
  }

  cancel(): void {
    this.x = null
  }

  private async look(ticket: number): Promise<void> {
    const found = await openOnDisk(this.disk, this.key, ticket)
    if (found === null) this.missing()
    else await this.found(found)
  }

  /** Nothing there after all. */
  private missing(): void {
    const { writer, cache, key, looks } = this
    const x = this.takeClient()
    if (x === null) {
      writer?.fail()
      writer?.release()
      return
    }
    if (writer === null) {
      // The rule in memory is wrong by now.
      cache.store.memory.removeKey(key)
      this.goOn(x, cache.lookUp(x, key, looks + 1))
    } else this.goOn(x, cache.fetchInto(x, key, writer))
  }

  private async found(found: DiskEntry | DiskTail): Promise<void> {
    const stored = decodeHead(found.head)
    const isMarked = "marked" in found && found.marked
    // Memory has a rule, and there is room for the small thing itself by now.
    const isSmall = found.bodyLength >= 0 && found.bodyLength <= PROMOTE_BYTES_MAX && !("written" in found)
    this.writer ??= isSmall && !isMarked ? this.cache.store.memory.begin(this.key, true) : null
    if (this.writer !== null) {
      const fits = !isMarked && found.bodyLength >= 0 && found.bodyLength <= Math.min(PROMOTE_BYTES_MAX, this.cache.store.memory.entryBytesMax)
      await bringIn(found, { writer: this.writer, isSmall: fits, labels: fits ? labelsIn(found.head) : [] })
    }
    const x = this.takeClient()
    const isLarge = stored !== null && stored.kind === RESPONSE && (this.writer === null || found.bodyLength > PROMOTE_BYTES_MAX)
    if (x === null || !isLarge) {
      found.close()
      if (x !== null) this.goOn(x, this.cache.lookUp(x, this.key, this.looks + 1))
      return
    }
    this.disk.touch(this.key)
    stored.marked = isMarked
    this.goOn(x, this.cache.useOnDisk(x, this.key, new DiskHandle(found), stored as StoredResponse))
  }

  private takeClient(): Exchange | null {
    const { x } = this
    this.x = null
    if (x !== null) x.waiter = null
    return x
  }

  private goOn(x: Exchange, verdict: Verdict): void {
    if (verdict !== WAIT) resume(x, verdict)
  }
}

function labelsIn(head: Uint8Array): readonly string[] {
  const stored = decodeHead(head)
  return stored !== null && stored.kind === RESPONSE ? labelsOf(FieldLines.parse(stored.lines)) : []
}
