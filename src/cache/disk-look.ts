import { type Exchange, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { DiskHandle } from "./disk-handle.ts"
import type { RouteCache } from "./route-cache.ts"
import type { MemoryEntry } from "./store/contract.ts"
import { type AttachedDiskStore, type DiskEntry, type DiskTail, TAIL_GROWING } from "./store/disk/disk-contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, encodeDiskRule, RESPONSE, type StoredResponse } from "./stored.ts"
import { labelsOf } from "./labels.ts"
import { FieldLines } from "./rules/field-lines.ts"

/** Bodies up to this size come into memory when they are asked for; larger ones are read from disk each time. */
const PROMOTE_BYTES_MAX = 1024 * 1024

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
    const tail = ticket === 0 ? null : await this.disk.follow(this.key, ticket)
    const isGrowing = tail !== null && tail.state === TAIL_GROWING
    // What is whole is read as stored: a tail knows of no mark.
    const stored = isGrowing ? null : await this.disk.load(this.key)
    const found = stored ?? tail
    if (stored !== null) tail?.close()
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
    if (this.writer !== null) await this.bringIn(found, isMarked)
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

  /** Fills the entry in memory: with all of it, or with a rule that says that it is on disk. */
  private async bringIn(found: DiskEntry | DiskTail, isMarked: boolean): Promise<void> {
    const writer = this.writer!
    const { head, bodyLength } = found
    const isSmall = !isMarked && bodyLength >= 0 && bodyLength <= Math.min(PROMOTE_BYTES_MAX, this.cache.store.memory.entryBytesMax)
    let whole = writer.setHead(isSmall ? head : encodeDiskRule(0), isSmall ? bodyLength : 0, isSmall ? labelsIn(head) : [])
    for (let at = 0; isSmall && whole && at < bodyLength; ) {
      const octets = await found.read(at, bodyLength - at)
      whole = octets !== null && octets.length > 0 && writer.append(octets)
      at += octets?.length ?? 0
    }
    if (whole) writer.complete()
    else writer.fail()
    writer.release()
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
