// HOT
import type { Exchange } from "../../flow/index.ts"
import { requestValue } from "../key-parts.ts"
import { Question } from "../question.ts"
import type { RouteCache } from "../route-cache.ts"
import { variantUnder } from "../variants.ts"
import { variantKey } from "../rules/vary.ts"
import { ENTRY_COMPLETE, type MemoryEntry } from "../store/contract.ts"
import { Key } from "../store/key.ts"
import type { StoredResponse } from "../stored.ts"
import { bodyDigest } from "./body-digest.ts"
import type { Coding } from "./coding.ts"
import { isCompressible } from "./compressible.ts"
import { isMadeOf } from "./encoded-fields.ts"
import { EncodedNote, type EncodedState, READY, UNKNOWN } from "./encoded-state.ts"
import { EncodingJob } from "./encoding-job.ts"

/** Entries of which a thread remembers what there is of them. */
const NOTES_MAX = 2048
/** Between two looks for what was not there. */
const RETRY_MS = 200
/** The digest of a body up to this size is taken at once; that of a longer one in the background. */
const DIGEST_BYTES_MAX = 1024 * 1024

/** The encoded entries beside those of one route's cache, as one thread knows them. */
export class Siblings {
  private readonly cache: RouteCache
  private readonly codings: readonly Coding[]
  private readonly question: Question
  /** By the place of the original. */
  private readonly notes = new Map<number, EncodedNote>()

  constructor(cache: RouteCache, codings: readonly Coding[]) {
    this.cache = cache
    this.codings = codings
    this.question = new Question(cache.policy, cache.parts.destination)
  }

  /** What is known of a complete entry that answers this request. */
  noteOf(x: Exchange, entry: MemoryEntry, stored: StoredResponse): EncodedNote {
    const known = this.notes.get(entry.place)
    if (known !== undefined && known.generation === entry.generation && known.stored === stored) return known
    const key = isCompressible(stored, entry.bodyLength) ? this.keyOf(x, stored) : null
    const note = new EncodedNote(entry.generation, stored, key, this.codings)
    if (known !== undefined) note.inherit(known)
    if (this.notes.size >= NOTES_MAX) this.notes.clear()
    this.notes.set(entry.place, note)
    return note
  }

  /** The key of the response that answers this request. */
  private keyOf(x: Exchange, stored: StoredResponse): Key {
    const plain = new Key(this.question.groupOf(x), this.question.restOf(x))
    if (stored.vary === "") return plain
    const names = stored.vary.split(",")
    // allow(closure): once an entry and thread
    const values = variantKey(names, name => requestValue(x, name))
    return variantUnder(plain, names, values)
  }

  /** The first of the `wanted` that is there, held. What is not is looked for, and the best of them made. */
  find(note: EncodedNote, entry: MemoryEntry, wanted: readonly number[], mayMake: boolean): { state: EncodedState; sibling: MemoryEntry } | null {
    for (let i = 0; i < wanted.length; i++) {
      const state = note.states![wanted[i]!]!
      if (state.state === UNKNOWN) this.look(note, entry, state, mayMake && i === 0)
      if (state.state !== READY) continue
      const sibling = this.cache.store.memory.hold(state.place, state.generation)
      if (sibling !== null) return { state, sibling }
      state.state = UNKNOWN
    }
    return null
  }

  private look(note: EncodedNote, entry: MemoryEntry, state: EncodedState, mayMake: boolean): void {
    const nowMs = this.cache.time.clock.wall()
    if (nowMs < state.retryAtMs) return
    const { memory } = this.cache.store
    const found = memory.find(state.key)
    const fits = found !== null && found.state === ENTRY_COMPLETE && this.isOf(note, entry, found)
    if (fits) state.take(found)
    else state.retryAtMs = nowMs + RETRY_MS
    found?.release()
    if (!fits && mayMake) EncodingJob.begin(memory, entry, note, state)
  }

  /** Whether an encoded entry is of this body. What takes long to tell is left to whoever would make it anew. */
  private isOf(note: EncodedNote, entry: MemoryEntry, found: MemoryEntry): boolean {
    if (note.digest === "" && entry.filled <= DIGEST_BYTES_MAX) note.digest = bodyDigest(entry)
    return note.digest !== "" && isMadeOf(found.head, note.digest)
  }
}
