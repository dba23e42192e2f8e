import { copyEntry } from "../copy-body.ts"
import { freshenOnDisk } from "../disk-copy.ts"
import { DiskHandle } from "../disk-handle.ts"
import type { HeldEntry } from "../held-entry.ts"
import { judgeAnswer, keptLines } from "../judge-answer.ts"
import { labelsOf } from "../labels.ts"
import { FieldLines } from "../rules/field-lines.ts"
import { selects304, updatedFields } from "../rules/update.ts"
import type { MemoryEntry } from "../store/contract.ts"
import { encodeResponse, StoredResponse } from "../stored.ts"
import type { OldSlice, SliceFetch } from "./slice-fetch.ts"
import { sliceKey } from "./slice-scope.ts"

export interface FreshSlice {
  readonly entry: HeldEntry
  readonly stored: StoredResponse
  /** It is the writer's entry; the old one has been given back. */
  readonly isWritten: boolean
}

/** What a 304 makes of a stored slice (RFC 9111 section 4.3.4); it goes into `writer` where that can be. null = the answer is about another representation. */
export function freshenSlice(fetch: SliceFetch, old: OldSlice, writer: MemoryEntry | null): FreshSlice | null {
  const { cache, f, asked } = fetch
  const answer = FieldLines.parse(f.response.render())
  const validators = { etag: answer.get("etag"), lastModified: answer.get("last-modified"), date: answer.get("date"), status: 304 }
  if (!selects304(old.stored, validators)) return null
  const lines = updatedFields(FieldLines.parse(old.stored.lines), answer, [])
  const { verdict, facts } = judgeAnswer(cache, { ...asked, hasPart: true }, { status: 206, lines })
  const kept = keptLines(lines, verdict.withoutFields)
  const stored = new StoredResponse(facts, kept)
  if (!verdict.store) return { entry: old.entry, stored, isWritten: false }
  const head = encodeResponse(facts, kept)
  const labels = labelsOf(lines)
  freshenOnDisk({ cache, key: sliceKey(fetch.key, asked.number) }, old.stored, head, labels)
  if (writer === null || old.entry instanceof DiskHandle || !copyEntry(old.entry as MemoryEntry, writer, head, labels))
    return { entry: old.entry, stored, isWritten: false }
  old.entry.release()
  return { entry: writer, stored, isWritten: true }
}
