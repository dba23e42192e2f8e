// HOT

/**
 * HalfSipHash-1-3 with a result of 64 bits (Aumasson and Bernstein, "SipHash", 2012, in its form for 32-bit machines), over the UTF-16 units of a text,
 * two of them a block. Whoever does not know the seed cannot make keys that fall together, as they can with a hash that is only seeded.
 */
export class KeyHash {
  /** The result of the last call. Never both 0: that stands for "no key" in tables. */
  high = 0
  low = 1
  private readonly seedLow: number
  private readonly seedHigh: number
  private v0 = 0
  private v1 = 0
  private v2 = 0
  private v3 = 0

  constructor(seedLow: number, seedHigh: number) {
    this.seedLow = seedLow | 0
    this.seedHigh = seedHigh | 0
  }

  read(text: string): void {
    const { length } = text
    const even = length & ~1
    let v0 = this.seedLow
    let v1 = this.seedHigh ^ 0xee
    let v2 = 0x6c796765 ^ this.seedLow
    let v3 = 0x74656462 ^ this.seedHigh
    for (let i = 0; i <= even; i += 2) {
      // The last block holds the length, so that no text is another one's beginning.
      const block = i < even ? text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16) : (even === length ? 0 : text.charCodeAt(even)) | (length << 16)
      v3 ^= block
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= block
    }
    this.v0 = v0
    this.v1 = v1
    this.v2 = v2 ^ 0xee
    this.v3 = v3
    this.finish()
    this.high = this.v1 ^ this.v3
    this.v1 ^= 0xdd
    this.finish()
    this.low = this.v1 ^ this.v3
    if (this.high === 0 && this.low === 0) this.low = 1
  }

  private finish(): void {
    let { v0, v1, v2, v3 } = this
    for (let round = 0; round < 3; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    this.v0 = v0
    this.v1 = v1
    this.v2 = v2
    this.v3 = v3
  }
}
