import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import ipaddr from "ipaddr.js"
import { CidrSet } from "./cidr.ts"
import { Random } from "./hash.ts"

describe("CidrSet", () => {
  test("IPv4 prefixes of every length hold their first and last address and not the neighbours", () => {
    for (let length = 1; length <= 32; length++) {
      const size = 2 ** (32 - length)
      const first = Math.floor(0xc0a80a64 / size) * size
      const set = CidrSet.parse([`${quad(first)}/${length}`])
      expect([first - 1, first, first + size - 1, first + size].map(bits => bits >= 0 && bits <= 0xffffffff && set.has(quad(bits)))).toEqual([
        false,
        true,
        true,
        false,
      ])
    }
  })

  test("0.0.0.0/0 holds all IPv4 and no IPv6, ::/0 the other way round", () => {
    const all4 = CidrSet.parse(["0.0.0.0/0"])
    const all6 = CidrSet.parse(["::/0"])
    for (const address of ["0.0.0.0", "127.0.0.1", "255.255.255.255", "::ffff:8.8.8.8"])
      expect([all4.has(address), all6.has(address)]).toEqual([true, false])
    for (const address of ["::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])
      expect([all4.has(address), all6.has(address)]).toEqual([false, true])
  })

  test("IPv4-mapped folds, in prefixes and addresses", () => {
    const set = CidrSet.parse(["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"])
    for (const address of ["10.255.0.1", "::ffff:10.1.2.3", "::ffff:a01:203", "192.0.2.7"]) expect(set.has(address)).toBe(true)
    for (const address of ["11.0.0.1", "::10.0.0.1", "192.0.2.8", "::fffe:10.0.0.1"]) expect(set.has(address)).toBe(false)
  })

  test("a single address needs no slash; nested and doubled prefixes are kept once", () => {
    const set = CidrSet.parse(["10.0.0.1", "10.0.0.0/8", "10.0.0.0/8", "10.9.0.0/16", "11.0.0.0/8", "::1", "::/120", "2001:db8::/32"])
    expect(set.size).toBe(4)
    expect(["10.0.0.1", "10.200.0.0", "11.0.0.0", "::ff", "2001:db8:ffff::"].every(address => set.has(address))).toBe(true)
    expect(["9.255.255.255", "12.0.0.0", "::100", "2001:db9::"].some(address => set.has(address))).toBe(false)
  })

  test("a zone is left out of account; what is no address is not held", () => {
    const set = CidrSet.parse(["fe80::/10", "0.0.0.0/0", "::/0"])
    expect(set.has("fe80::1%eth0")).toBe(true)
    for (const text of ["", "a.test", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3.4%eth0", "%", "[::1]", "1.2.3.4 "])
      expect(set.has(text)).toBe(false)
  })

  test("the empty set holds nothing", () => {
    const set = CidrSet.parse([])
    expect([set.size, set.has("0.0.0.0"), set.has("::")]).toEqual([0, false, false])
  })

  const troubles: [text: string, message: string][] = [
    ["10.0.0.1/8", 'write "10.0.0.0/8" for the network or "10.0.0.1" for the address'],
    ["2001:db8::1/32", 'write "2001:db8::/32" for the network or "2001:db8::1" for the address'],
    ["10.0.0.0/33", "a length from 0 to 32"],
    ["10.0.0.0/", "a length from 0 to 32"],
    ["10.0.0.0/08", "a length from 0 to 32"],
    ["10.0.0.0/255.0.0.0", "a length from 0 to 32"],
    ["::/129", "a length from 0 to 128"],
    ["::ffff:0.0.0.0/95", "from 96 to 128"],
    ["10/8", "expected an address or a prefix"],
    ["a.test", "expected an address or a prefix"],
    ["", "expected an address or a prefix"],
    ["010.0.0.0/8", "expected an address or a prefix"],
  ]
  for (const [text, message] of troubles) test(`refuses ${JSON.stringify(text)}`, () => expect(() => CidrSet.parse([text])).toThrow(message))

  test("agrees with ipaddr.js on any list", () => {
    const random = new Random(5)
    // Few distinct bits, so that prefixes nest and addresses hit.
    const word = () => (random.below(3) === 0 ? random.below(0x10000) : random.below(2) * 0x8000 + random.below(3))
    const groups = () => Array.from({ length: 8 }, word)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), (count4, count6) => {
        const list = [
          ...Array.from({ length: count4 }, () =>
            network(new ipaddr.IPv4([random.below(256), random.below(4), random.below(2), random.below(256)]), 1 + random.below(32)),
          ),
          ...Array.from({ length: count6 }, () => network(new ipaddr.IPv6(groups()), 1 + random.below(128))),
        ]
        const set = CidrSet.parse(list)
        for (let i = 0; i < 20; i++) {
          const address =
            i % 2 === 0 ? new ipaddr.IPv4([random.below(256), random.below(4), random.below(2), random.below(256)]) : new ipaddr.IPv6(groups())
          const expected = list.some(cidr => sameKind(address, cidr) && address.match(ipaddr.parseCIDR(cidr) as never))
          expect([address.toString(), set.has(address.toString())]).toEqual([address.toString(), expected])
        }
      }),
      { seed: 20_260_103, numRuns: 150 },
    )
  })

  test("100,000 prefixes are searched, not scanned", () => {
    const random = new Random(9)
    const list: string[] = []
    for (let i = 0; i < 50_000; i++)
      list.push(`${quad(random.uint32())}`, `2001:db8:${(i & 0xffff).toString(16)}:${random.below(65_536).toString(16)}::/64`)
    const set = CidrSet.parse(list)
    expect(list.every(entry => set.has(entry.replace("/64", "1")))).toBe(true)
    const started = performance.now()
    let held = 0
    for (let i = 0; i < 200_000; i++) if (set.has(list[(i * 2) % list.length]!)) held++
    // A scan would take minutes.
    expect([held, performance.now() - started < 1000]).toEqual([200_000, true])
  })
})

describe("a closing set", () => {
  const set = CidrSet.parse(["10.0.0.0/8", "2001:db8::/32"], { closing: true })

  const held = [
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "64:ff9b::10.1.2.3",
    "64:ff9b::a01:203",
    "64:ff9b:1::10.1.2.3",
    "2002:a01:203::1",
    "2001:0:a01:203::1",
    "2001:0:808:808:0:0:f5fe:fdfc",
    "2606:4700::5efe:10.1.2.3",
    "2606:4700::200:5efe:10.1.2.3",
    "::10.1.2.3",
    "2001:db8::1",
    "10.1",
    "167837955",
    "a.test",
    "",
  ]
  for (const address of held) test(`holds ${JSON.stringify(address)}`, () => expect(set.has(address)).toBe(true))

  const open = [
    "11.1.2.3",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:0:808:808:0:0:f7f7:f7f7",
    "2606:4700::5efe:8.8.8.8",
    "2606:4700::10.1.2.3",
    "::8.8.8.8",
    "2606:4700::1",
  ]
  for (const address of open) test(`does not hold ${address}`, () => expect(set.has(address)).toBe(false))
})

function quad(bits: number): string {
  const n = bits >>> 0
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`
}

function network(address: ipaddr.IPv4 | ipaddr.IPv6, length: number): string {
  const longest = address.kind() === "ipv4" ? 32 : 128
  const capped = Math.min(length, longest)
  const bytes = address.toByteArray().map((byte, at) => byte & (0xff00 >> Math.max(0, Math.min(8, capped - at * 8))))
  return `${ipaddr.fromByteArray(bytes)}/${capped}`
}

function sameKind(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: string): boolean {
  return (address.kind() === "ipv6") === cidr.includes(":")
}
