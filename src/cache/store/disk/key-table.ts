// HOT
import { assert, hashString, mix32 } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"

/**
 * The keys that are on disk, as two hashes each, in memory that all threads share: one writes (the keeper), all ask.
 *
 * Lines of 16 words, one cache line. Word 0 counts keys of this line that have no place anywhere, word 1 those that stand in another line; the others hold tags
 * (the second hash; 0 = free). A key stands in its line, or where that is full in its second line, or, where that is full too, nowhere:
 * then its line says "may be" to everything, so nobody who makes up keys with equal hashes gets more out of it than a look at the disk.
 */
const WORDS = 16
const PLACES = 14
const HOMELESS = 0
const MOVED = 1
const FIRST_PLACE = 2
const TWO32 = 4_294_967_296

/** Places for each key at the limit: with so many, one key in 1,000 stands in its second line and one in a million nowhere. */
const ROOM = 2.25

/** Lines for so many keys. */
export function keyTableLines(entriesMax: number): number {
  return Math.max(2, Math.ceil((ROOM * entriesMax) / PLACES))
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
    const { words } = this
    const line = this.lineOf(hash)
    if (words[line + HOMELESS] !== 0 || this.placeIn(line, tag) >= 0) return true
    return words[line + MOVED] !== 0 && this.placeIn(this.secondLine(hash, tag), tag) >= 0
  }

  /** For the one that writes: false = both lines are full, which its line counts. */
  put(hash: number, tag: number): boolean {
    const { words } = this
    const line = this.lineOf(hash)
    const place = this.placeIn(line, 0)
    if (place >= 0) {
      words[place] = tag
      return true
    }
    const second = this.placeIn(this.secondLine(hash, tag), 0)
    // Counted first: nobody sees it missing in between.
    words[line + (second >= 0 ? MOVED : HOMELESS)]!++
    if (second >= 0) words[second] = tag
    return second >= 0
  }

  /** False = it stands nowhere. */
  drop(hash: number, tag: number): boolean {
    const { words } = this
    const line = this.lineOf(hash)
    const place = this.placeIn(line, tag)
    if (place >= 0) {
      words[place] = 0
      return true
    }
    const second = words[line + MOVED] === 0 ? -1 : this.placeIn(this.secondLine(hash, tag), tag)
    if (second < 0) return false
    words[second] = 0
    words[line + MOVED]!--
    return true
  }

  /** One that its line counted as without a place is gone, or has one now. */
  uncount(hash: number): void {
    const at = this.lineOf(hash) + HOMELESS
    assert(this.words[at]! > 0, "a line counts what it has no place for")
    this.words[at]!--
  }

  clear(): void {
    this.words.fill(0)
  }

  private lineOf(hash: number): number {
    return Math.floor((hash * this.lines) / TWO32) * WORDS
  }

  private secondLine(hash: number, tag: number): number {
    return this.lineOf(mix32((hash + Math.imul(tag, 0x9e3779b1)) | 0))
  }

  private placeIn(line: number, tag: number): number {
    const { words } = this
    for (let at = line + FIRST_PLACE; at < line + WORDS; at++) if (words[at] === tag) return at
    return -1
  }
}
