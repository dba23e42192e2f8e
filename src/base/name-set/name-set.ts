// HOT
import { assert } from "../assert.ts"
import { NameHash } from "./name-hash.ts"

/** The name itself is in the set. */
export const NAME_SELF = 1
/** Names below it are. */
export const NAME_BELOW = 2
/** The name itself is taken out again, whatever else says that it is in. */
export const EXCEPT_SELF = 4
/** Names below it are taken out again. */
export const EXCEPT_BELOW = 8
/** Is in the set though an exception takes it out. */
export const FIRM_SELF = 16
export const FIRM_BELOW = 32

/** A name and those below it. */
export const NAME_TREE = NAME_SELF | NAME_BELOW

/** Bits of an entry's second word that are kinds and no hash. */
export const KIND_BITS = 63

/**
 * The memory, in words of 32 bits. An entry is one of `slots`: the high word of its hash, then the low one with the kinds in its last six bits; 0 in the second = free.
 * A look-up begins at `high * slots / 2^32` and goes on to the next slot until it finds the hash or a free slot.
 */
export const NAME_SET = { magic: 0, slots: 1, names: 2, seedA: 3, seedB: 4, headWords: 16 } as const
export const NAME_SET_MAGIC = 0x6e616d65

/**
 * A set of host names in memory that all threads may share: eleven octets a name, names as hashes of 58 bits. Wrong answers to "is it in" come about once in 10^11
 * look-ups with a million names; "is it not in" is never wrong. Built by `NameSetBuilder`, and never changed after.
 */
export class NameSet {
  /** Where in the host of the last look-up the longest name begins that the set holds with it, -1 = there is none; exceptions left aside. */
  nameAt = -1
  /** Where the name of an exception begins that takes the host out, -1 = there is none. */
  exceptAt = -1
  private firm = false
  private readonly words: Uint32Array
  private readonly slots: number
  private readonly hash: NameHash

  constructor(memory: SharedArrayBuffer | ArrayBuffer) {
    const words = new Uint32Array(memory)
    assert(words[NAME_SET.magic] === NAME_SET_MAGIC, "the memory holds a set of names")
    this.words = words
    this.slots = words[NAME_SET.slots]!
    this.hash = new NameHash(words[NAME_SET.seedA]!, words[NAME_SET.seedB]!)
  }

  /** Different names, exceptions included. */
  get names(): number {
    return this.words[NAME_SET.names]!
  }

  get bytes(): number {
    return this.words.byteLength
  }

  /** Whether the set holds `host`: in lower case, without a dot at its end, international names as A-labels. */
  has(host: string): boolean {
    return this.find(host) >= 0
  }

  /** Where in `host` the longest name begins that holds it: 0 = the host itself, -1 = none does. */
  find(host: string): number {
    this.walk(host)
    return this.nameAt >= 0 && (this.exceptAt < 0 || this.firm) ? this.nameAt : -1
  }

  private walk(host: string): void {
    const { hash } = this
    this.nameAt = -1
    this.exceptAt = -1
    this.firm = false
    hash.begin()
    for (let i = host.length - 1; i > 0; i--) {
      const code = host.charCodeAt(i)
      hash.step(code)
      if (host.charCodeAt(i - 1) === 0x2e) this.note(this.kindsHere() & (NAME_BELOW | EXCEPT_BELOW | FIRM_BELOW), i)
    }
    if (host.length === 0) return
    hash.step(host.charCodeAt(0))
    this.note(this.kindsHere() & (NAME_SELF | EXCEPT_SELF | FIRM_SELF), 0)
  }

  private note(kinds: number, at: number): void {
    if (kinds === 0) return
    if ((kinds & (NAME_TREE | FIRM_SELF | FIRM_BELOW)) !== 0) this.nameAt = at
    if ((kinds & (FIRM_SELF | FIRM_BELOW)) !== 0) this.firm = true
    if ((kinds & (EXCEPT_SELF | EXCEPT_BELOW)) !== 0) this.exceptAt = at
  }

  /** Kinds of the entry for what the hash has read so far, 0 = there is none. */
  private kindsHere(): number {
    const { words, slots, hash } = this
    hash.finish()
    const { high } = hash
    const low = hash.low & ~KIND_BITS
    let slot = Math.floor((high * slots) / 4_294_967_296)
    for (;;) {
      const at = NAME_SET.headWords + slot * 2
      const second = words[at + 1]!
      if (second === 0) return 0
      if (words[at] === high && (second & ~KIND_BITS) === low) return second & KIND_BITS
      if (++slot === slots) slot = 0
    }
  }
}
