// HOT
import { assert } from "../../../base/index.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_PENDING, type EntryState, type MemoryEntry } from "../contract.ts"
import type { Fills } from "./fills.ts"
import {
  BLOCK,
  BODY_LENGTH,
  CLAIM,
  ENTRY_SHIFT,
  FILLED,
  FLAGS,
  FREQUENCY,
  GENERATION,
  HEAD_BYTES,
  KEY_BYTES,
  LABEL_BYTES,
  LIVE,
  MARKED,
  REFUSED_TOO_LARGE,
  STATE_BITS,
  UNIT_SHIFT,
} from "./layout.ts"
import { FREQUENCY_MAX } from "./queues.ts"
import { NO_UNIT } from "./space.ts"
import type { StoreParts } from "./store-parts.ts"
import type { Watches } from "./watches.ts"

const EMPTY = new Uint8Array(0)
/** Tenths of a second. A claim that is further off was made before the clock was put back. */
const CLAIM_TENTHS_MAX = 36_000
const UNSEEN = -1

/** What an entry's handles have in common, in one thread. */
export interface HandleOwner {
  readonly parts: StoreParts
  readonly fills: Fills
  readonly watches: Watches
  readonly idle: EntryHandle[]
}

/** A thread's hold on an entry. Handles are used again; all they know by themselves is how far they have come in the body. */
export class EntryHandle implements MemoryEntry {
  /** What the handle last told of the state and of `filled`, -1 = nothing: who watches has seen that. */
  seenStatus: number
  seenFilled: number
  private readonly owner: HandleOwner
  private readonly parts: StoreParts
  private readonly entries: Int32Array
  private readonly links: Int32Array
  private slot: number
  private base: number
  private fills: boolean
  private headView: Uint8Array | null
  // The extent where the last piece was, and which octets of the body it has.
  private extent: number
  private extentFrom: number
  private extentTo: number
  /** Octet of its segment where `extentFrom` is. */
  private extentAt: number
  /** Octets of its first unit that are not the body's. */
  private extentSkip: number

  constructor(owner: HandleOwner) {
    this.owner = owner
    this.parts = owner.parts
    this.entries = owner.parts.memory.entries
    this.links = owner.parts.memory.links
    this.seenStatus = UNSEEN
    this.seenFilled = UNSEEN
    this.slot = 0
    this.base = 0
    this.fills = false
    this.headView = null
    this.extent = NO_UNIT
    this.extentFrom = 0
    this.extentTo = 0
    this.extentAt = 0
    this.extentSkip = 0
  }

  /** Takes over a hold that this thread has on a slot. */
  open(slot: number, fills: boolean): this {
    this.slot = slot
    this.base = slot << ENTRY_SHIFT
    this.fills = fills
    this.seenStatus = UNSEEN
    this.seenFilled = UNSEEN
    this.headView = null
    this.extent = NO_UNIT
    return this
  }

  get place(): number {
    return this.slot
  }

  get generation(): number {
    return this.entries[this.base + GENERATION]!
  }

  get state(): EntryState {
    const status = this.statusNow
    this.seenStatus = status
    return (status & STATE_BITS) as EntryState
  }

  /** The state, with a bit for a pending entry that is not live. Nobody goes on with the fills of a retired store. */
  get statusNow(): number {
    const flags = Atomics.load(this.entries, this.base + FLAGS)
    const state = flags & STATE_BITS
    if (state >= ENTRY_COMPLETE) return state
    if (this.parts.retired) return ENTRY_FAILED
    return state === ENTRY_PENDING && (flags & LIVE) === 0 ? LIVE : state
  }

  get live(): boolean {
    return (Atomics.load(this.entries, this.base + FLAGS) & LIVE) !== 0 && !this.parts.retired
  }

  get marked(): boolean {
    return (Atomics.load(this.entries, this.base + FLAGS) & MARKED) !== 0
  }

  get filling(): boolean {
    return this.fills
  }

  get head(): Uint8Array {
    if (this.headView !== null) return this.headView
    const { entries, base } = this
    if ((Atomics.load(entries, base + FLAGS) & STATE_BITS) === ENTRY_PENDING) return EMPTY
    const { octets } = this.parts
    const block = entries[base + BLOCK]!
    const at = octets.offset(block) + entries[base + KEY_BYTES]! + entries[base + LABEL_BYTES]!
    return (this.headView = octets.segment(block).subarray(at, at + entries[base + HEAD_BYTES]!))
  }

  get bodyLength(): number {
    return Atomics.load(this.entries, this.base + BODY_LENGTH)
  }

  get filled(): number {
    return (this.seenFilled = this.filledNow)
  }

  get filledNow(): number {
    return Atomics.load(this.entries, this.base + FILLED)
  }

  piece(at: number, max = Number.POSITIVE_INFINITY): Uint8Array {
    const filled = this.filled
    if (at >= filled || max <= 0) return EMPTY
    this.seek(at)
    if (filled > this.extentTo) this.measure()
    const end = Math.min(filled, this.extentTo, at + max)
    const from = this.extentAt + at - this.extentFrom
    return this.parts.octets.segment(this.extent).subarray(from, from + end - at)
  }

  touch(): void {
    const { entries, base } = this
    const frequency = entries[base + FREQUENCY]!
    // two threads at once may count as one
    if (frequency < FREQUENCY_MAX) entries[base + FREQUENCY] = frequency + 1
  }

