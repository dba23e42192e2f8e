// HOT
import { assert } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED, ENTRY_FILLING, ENTRY_PENDING } from "../contract.ts"
import { CHAIN_MAX, WANTED_FOUND } from "./chains.ts"
import { ROUNDS_MAX } from "./keeping.ts"
import {
  BLOCK,
  BODY_LENGTH,
  CLAIM,
  CONTENT,
  CONTENT_BYTES,
  COUNT_INSERTED,
  ENTRIES_LIVE,
  ENTRY_BYTES_CEILING,
  ENTRY_SHIFT,
  FILLED,
  FILLER,
  FLAGS,
  FREQUENCY,
  GROUP_BYTES,
  GROUP_HASH,
  HASH,
  HEAD_BYTES,
  KEY_BLOCK,
  KEY_BYTES,
  LABEL_BYTES,
  LIVE,
  REFUSED_CROWDED,
  REFUSED_FRAGMENTED,
  REFUSED_NO_ROOM,
  REFUSED_NO_SLOT,
  REFUSED_TOO_LARGE,
  REPLACING,
  STATE_BITS,
  UNIT_BYTES,
  UNITS,
  USED,
  WATCHERS,
} from "./layout.ts"
import { isLatin1, labelBytes } from "./octets.ts"
import { MAIN, SMALL } from "./queues.ts"
import { NO_UNIT } from "./space.ts"
import type { StoreParts } from "./store-parts.ts"

const KEY_BYTES_MAX = 32 * 1024
/** Room for a body of unknown length at first; then as much again as there is, up to a limit. */
const BODY_UNITS_FIRST = 16
const GROWTH_UNITS_MAX = (16 * 1024 * 1024) / UNIT_BYTES

/** What the thread does that fills an entry. Slots are held by it. */
export class Fills {
  private readonly parts: StoreParts
  private readonly entryBytesMax: number

  constructor(parts: StoreParts) {
    this.parts = parts
    this.entryBytesMax = parts.memory.shared.entryBytesMax
  }

  /** A new entry under this key, held; 0 = somebody fills it already, it is there (without `replace`), or there is no room. */
  begin(key: CacheKey, replace: boolean): number {
    const { parts } = this
    assert(key.text.startsWith(key.group) && isLatin1(key.text), "a key begins with its group, and its characters are octets")
    if (key.text.length > KEY_BYTES_MAX || key.text.length > this.entryBytesMax) {
      parts.refuse(REFUSED_TOO_LARGE)
      return 0
    }
    if (!parts.lock.takeForFill()) return 0
    parts.keeping.sweep()
    const before = this.look(key)
    const slot = before < 0 || (before > 0 && !replace) ? 0 : this.place(key, before > 0)
    parts.lock.release()
    return slot
  }

  /**
   * A new entry, held, in place of one that this thread fills. It is there before the old one is gone, so that nobody finds a gap. 0 = there is no room, and
   * the old one is gone all the same; or that one was removed, and its place is to stay empty.
   */
  supersede(slot: number, key: CacheKey): number {
    const { parts } = this
    if (!parts.lock.takeForFill()) return 0
    const flags = parts.memory.entries[(slot << ENTRY_SHIFT) + FLAGS]!
    const next = (flags & LIVE) === 0 ? 0 : this.place(key, (flags & REPLACING) !== 0)
    parts.keeping.drop(slot)
    parts.lock.release()
    return next
  }

  /** What is there under the key: an entry, 0 = nothing, -1 = a fill is under way, or there is no place in the chain. Clears away what failed. */
  private look(key: CacheKey): number {
    const { chains, keeping, memory } = this.parts
    let found = 0
    let oldest = 0
    let count = 0
    for (let slot = chains.first(key.groupHash), next = 0; slot !== 0; slot = next) {
      next = chains.next(slot)
      const flags = memory.entries[(slot << ENTRY_SHIFT) + FLAGS]!
      const state = flags & STATE_BITS
      count++
      if (state === ENTRY_FAILED) keeping.drop(slot)
      else if (state === ENTRY_COMPLETE) oldest = slot
      if (state === ENTRY_FAILED || !chains.isKey(slot, key)) continue
      if (state !== ENTRY_COMPLETE) return -1
      found = slot
    }
    if (count < CHAIN_MAX || found !== 0) return found
    if (oldest !== 0) keeping.drop(oldest)
    else this.parts.refuse(REFUSED_CROWDED)
    return oldest === 0 ? -1 : 0
  }

