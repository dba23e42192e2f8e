import { describe, expect, test } from "bun:test"
import { CidrSet } from "./cidr.ts"
import { Random } from "./hash.ts"

const quad = (bits: number) => [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join(".")
const below = (random: Random, n: number) => Math.floor((random.uint32() / 2 ** 32) * n)

describe("lists of addresses", () => {
  test("comments, blanks, line ends, a byte order mark, and every form", () => {
    const set = CidrSet.parseLines(
      "\uFEFF# head\r\n\r\n 10.0.0.0/8 ; SBL1\r\n192.0.2.5-192.0.2.9\n192.0.2.20 - 192.0.2.21#x\n;\n2001:db8::/32\n2001:db9::1-2001:db9::ff",
    )
    for (const address of ["10.1.2.3", "192.0.2.5", "192.0.2.9", "192.0.2.21", "2001:db8::1", "2001:db9::80", "::ffff:10.0.0.1"])
      expect(set.has(address)).toBe(true)
    for (const address of ["11.0.0.0", "192.0.2.4", "192.0.2.10", "192.0.2.22", "2001:db9::100"]) expect(set.has(address)).toBe(false)
    expect([CidrSet.parseLines("").size, CidrSet.parseLines("\n#\n").size]).toEqual([0, 0])
  })

  test.each([
    ["10.0.0.0/8\n10.0.0/8", "line 2: "],
    ["\n\n10.1.0.0/8", "line 3: "],
    ["10.0.0.9-10.0.0.1", "it ends before it begins"],
    ["10.0.0.1-::1", "not of one family"],
    ["10.0.0.1-", "line 1: "],
    ["10.0.0.1 10.0.0.2", "line 1: "],
    ["10.0.0.0/08", "line 1: "],
  ])("%j is told with its line", (content, message) => expect(() => CidrSet.parseLines(content)).toThrow(message))

  test("100,000 prefixes and ranges against a bitmap of /24s and a naive search", () => {
    const random = new Random(7)
    const ranges: [number, number][] = []
    const lines: string[] = []
    for (let i = 0; i < 100_000; i++) {
      const length = 14 + below(random, 19)
      const size = 2 ** (32 - length)
      const first = Math.floor(random.uint32() / size) * size
      const last = i % 10 === 0 ? Math.min(2 ** 32 - 1, first + below(random, 5000)) : first + size - 1
      lines.push(i % 10 === 0 ? `${quad(first)}-${quad(last)}` : `${quad(first)}/${length}`)
      ranges.push([first, last])
    }
    const set = CidrSet.parseLines(lines.join("\n"))
    // By the 16 high bits: which ranges could hold an address.
    const near: [number, number][][] = Array.from({ length: 65_536 }, () => [])
    for (const range of ranges) for (let high = range[0] >>> 16; high <= range[1] >>> 16; high++) near[high]!.push(range)
    let held = 0
    for (let i = 0; i < 200_000; i++) {
      const range = ranges[below(random, ranges.length)]!
      const bits = i % 3 === 0 ? Math.floor(random.uint32()) : Math.min(2 ** 32 - 1, Math.max(0, range[i % 2]! + below(random, 3) - 1))
      const expected = near[bits >>> 16]!.some(([first, last]) => bits >= first && bits <= last)
      held += expected ? 1 : 0
      if (set.has(quad(bits)) !== expected) throw new Error(`${quad(bits)}: expected ${expected}`)
    }
    expect(held).toBeGreaterThan(50_000)
    expect(held).toBeLessThan(190_000)
  })

  test("overlapping ranges of IPv6 are joined", () => {
    const set = CidrSet.parseLines("2001:db8::10-2001:db8::20\n2001:db8::18-2001:db8::30\n2001:db8::/124\n2001:db8::12")
    expect(set.size).toBe(2)
    const held = Array.from({ length: 64 }, (_, i) => set.has(`2001:db8::${i.toString(16)}`))
    expect(held.map((is, i) => (is ? i : -1)).filter(i => i >= 0)).toEqual([...Array(16).keys(), ...Array.from({ length: 33 }, (_, i) => i + 16)])
  })
})
