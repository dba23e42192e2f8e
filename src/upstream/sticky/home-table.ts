// HOT
import { assert } from "../../base/index.ts"

/*
 * Memory of all workers, in 32-bit words: sets of 8 entries, one set a cache line.
 *
 *   entry   key (never 0) | slot + 1 in the upper 16 bits, time of the last use in the lower 16
 *
 * Nobody locks. A writer that another one crosses leaves an entry whose halves are of two clients: one of them goes to the other's peer, once.
 */
const WAYS = 8
const SET_WORDS = WAYS * 2
const TIME_MASK = 0xffff

/** A time is counted in parts of the ttl, so that 16 bits go round long after an entry has run out. */
const PARTS_OF_TTL = 256

/** Which peer a client was with, by a hash of who it is. Bounded: a client that comes new to a full set takes the place of the one that was away longest. */
export class HomeTable {
  private readonly words: Int32Array
  private readonly sets: number
  private readonly unitMs: number

  /** `memory` of `octets(entriesMax)`. */
  constructor(memory: SharedArrayBuffer, ttlMs: number) {
    this.words = new Int32Array(memory)
    this.sets = this.words.length / SET_WORDS
    this.unitMs = Math.max(1, ttlMs / PARTS_OF_TTL)
    assert(this.sets >= 1 && Number.isInteger(this.sets), "a table of homes has whole sets")
  }

  /** Octets for so many clients, rounded up to whole sets. */
  static octets(entriesMax: number): number {
    return Math.ceil(entriesMax / WAYS) * SET_WORDS * 4
  }

  /** The slot of the client's peer, -1 = it has none, or was away too long. `wallMs`: milliseconds since 1970. */
  find(key: number, wallMs: number): number {
    const base = this.setOf(key)
    const now = this.timeOf(wallMs)
    for (let at = base; at < base + SET_WORDS; at += 2) {
      if (Atomics.load(this.words, at) !== (key | 0)) continue
      const entry = Atomics.load(this.words, at + 1)
      if (entry === 0 || ageOf(entry, now) > PARTS_OF_TTL) return -1
      return (entry >>> 16) - 1
    }
    return -1
  }

  set(key: number, slot: number, wallMs: number): void {
    assert(key !== 0, "no client has the key 0")
    const base = this.setOf(key)
    const now = this.timeOf(wallMs)
    const entry = ((slot + 1) << 16) | now
    let place = base
    let oldest = -1
    for (let at = base; at < base + SET_WORDS; at += 2) {
      const owner = Atomics.load(this.words, at)
      if (owner === (key | 0)) {
        // Read far more often than written: the line stays in the caches of all.
        if (Atomics.load(this.words, at + 1) !== entry) Atomics.store(this.words, at + 1, entry)
        return
      }
      const age = owner === 0 ? TIME_MASK + 1 : ageOf(Atomics.load(this.words, at + 1), now)
      if (age <= oldest) continue
      oldest = age
      place = at
    }
    Atomics.store(this.words, place + 1, 0)
    Atomics.store(this.words, place, key | 0)
    Atomics.store(this.words, place + 1, entry)
  }

  private setOf(key: number): number {
    return ((key >>> 0) % this.sets) * SET_WORDS
  }

  private timeOf(wallMs: number): number {
    return Math.floor(wallMs / this.unitMs) & TIME_MASK
  }
}

function ageOf(entry: number, now: number): number {
  return (now - (entry & TIME_MASK)) & TIME_MASK
}
