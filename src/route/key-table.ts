// HOT
import { mix32 } from "../base/index.ts"

const EMPTY = -1
/** Where a hash over no characters starts (FNV-1a, 32 bits). */
export const HASH_SEED = 0x811c9dc5 | 0

/** One more character. Cheap and incremental, so that one pass over a text gives the hash of each of its prefixes; `keyHash` spreads the bits. */
export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193)
}

/** The hash of a text within a name space. */
export function keyHash(hash: number, space: number): number {
  return mix32(hash ^ Math.imul(space + 1, 0x9e3779b1)) | 0
}

/**
 * Hashes to small integers, built once, then only read. Open addressing, at most half full, so that a miss costs one or two probes:
 *
 *   slots: | hash value | -   -1 | hash value | hash value | ...   a power of two of pairs
 *
 * Different keys may have the same hash: the caller goes through all values of a hash and compares what they stand for.
 * Only the operator's texts are stored, so nobody outside can make the probes long.
 */
export class KeyTable {
  private readonly slots: Int32Array
  private readonly mask: number

  constructor(keysMax: number) {
    let capacity = 4
    while (capacity < keysMax * 2) capacity *= 2
    this.slots = new Int32Array(capacity * 2).fill(EMPTY)
    this.mask = capacity - 1
  }

  insert(hash: number, value: number): void {
    let slot = hash & this.mask
    while (this.slots[slot * 2 + 1] !== EMPTY) slot = (slot + 1) & this.mask
    this.slots[slot * 2] = hash
    this.slots[slot * 2 + 1] = value
  }

  /** The slot of the first value of this hash, or -1. */
  first(hash: number): number {
    return this.from(hash, hash & this.mask)
  }

  /** The slot of the next value of this hash behind `slot`, or -1. */
  next(hash: number, slot: number): number {
    return this.from(hash, (slot + 1) & this.mask)
  }

  valueAt(slot: number): number {
    return this.slots[slot * 2 + 1]!
  }

  private from(hash: number, start: number): number {
    const { slots, mask } = this
    let slot = start
    while (slots[slot * 2 + 1] !== EMPTY) {
      if (slots[slot * 2] === hash) return slot
      slot = (slot + 1) & mask
    }
    return -1
  }
}
