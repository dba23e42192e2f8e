// HOT
const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/** Spreads the bits of a 32-bit integer (the finaliser of MurmurHash3): a bijection in which each input bit changes about half of the output bits. */
export function mix32(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function scramble(block: number): number {
  const k = Math.imul(block, C1)
  return Math.imul((k << 15) | (k >>> 17), C2)
}

/**
 * MurmurHash3 (x86, 32 bits, public domain) over the UTF-16 code units of `text`, low octet first, two units a block. Answers an unsigned 32-bit integer.
 * The same text hashes the same however the runtime stores it, on every machine and version: consistent hashing may rely on it.
 * For spreading load only: whoever knows the seed can make collisions.
 */
export function hashString(text: string, seed = 0): number {
  const { length } = text
  const even = length & ~1
  let h = seed | 0
  for (let i = 0; i < even; i += 2) {
    h ^= scramble(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  if (even !== length) h ^= scramble(text.charCodeAt(even))
  return mix32(h ^ (length << 1))
}

/**
 * A small seeded generator (sfc32 by Chris Doty-Humphrey): fast, repeatable, good enough for jitter, balancers and tests.
 * Never for secrets, query ids or anything that an attacker must not guess: use `node:crypto` there.
 */
export class Random {
  private a: number
  private b: number
  private c: number
  private counter: number

  constructor(seed: number) {
    this.a = 0
    this.b = seed | 0
    this.c = mix32(seed) | 0
    this.counter = 1
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** 0 to 4,294,967,295. */
  uint32(): number {
    const result = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0
    return result >>> 0
  }

  /** 0 up to, not including, 1. */
  float(): number {
    return this.uint32() / 4_294_967_296
  }

  /** An integer from 0 up to, not including, `limit` (1 to 2^32). The bias is under limit / 2^32. */
  below(limit: number): number {
    return Math.floor(this.float() * limit)
  }

  /** `value` moved at random by up to `share` of itself either way: `jitter(1000, 0.1)` is 900 to 1,100. */
  jitter(value: number, share: number): number {
    return value + value * share * (this.float() * 2 - 1)
  }
}
