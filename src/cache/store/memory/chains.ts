// HOT
import { assert } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"
import { ENTRY_COMPLETE, ENTRY_FAILED } from "../contract.ts"
import {
  BLOCK,
  ENTRY_SHIFT,
  FLAGS,
  GROUP_BYTES,
  GROUP_HASH,
  HASH,
  KEY_BYTES,
  LIVE,
  NEXT,
  REPLACING,
  STATE_BITS,
  type StoreMemory,
  USED,
} from "./layout.ts"
import type { Octets } from "./octets.ts"

/** Entries of one chain; more of one group's (or of one hash's) find no room. */
export const CHAIN_MAX = 512
/** Steps of a reader, which may stray into other chains. */
const STEPS_MAX = 2 * CHAIN_MAX

export type Wanted = 0 | 1
/** What is to be found: there, or under way and nothing else to be found under its key. */
export const WANTED_FOUND = 0
/** Under way, in place of another or not. */
export const WANTED_PENDING = 1

/**
 * The hash table. A bucket is the first entry of its chain and a count that rises before and after something is taken out of it. Entries of one group lie
 * in one chain, the youngest first. Readers walk without the lock; who comes to the end and sees another count than before may have strayed.
 */
export class Chains {
  private readonly entries: Int32Array
  private readonly buckets: Int32Array
  private readonly octets: Octets
  private readonly mask: number

  constructor(memory: StoreMemory, octets: Octets) {
    this.entries = memory.entries
    this.buckets = memory.buckets
    this.octets = octets
    this.mask = memory.buckets.length / 2 - 1
  }

  /** First entry of the chain where a group lies. */
  first(groupHash: number): number {
    return Atomics.load(this.buckets, (groupHash & this.mask) * 2)
  }

  /** Rises when something is taken out of the chain. */
  changes(groupHash: number): number {
    return Atomics.load(this.buckets, (groupHash & this.mask) * 2 + 1)
  }

  next(slot: number): number {
    return Atomics.load(this.entries, (slot << ENTRY_SHIFT) + NEXT)
  }

  /** The first entry from `slot` on that may be the one: only its hash was compared. 0 = none; -1 = gave up after too many steps. */
  candidate(slot: number, hash: number): number {
    const { entries } = this
    let at = slot
    for (let steps = 0; at !== 0; steps++) {
      if (steps === STEPS_MAX) return -1
      const base = at << ENTRY_SHIFT
      if (entries[base + HASH] === hash) return at
      at = Atomics.load(entries, base + NEXT)
    }
    return 0
  }

  /** Whether an entry is the one for this key. Whoever asks holds it, or has the lock. */
  matches(slot: number, key: CacheKey, wanted: Wanted): boolean {
    const { entries, octets } = this
    const base = slot << ENTRY_SHIFT
    if (!isWanted(Atomics.load(entries, base + FLAGS), wanted)) return false
    const { text } = key
    if (entries[base + HASH] !== (key.hash | 0) || entries[base + KEY_BYTES] !== text.length) return false
    for (;;) {
      const block = Atomics.load(entries, base + BLOCK)
      const same = octets.isText(block, text)
      // the key moves when the head comes, and its old place is somebody else's then
      if (Atomics.load(entries, base + BLOCK) === block) return same
    }
  }

  /** Whether an entry is one that is found under its key. Whoever asks holds it, or has the lock. */
  isFindable(slot: number): boolean {
    return isWanted(Atomics.load(this.entries, (slot << ENTRY_SHIFT) + FLAGS), WANTED_FOUND)
  }

  /** The entry for this key; under the lock. 0 = none. */
  search(key: CacheKey, wanted: Wanted): number {
    const hash = key.hash | 0
    const { entries } = this
    for (let slot = this.first(key.groupHash); slot !== 0; slot = entries[(slot << ENTRY_SHIFT) + NEXT]!) {
      if (entries[(slot << ENTRY_SHIFT) + HASH] === hash && this.matches(slot, key, wanted)) return slot
    }
    return 0
  }

