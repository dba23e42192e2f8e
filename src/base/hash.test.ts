import { describe, expect, test } from "bun:test"
import { hashString, mix32, Random } from "./hash.ts"

/** A string whose UTF-16LE octets are `hex`. */
function units(hex: string): string {
  return Buffer.from(hex, "hex").toString("utf16le")
}

function bitsOf(value: number): number {
  let count = 0
  for (let bit = 0; bit < 32; bit++) count += (value >>> bit) & 1
  return count
}

describe("hashString", () => {
  // Published test vectors of MurmurHash3_x86_32; those with an even count of octets fit UTF-16.
  const vectors: [hex: string, seed: number, hash: number][] = [
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["21436587", 0, 0xf55b516b],
    ["21436587", 0x5082edee, 0x2362f9de],
    ["2143", 0, 0xa0f7b07a],
    ["ffffffff", 0, 0x76293b50],
    ["00000000", 0, 0x2362f9de],
    ["0000", 0, 0x30f4c306],
    ["61616161", 0x9747b28c, 0x5a97808a],
    ["6161", 0x9747b28c, 0x5d211726],
    ["61626364", 0x9747b28c, 0xf0478627],
    ["6162", 0x9747b28c, 0x74875592],
    ["cf80cf80cf80cf80cf80cf80cf80cf80", 0x9747b28c, 0xd58063c1],
  ]
  for (const [hex, seed, hash] of vectors) {
    test(`octets ${hex || "(none)"}, seed ${seed.toString(16)}`, () => expect(hashString(units(hex), seed)).toBe(hash))
  }

  test("does not depend on how the runtime stores the text", () => {
    const wide = "€/shop/cart".slice(1)
    expect(hashString(wide)).toBe(hashString("/shop/cart"))
  })

  test("each input bit changes about half of the output bits", () => {
    let changed = 0
    let pairs = 0
    for (let i = 0; i < 500; i++) {
      const text = `10.0.${i >> 8}.${i & 255}`
      for (let at = 0; at < text.length; at++) {
        const other = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1)
        changed += bitsOf(hashString(text) ^ hashString(other))
        pairs++
      }
    }
    expect(changed / pairs).toBeGreaterThan(15.5)
    expect(changed / pairs).toBeLessThan(16.5)
  })

  test("spreads like keys evenly over a few buckets", () => {
    const counts = new Array<number>(7).fill(0)
    for (let i = 0; i < 70_000; i++) counts[hashString(`user-${i}`) % 7]!++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })

  test("has no more collisions than chance", () => {
    const seen = new Set<number>()
    for (let i = 0; i < 100_000; i++) seen.add(hashString(`/images/${i}.png`))
    // 100,000 of 2^32: 1.2 collisions are expected.
    expect(100_000 - seen.size).toBeLessThan(8)
  })
})

describe("mix32", () => {
  test("is the finaliser of MurmurHash3", () => {
    expect(mix32(0)).toBe(0)
    expect(mix32(1)).toBe(0x514e28b7)
    expect(mix32(0xffffffff)).toBe(0x81f16f39)
  })
})

describe("Random", () => {
  test("repeats with its seed and differs with another", () => {
    const first = new Random(42)
    const again = new Random(42)
    const other = new Random(43)
    const row = Array.from({ length: 20 }, () => first.uint32())
    expect(Array.from({ length: 20 }, () => again.uint32())).toEqual(row)
    expect(Array.from({ length: 20 }, () => other.uint32())).not.toEqual(row)
  })

  test("stays in range and is even", () => {
    const random = new Random(7)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 50_000; i++) counts[random.below(10)]!++
    for (const count of counts) expect(Math.abs(count - 5000)).toBeLessThan(350)
    let sum = 0
    for (let i = 0; i < 20_000; i++) sum += random.float()
    expect(Math.abs(sum / 20_000 - 0.5)).toBeLessThan(0.01)
  })

  test("seeds next to each other have nothing in common", () => {
    const firsts = new Set<number>()
    for (let seed = 0; seed < 2000; seed++) firsts.add(new Random(seed).uint32())
    expect(firsts.size).toBe(2000)
  })

  test("jitter keeps within its share", () => {
    const random = new Random(1)
    for (let i = 0; i < 1000; i++) {
      const value = random.jitter(1000, 0.1)
      expect(value).toBeGreaterThanOrEqual(900)
      expect(value).toBeLessThanOrEqual(1100)
    }
  })
})