  private place(key: CacheKey, replacing: boolean): number {
    const { parts } = this
    const { control, counters, entries, self } = parts.memory
    const units = unitsOf(key.text.length)
    const slot = this.takeSlot()
    if (slot === 0) {
      parts.refuse(REFUSED_NO_SLOT)
      return 0
    }
    const block = parts.keeping.makeBlock(units, units)
    if (block === NO_UNIT) {
      parts.keeping.giveSlot(slot)
      parts.refuse(REFUSED_NO_ROOM)
      return 0
    }
    parts.octets.writeText(block, key.text)
    const base = slot << ENTRY_SHIFT
    entries[base + HASH] = key.hash | 0
    entries[base + GROUP_HASH] = key.groupHash | 0
    entries[base + KEY_BYTES] = key.text.length
    entries[base + GROUP_BYTES] = key.group.length
    entries[base + LABEL_BYTES] = 0
    entries[base + HEAD_BYTES] = 0
    entries[base + BODY_LENGTH] = -1
    entries[base + FILLED] = 0
    entries[base + FREQUENCY] = 0
    entries[base + CLAIM] = 0
    entries[base + WATCHERS] = 0
    entries[base + FILLER] = self + 1
    entries[base + UNITS] = units
    entries[base + CONTENT] = key.text.length
    counters[CONTENT_BYTES]! += key.text.length
    entries[base + KEY_BLOCK] = NO_UNIT
    entries[base + BLOCK] = block
    parts.pins.pin(slot)
    // what is to be replaced may have been evicted to make room
    const isSecond = replacing && parts.chains.search(key, WANTED_FOUND) !== 0
    Atomics.store(entries, base + FLAGS, USED | LIVE | (isSecond ? REPLACING : 0) | ENTRY_PENDING)
    parts.chains.link(slot)
    control[ENTRIES_LIVE]!++
    return slot
  }

  private takeSlot(): number {
    const { keeping } = this.parts
    const slot = keeping.takeSlot()
    if (slot !== 0) return slot
    keeping.evictSome()
    return keeping.takeSlot()
  }