  /** Whether the entry has this key; under the lock. */
  isKey(slot: number, key: CacheKey): boolean {
    const { entries } = this
    const base = slot << ENTRY_SHIFT
    const { length } = key.text
    if (entries[base + HASH] !== (key.hash | 0) || entries[base + KEY_BYTES] !== length) return false
    return this.octets.isText(entries[base + BLOCK]!, key.text)
  }

  /** Whether the entry belongs to this group; under the lock or held. */
  isOfGroup(slot: number, group: string, groupHash: number): boolean {
    const base = slot << ENTRY_SHIFT
    const { entries } = this
    if (entries[base + GROUP_HASH] !== (groupHash | 0) || entries[base + GROUP_BYTES] !== group.length) return false
    return this.octets.isText(entries[base + BLOCK]!, group)
  }

  /** Puts an entry in front of its chain. */
  link(slot: number): void {
    const base = slot << ENTRY_SHIFT
    const bucket = (this.entries[base + GROUP_HASH]! & this.mask) * 2
    Atomics.store(this.entries, base + NEXT, this.buckets[bucket]!)
    Atomics.store(this.buckets, bucket, slot)
  }

  /**
   * Takes an entry out of its chain, and its LIVE bit. When another is under way in its place, that one is from now on what is found.
   * The count rises before the entry is invisible, so that a reader who came too early for the new one and too late for the old one looks again.
   */
  unlink(slot: number): void {
    const { entries, buckets } = this
    const base = slot << ENTRY_SHIFT
    const bucket = (entries[base + GROUP_HASH]! & this.mask) * 2
    const successor = this.successor(slot)
    if (successor !== 0) Atomics.and(entries, (successor << ENTRY_SHIFT) + FLAGS, ~REPLACING)
    Atomics.add(buckets, bucket + 1, 1)
    Atomics.and(entries, base + FLAGS, ~LIVE)
    const next = entries[base + NEXT]!
    let at = buckets[bucket]!
    if (at === slot) Atomics.store(buckets, bucket, next)
    else {
      while (entries[(at << ENTRY_SHIFT) + NEXT] !== slot) {
        assert(at !== 0, "a live entry is in its chain")
        at = entries[(at << ENTRY_SHIFT) + NEXT]!
      }
      Atomics.store(entries, (at << ENTRY_SHIFT) + NEXT, next)
    }
    Atomics.add(buckets, bucket + 1, 1)
  }

  /** The entry under way in place of this one, 0 = none. */
  private successor(slot: number): number {
    return (this.entries[(slot << ENTRY_SHIFT) + FLAGS]! & REPLACING) === 0 ? this.sibling(slot, REPLACING) : 0
  }

  /** What the entry is under way in place of, 0 = nothing. */
  predecessor(slot: number): number {
    return this.sibling(slot, 0)
  }

  private sibling(slot: number, replacing: number): number {
    const { entries } = this
    const base = slot << ENTRY_SHIFT
    const hash = entries[base + HASH]
    const length = entries[base + KEY_BYTES]!
    for (let at = this.first(entries[base + GROUP_HASH]!); at !== 0; at = entries[(at << ENTRY_SHIFT) + NEXT]!) {
      const other = at << ENTRY_SHIFT
      if (at === slot || entries[other + HASH] !== hash || entries[other + KEY_BYTES] !== length) continue
      if ((entries[other + FLAGS]! & REPLACING) !== replacing || (entries[other + FLAGS]! & STATE_BITS) === ENTRY_FAILED) continue
      if (this.octets.isSame(entries[base + BLOCK]!, entries[other + BLOCK]!, length)) return at
    }
    return 0
  }
}

function isWanted(flags: number, wanted: Wanted): boolean {
  if ((flags & (USED | LIVE)) !== (USED | LIVE)) return false
  const state = flags & STATE_BITS
  return wanted === WANTED_FOUND ? (flags & REPLACING) === 0 && state !== ENTRY_FAILED : state < ENTRY_COMPLETE
}