  claim(nowMs: number, untilMs: number): boolean {
    const { entries, base } = this
    const { epochMs } = this.parts.memory.shared
    const now = Math.floor((nowMs - epochMs) / 100)
    const until = Math.min(Math.ceil((untilMs - epochMs) / 100), now + CLAIM_TENTHS_MAX)
    const before = Atomics.load(entries, base + CLAIM)
    if (before !== 0 && before > now && before <= now + CLAIM_TENTHS_MAX) return false
    return Atomics.compareExchange(entries, base + CLAIM, before, until === 0 ? 1 : until) === before
  }

  unclaim(): void {
    Atomics.store(this.entries, this.base + CLAIM, 0)
  }

  watch(changed: () => void): void {
    assert(this.slot !== 0, "an entry is watched by those who hold it")
    if (this.seenStatus === UNSEEN) this.seenStatus = this.statusNow
    if (this.seenFilled === UNSEEN) this.seenFilled = this.filledNow
    this.owner.watches.add(this, changed)
  }

  unwatch(changed: () => void): void {
    this.owner.watches.remove(this, changed)
  }

  release(): void {
    const { slot, owner } = this
    assert(slot !== 0, "an entry is released once")
    if (this.fills) this.fail()
    if (owner.watches.count > 0) owner.watches.remove(this, null)
    this.slot = 0
    this.headView = null
    owner.idle.push(this)
    this.parts.unpin(slot)
  }

  setHead(head: Uint8Array, bodyLength: number, labels: readonly string[]): boolean {
    assert(this.fills, "only the one that fills sets the head")
    const done = !this.parts.retired && this.owner.fills.setHead(this.slot, head, bodyLength, labels)
    if (done) this.tell()
    return done
  }

  append(chunk: Uint8Array): boolean {
    if (!this.fills) return false
    if (chunk.length === 0) return true
    const { entries, base } = this
    const filled = entries[base + FILLED]!
    if (this.parts.retired || !this.makeRoom(filled, chunk.length)) return false
    this.write(chunk, filled)
    Atomics.store(entries, base + FILLED, filled + chunk.length)
    this.tell()
    return true
  }

  complete(): boolean {
    if (!this.fills) return false
    const { entries, base, slot } = this
    const filled = entries[base + FILLED]!
    const length = entries[base + BODY_LENGTH]!
    const pending = (entries[base + FLAGS]! & STATE_BITS) === ENTRY_PENDING
    if (pending || this.parts.retired || (length !== -1 && length !== filled)) {
      this.fail()
      return false
    }
    this.fills = false
    this.owner.fills.complete(slot, filled)
    this.tell()
    return true
  }

  fail(): void {
    if (!this.fills) return
    this.fills = false
    this.owner.fills.fail(this.slot)
    this.tell()
  }

  private tell(): void {
    const { parts, slot, owner } = this
    parts.bells.ring(slot, parts.memory.self)
    if (owner.watches.count > 0) owner.watches.tell(slot)
  }

  /** Makes the extent current that has this octet of the body. */
  private seek(at: number): void {
    if (this.extent === NO_UNIT || at < this.extentFrom) this.seekFirst()
    while (at >= this.extentTo && this.seekNext());
  }

  private seekFirst(): void {
    const { entries, base } = this
    const block = entries[base + BLOCK]!
    const meta = entries[base + KEY_BYTES]! + entries[base + LABEL_BYTES]! + entries[base + HEAD_BYTES]!
    this.extent = block
    this.extentFrom = 0
    this.extentAt = this.parts.octets.offset(block) + meta
    this.extentSkip = meta
    this.measure()
  }

  /** Extents grow while they are filled. */
  private measure(): void {
    this.extentTo = this.extentFrom + (this.links[this.extent * 2 + 1]! << UNIT_SHIFT) - this.extentSkip
  }

  private seekNext(): boolean {
    const before = this.extentTo
    this.measure()
    if (this.extentTo > before) return true
    const next = this.links[this.extent * 2]!
    if (next === NO_UNIT) return false
    this.extent = next
    this.extentFrom = this.extentTo
    this.extentAt = this.parts.octets.offset(next)
    this.extentSkip = 0
    this.measure()
    return true
  }

  /** Whether `length` octets more have their place behind `filled`; makes it when the body's length is not known. */
  private makeRoom(filled: number, length: number): boolean {
    const { entries, base } = this
    const bodyLength = entries[base + BODY_LENGTH]!
    if (bodyLength !== -1) return filled + length <= bodyLength
    const meta = entries[base + KEY_BYTES]! + entries[base + LABEL_BYTES]! + entries[base + HEAD_BYTES]!
    if (meta + filled + length > this.parts.memory.shared.entryBytesMax) {
      this.parts.refuse(REFUSED_TOO_LARGE)
      return false
    }
    this.seek(filled)
    this.measure()
    let last = this.extent
    let room = this.extentTo - filled
    for (let next = this.links[last * 2]!; next !== NO_UNIT; next = this.links[next * 2]!) {
      room += this.links[next * 2 + 1]! << UNIT_SHIFT
      last = next
    }
    return room >= length || this.owner.fills.grow(this.slot, last, length - room)
  }

  private write(chunk: Uint8Array, filled: number): void {
    const { length } = chunk
    for (let done = 0; done < length; ) {
      const at = filled + done
      this.seek(at)
      const octets = this.parts.octets.segment(this.extent)
      const count = Math.min(length - done, this.extentTo - at)
      octets.set(count === length ? chunk : chunk.subarray(done, done + count), this.extentAt + at - this.extentFrom)
      done += count
    }
  }
}