  /** False = there is no room: the entry is pending as before. */
  setHead(slot: number, head: Uint8Array, bodyLength: number, labels: readonly string[]): boolean {
    const { parts, entryBytesMax } = this
    const { entries } = parts.memory
    const base = slot << ENTRY_SHIFT
    assert((entries[base + FLAGS]! & STATE_BITS) === ENTRY_PENDING, "a head comes once")
    const labelOctets = labelBytes(labels)
    const meta = entries[base + KEY_BYTES]! + labelOctets + head.length
    if (labelOctets < 0 || bodyLength > ENTRY_BYTES_CEILING || meta + Math.max(bodyLength, 0) > entryBytesMax) {
      parts.refuse(REFUSED_TOO_LARGE)
      return false
    }
    const runUnits = unitsOf(meta)
    const units = bodyLength >= 0 ? unitsOf(meta + bodyLength) : Math.min(runUnits + BODY_UNITS_FIRST, unitsOf(entryBytesMax))
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!parts.lock.takeForFill()) return false
      const reachable = parts.keeping.isWithinReach(units)
      const block = reachable ? parts.keeping.makeBlock(units, runUnits) : NO_UNIT
      if (block !== NO_UNIT) {
        parts.octets.writeLabels(block, entries[base + KEY_BYTES]!, labels)
        parts.octets.segment(block).set(head, parts.octets.offset(block) + entries[base + KEY_BYTES]! + labelOctets)
        entries[base + LABEL_BYTES] = labelOctets
        entries[base + HEAD_BYTES] = head.length
        entries[base + BODY_LENGTH] = bodyLength
        this.moveIn(slot, block, units)
      }
      parts.lock.release()
      if (block !== NO_UNIT) return true
      if (!reachable) break
    }
    parts.refuse(parts.space.unitsFree >= units ? REFUSED_FRAGMENTED : REFUSED_NO_ROOM)
    return false
  }

  /** The entry moves from its key's block into the one with everything, and is found from now on. Under the lock. */
  private moveIn(slot: number, block: number, units: number): void {
    const { memory, octets, space, pins, chains, queues, keeping, ghosts } = this.parts
    const { entries, counters } = memory
    const base = slot << ENTRY_SHIFT
    const before = entries[base + BLOCK]!
    const content =
      entries[base + KEY_BYTES]! + entries[base + LABEL_BYTES]! + entries[base + HEAD_BYTES]! + Math.max(entries[base + BODY_LENGTH]!, 0)
    octets.copy(before, block, entries[base + KEY_BYTES]!)
    Atomics.store(entries, base + BLOCK, block)
    if (pins.heldByOthers(slot)) {
      entries[base + KEY_BLOCK] = before
      entries[base + UNITS]! += units
    } else {
      space.freeChain(before)
      entries[base + UNITS] = units
    }
    counters[CONTENT_BYTES]! += content - entries[base + CONTENT]!
    entries[base + CONTENT] = content
    counters[COUNT_INSERTED]!++
    Atomics.or(entries, base + FLAGS, ENTRY_FILLING)
    const flags = entries[base + FLAGS]!
    if ((flags & LIVE) === 0) return
    queues.push(slot, ghosts.take(entries[base + HASH]!) ? MAIN : SMALL, 0)
    if ((flags & REPLACING) === 0) return
    const predecessor = chains.predecessor(slot)
    if (predecessor !== 0) keeping.drop(predecessor)
    Atomics.and(entries, base + FLAGS, ~REPLACING)
  }

  /** Makes room for `octets` more behind the extent at `tail`, and for as many again as there are. False = there is none. */
  grow(slot: number, tail: number, octets: number): boolean {
    const { lock, keeping, memory, space, queues } = this.parts
    const have = memory.entries[(slot << ENTRY_SHIFT) + UNITS]!
    const better = Math.min(Math.max(have, BODY_UNITS_FIRST), GROWTH_UNITS_MAX, unitsOf(this.entryBytesMax) - have)
    let missing = unitsOf(octets)
    let last = tail
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!lock.takeForFill()) return false
      const reachable = keeping.isWithinReach(missing)
      const wanted = Math.max(missing, better)
      let got = space.extend(last, wanted)
      const chain = reachable && got < missing ? keeping.makeChain(wanted - got, missing - got) : NO_UNIT
      if (chain !== NO_UNIT) {
        space.join(last, chain)
        last = space.last
        got += space.chainUnits(chain)
      }
      queues.resize(slot, got)
      missing -= got
      lock.release()
      if (missing <= 0) return true
      if (!reachable) break
    }
    this.parts.refuse(REFUSED_NO_ROOM)
    return false
  }

  /** All `filled` octets of the body are there. */
  complete(slot: number, filled: number): void {
    const { entries } = this.parts.memory
    const base = slot << ENTRY_SHIFT
    if (entries[base + BODY_LENGTH] === -1) {
      this.trim(slot, filled)
      Atomics.store(entries, base + BODY_LENGTH, filled)
    }
    // from filling to complete, whatever others do with the other bits
    Atomics.xor(entries, base + FLAGS, ENTRY_FILLING ^ ENTRY_COMPLETE)
  }

  /** Gives back what a body of unknown length did not need. Without the lock it keeps it. */
  private trim(slot: number, filled: number): void {
    const { lock, memory, space, queues } = this.parts
    const { entries, counters } = memory
    const base = slot << ENTRY_SHIFT
    if (!lock.take()) return
    queues.resize(slot, -space.trimChain(entries[base + BLOCK]!, unitsOf(entries[base + CONTENT]! + filled)))
    entries[base + CONTENT]! += filled
    counters[CONTENT_BYTES]! += filled
    lock.release()
  }

  fail(slot: number): void {
    const { parts } = this
    Atomics.or(parts.memory.entries, (slot << ENTRY_SHIFT) + FLAGS, ENTRY_FAILED)
    if (!parts.lock.take()) {
      parts.askForSweep()
      return
    }
    parts.keeping.drop(slot)
    parts.lock.release()
  }
}

function unitsOf(octets: number): number {
  return Math.max(Math.ceil(octets / UNIT_BYTES), 1)
}
