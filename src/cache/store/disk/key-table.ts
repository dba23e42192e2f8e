// HOT
import { assert, hashString, mix32 } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"

/**
 * The keys that are on disk, as two hashes each, in memory that all threads share: one writes (the keeper), all ask.
 *
 * Lines of 16 words (one cache line): word 0 counts keys that found no place in their lines, the others hold tags (the second hash; 0 = free). A key may stand in
 * two lines, and goes where there is more room: at half full next to none finds both full. Where it does, its first line says "may be" to everything, so nobody
 * who makes up keys with equal hashes gets more out of it than a look at the disk.
 */
const WORDS = 16
const PLACES = 15
const TWO32 = 4_294_967_296

/** Lines for so many keys: twice the room. */
export function keyTableLines(entriesMax: number): number {
  return Math.max(2, Math.ceil((2 * entriesMax) / PLACES))
}

/** Octets of the table. */
export function keyTableBytes(entriesMax: number): number {
  return keyTableLines(entriesMax) * WORDS * 4
}

/** The second hash of a key. `seed` is the seed of the first one. */
export function tagOf(keyText: string, seed: number): number {
  return hashString(keyText, mix32(seed ^ 0x2545f491)) || 1
}

export class KeyTable {
  private readonly words: Uint32Array
  private readonly lines: number
  private readonly seed: number

  constructor(words: Uint32Array, seed: number) {
    assert(words.length % WORDS === 0 && words.length > 0, "a table of whole lines")
    this.words = words
    this.lines = words.length / WORDS
    this.seed = seed
  }

  /** For anybody: false = not there. */
  has(key: CacheKey): boolean {
    return this.hasHash(key.hash, tagOf(key.text, this.seed))
  }

  hasHash(hash: number, tag: number): boolean {
    const first = this.firstLine(hash)
    if (this.words[first] !== 0 || this.placeIn(first, tag) >= 0) return true
    return this.placeIn(this.secondLine(hash, tag), tag) >= 0
  }

  /** For the one that writes: false = both lines are full; the first one counts it. */
  put(hash: number, tag: number): boolean {
    const first = this.firstLine(hash)
    const second = this.secondLine(hash, tag)
    const line = this.freeIn(first) >= this.freeIn(second) ? first : second
    const place = this.placeIn(line, 0)
    if (place < 0) {
      this.words[first]!++
      return false
    }
    this.words[place] = tag
    return true
  }

  /** False = it stands in none of its lines. */
  drop(hash: number, tag: number): boolean {
    const first = this.firstLine(hash)
    let place = this.placeIn(first, tag)
    if (place < 0) place = this.placeIn(this.secondLine(hash, tag), tag)
    if (place < 0) return false
    this.words[place] = 0
    return true
  }

  /** One that its first line counted is gone, or stands in a line now. */
  uncount(hash: number): void {
    const first = this.firstLine(hash)
    assert(this.words[first]! > 0, "a line counts what it has no place for")
    this.words[first]!--
  }

  clear(): void {
    this.words.fill(0)
  }

  private firstLine(hash: number): number {
    return Math.floor((hash * this.lines) / TWO32) * WORDS
  }

  private secondLine(hash: number, tag: number): number {
    return this.firstLine(mix32((hash + Math.imul(tag, 0x9e3779b1)) | 0))
  }

  private placeIn(line: number, tag: number): number {
    for (let at = line + 1; at < line + WORDS; at++) if (this.words[at] === tag) return at
    return -1
  }

  private freeIn(line: number): number {
    let free = 0
    for (let at = line + 1; at < line + WORDS; at++) if (this.words[at] === 0) free++
    return free
  }
}
