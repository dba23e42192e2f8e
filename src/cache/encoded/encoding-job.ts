import { log } from "../../base/index.ts"
import { labelsOf } from "../labels.ts"
import { FieldLines } from "../rules/field-lines.ts"
import { ENTRY_COMPLETE, type MemoryEntry, type MemoryStore } from "../store/contract.ts"
import { copyBody } from "./body-digest.ts"
import { encodeBody } from "./coding.ts"
import { encodedHead, isMadeOf } from "./encoded-fields.ts"
import type { EncodedNote, EncodedState } from "./encoded-state.ts"

/** At a time in one thread; each has a copy of its body. */
const JOBS_MAX = 2
/** Of the plain octets; what is not this much smaller is not worth its memory. */
const SIZE_MAX = 0.95
/** What could not be stored, for want of room, is not made again at once. */
const FAILED_MS = 60_000

let running = 0

/** Encodes one stored body in the background and stores what comes of it. */
export class EncodingJob {
  private readonly memory: MemoryStore
  private readonly note: EncodedNote
  private readonly state: EncodedState

  private constructor(memory: MemoryStore, note: EncodedNote, state: EncodedState) {
    this.memory = memory
    this.note = note
    this.state = state
  }

  /** Begins, unless this thread has enough to do or another one does it already. The entry stays the caller's. */
  static begin(memory: MemoryStore, entry: MemoryEntry, note: EncodedNote, state: EncodedState): void {
    if (running >= JOBS_MAX) return
    const original = memory.hold(entry.place, entry.generation)
    if (original === null) return
    // An entry from its first moment, as every fill: the claim that keeps all other threads from it.
    const writer = memory.begin(state.key, true)
    if (writer === null) {
      original.release()
      return
    }
    running++
    void new EncodingJob(memory, note, state).run(original, writer)
  }

  private async run(original: MemoryEntry, writer: MemoryEntry): Promise<void> {
    let held: MemoryEntry | null = original
    try {
      const { body, digest } = await copyBody(original)
      original.release()
      held = null
      this.note.digest = digest
      if (!this.takeFound(digest)) this.store(writer, body, await this.encode(body))
    } catch (error) {
      this.putOff()
      log.error("cache", "a body was not encoded", { coding: this.state.coding, error: error instanceof Error ? error.message : String(error) })
    }
    held?.release()
    running--
    // Gives up whatever has not been completed.
    writer.release()
  }

  /** What is there under the key is of this very body. */
  private takeFound(digest: string): boolean {
    const found = this.memory.find(this.state.key)
    if (found === null) return false
    const fits = found.state === ENTRY_COMPLETE && isMadeOf(found.head, digest)
    if (fits) this.state.take(found)
    found.release()
    return fits
  }

  private encode(body: Uint8Array): Promise<Uint8Array | null> {
    return new Promise(resolve => encodeBody(this.state.coding, body, resolve))
  }

  /** From what has just been looked for. */
  private putOff(): void {
    this.state.retryAtMs += FAILED_MS
  }

  private store(writer: MemoryEntry, body: Uint8Array, encoded: Uint8Array | null): void {
    if (encoded === null) throw new Error("the encoder failed")
    const { note, state, memory } = this
    const original = memory.find(note.key!)
    if (original === null) return
    original.release()
    const isUseful = encoded.length <= body.length * SIZE_MAX
    // Of what is not smaller an empty entry tells all threads, so that they need not try.
    const kept = isUseful ? encoded : encoded.subarray(0, 0)
    const head = encodedHead(note.stored, isUseful ? state.fields(note.stored) : null, note.digest)
    if (writer.setHead(head, kept.length, labelsOf(FieldLines.parse(note.stored.lines))) && writer.append(kept) && writer.complete())
      state.take(writer)
    else this.putOff()
  }
}
