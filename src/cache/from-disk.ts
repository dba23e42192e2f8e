import type { MemoryEntry } from "./store/contract.ts"
import { type AttachedDiskStore, type DiskEntry, type DiskTail, TAIL_GROWING } from "./store/disk/disk-contract.ts"
import type { Key } from "./store/key.ts"
import { encodeDiskRule } from "./stored.ts"

/** Bodies up to this size come into memory when they are asked for; larger ones are read from disk each time. */
export const PROMOTE_BYTES_MAX = 1024 * 1024

/**
 * What is on disk under this key, open, or what `ticket` names that is being written still; 0 = nobody is known to write it. What is whole is read as
 * stored: a tail knows of no soft purge. null = nothing.
 */
export async function openOnDisk(disk: AttachedDiskStore, key: Key, ticket: number): Promise<DiskEntry | DiskTail | null> {
  const tail = ticket === 0 ? null : await disk.follow(key, ticket)
  if (tail !== null && tail.state === TAIL_GROWING) return tail
  const entry = await disk.load(key)
  if (entry === null) return tail
  tail?.close()
  return entry
}

export interface BroughtIn {
  /** Where it goes: an entry that others wait for. It is given away. */
  readonly writer: MemoryEntry
  /** All of it comes; else memory has a rule that says where it is. */
  readonly isSmall: boolean
  readonly labels: readonly string[]
}

/** Fills an entry in memory from the disk. True = all of it is in memory. */
export async function bringIn(found: DiskEntry | DiskTail, { writer, isSmall, labels }: BroughtIn): Promise<boolean> {
  const { head, bodyLength } = found
  let whole = writer.setHead(isSmall ? head : encodeDiskRule(0), isSmall ? bodyLength : 0, labels)
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
