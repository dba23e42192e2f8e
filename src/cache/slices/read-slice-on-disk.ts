import type { CacheStore } from "../cache-store.ts"
import { DiskHandle } from "../disk-handle.ts"
import { labelsOf } from "../labels.ts"
import { FieldLines } from "../rules/field-lines.ts"
import type { MemoryEntry } from "../store/contract.ts"
import { type DiskEntry, type DiskTail, TAIL_GROWING } from "../store/disk/disk-contract.ts"
import type { Key } from "../store/key.ts"
import { decodeHead, encodeDiskRule, RESPONSE, type StoredResponse } from "../stored.ts"

/** Slices up to this size come into memory when they are asked for; larger ones are read from disk each time. */
const PROMOTE_BYTES_MAX = 1024 * 1024

export interface SliceOnDisk {
  readonly handle: DiskHandle
  readonly stored: StoredResponse
}

/**
 * Looks for a slice on disk, for all that wait for `writer`: it comes into that, or the rule does that says where it is. Without one, `ticket` names who is or was
 * writing it. "missing": `writer` is the caller's as before; else it is given back, and the slice is in memory by now ("memory"), or is read from the handle.
 */
export async function readSliceOnDisk(
  store: CacheStore,
  key: Key,
  of: { writer: MemoryEntry | null; ticket: number },
): Promise<SliceOnDisk | "memory" | "missing"> {
  const disk = store.disk!
  let tail = of.ticket === 0 ? null : await disk.follow(key, of.ticket)
  let found: DiskEntry | DiskTail | null = tail
  if (tail === null || tail.state !== TAIL_GROWING) {
    // What is whole is stored by now, and only the entry knows of a soft purge.
    const loaded = await disk.load(key)
    if (loaded !== null) {
      tail?.close()
      tail = null
      found = loaded
    }
  }
  const stored = found === null ? null : decodeHead(found.head)
  if (found === null || stored === null || stored.kind !== RESPONSE || stored.part === null) {
    found?.close()
    return "missing"
  }
  stored.marked = "marked" in found && found.marked
  const isSmall = tail === null && !stored.marked && found.bodyLength <= Math.min(PROMOTE_BYTES_MAX, store.memory.entryBytesMax)
  // Memory has a rule, and there may be room for the slice itself by now.
  const writer = of.writer ?? (isSmall ? store.memory.begin(key, true) : null)
  if (writer !== null && (await bringIn(found, stored, writer, isSmall))) {
    found.close()
    return "memory"
  }
  disk.touch(key)
  return { handle: new DiskHandle(found), stored }
}

/** True = all of it is in memory. */
async function bringIn(found: DiskEntry | DiskTail, stored: StoredResponse, writer: MemoryEntry, isSmall: boolean): Promise<boolean> {
  const { head, bodyLength } = found
  let whole = isSmall
    ? writer.setHead(head, bodyLength, labelsOf(FieldLines.parse(stored.lines)))
    : writer.setHead(encodeDiskRule(0), 0, labelsOf(FieldLines.parse(stored.lines)))
  for (let at = 0; isSmall && whole && at < bodyLength; ) {
    const octets = await found.read(at, bodyLength - at)
    whole = octets !== null && octets.length > 0 && writer.append(octets)
    at += octets?.length ?? 0
  }
  if (whole) writer.complete()
  else writer.fail()
  writer.release()
  return whole && isSmall
}
