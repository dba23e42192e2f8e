import type { CacheStore } from "../cache-store.ts"
import { DiskHandle } from "../disk-handle.ts"
import { bringIn, openOnDisk, PROMOTE_BYTES_MAX } from "../from-disk.ts"
import { labelsOf } from "../labels.ts"
import { FieldLines } from "../rules/field-lines.ts"
import type { MemoryEntry } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import { decodeHead, RESPONSE, type StoredResponse } from "../stored.ts"

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
  const found = await openOnDisk(disk, key, of.ticket)
  const stored = found === null ? null : decodeHead(found.head)
  if (found === null || stored === null || stored.kind !== RESPONSE || stored.part === null) {
    found?.close()
    return "missing"
  }
  stored.marked = "marked" in found && found.marked
  const isSmall = !("written" in found) && !stored.marked && found.bodyLength <= Math.min(PROMOTE_BYTES_MAX, store.memory.entryBytesMax)
  // Memory has a rule, and there may be room for the slice itself by now.
  const writer = of.writer ?? (isSmall ? store.memory.begin(key, true) : null)
  if (writer !== null && (await bringIn(found, { writer, isSmall, labels: labelsOf(FieldLines.parse(stored.lines)) }))) {
    found.close()
    return "memory"
  }
  disk.touch(key)
  return { handle: new DiskHandle(found), stored }
}
