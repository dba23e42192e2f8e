import { DiskHandle } from "../disk-handle.ts"
import type { BodySource } from "../entry-reader.ts"
import { EntrySource } from "../entry-source.ts"
import type { HeldEntry } from "../held-entry.ts"
import type { MemoryEntry } from "../store/contract.ts"

/** What a held slice is read from; it gives the entry back. There is nothing but memory and disk. */
export function sourceOf(entry: HeldEntry): BodySource {
  return entry instanceof DiskHandle ? entry : new EntrySource(entry as MemoryEntry, null)
}
