import { describe, expect, test } from "bun:test"
import { isIPv4, isIPv6 } from "node:net"
import fc from "fast-check"
import ipaddr from "ipaddr.js"
import { formatIp, ipFamily, isDeceptiveHost, normaliseIp, writeIp } from "./ip-text.ts"

const seed = 20_260_102

/** Address texts with a few characters changed, taken out or put in. */
const nearMiss = fc
  .tuple(
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("::", "::1", "1::", "::ffff:1.2.3.4")),
    fc.array(fc.tuple(fc.nat(45), fc.constantFrom("", ":", ".", "::", "0", "f", "G", "%", "-", "255", "256", "00")), { maxLength: 3 }),
  )
  .map(([text, edits]) => edits.reduce((now, [at, piece], i) => now.slice(0, at) + piece + now.slice(at + (i % 2)), text))

describe("address text against other readers", () => {
  test("the same texts are IPv4 as for the runtime's net.isIPv4", () => {
    fc.assert(
      fc.property(nearMiss, text => expect(ipFamily(text) === 4).toBe(isIPv4(text))),
      { seed, numRuns: 3000 },
    )
  })

  test("the same texts are IPv6 as for the runtime's net.isIPv6", () => {
    fc.assert(
      fc.property(
        nearMiss.filter(text => !text.includes("%")),
        text => expect(ipFamily(text) === 6).toBe(isIPv6(text)),
      ),
      { seed, numRuns: 3000 },
    )
  })

  test("IPv6 is written as the runtime's URL parser writes it", () => {
    fc.assert(
      // The URL parser wrongly refuses some texts that end in a quad, such as 1:2:3:4::1.2.3.4.
      fc.property(
        fc.ipV6().filter(text => URL.canParse(`http://[${text}]/`)),
        text => {
          const written = new URL(`http://[${text}]/`).hostname.slice(1, -1)
          const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(written)
          const quad = mapped
            ? [mapped[1]!, mapped[2]!].flatMap(group => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join(".")
            : null
          expect(normaliseIp(text)).toBe(quad ?? written)
        },
      ),
      { seed, numRuns: 3000 },
    )
  })

  test("sparse groups are shortened as ipaddr.js does", () => {
    const group = fc.constantFrom(0, 0, 0, 1, 0xab)
    fc.assert(
      fc.property(fc.tuple(group, group, group, group, group, group, group, group), groups => {
        expect(normaliseIp(groups.map(value => value.toString(16)).join(":"))).toBe(new ipaddr.IPv6([...groups]).toRFC5952String())
      }),
      { seed, numRuns: 2000 },
    )
  })
})

describe("octets", () => {
  test("formatIp reads what writeIp writes, at any place", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(5), (text, from) => {
        const bytes = new Uint8Array(24).fill(0xee)
        const octets = writeIp(text, bytes, from)
        expect(octets).toBe(text.includes(":") ? 16 : 4)
        expect(formatIp(bytes, from, octets as 4 | 16)).toBe(normaliseIp(text)!)
        expect(bytes.every((octet, at) => octet === 0xee || (at >= from && at < from + octets))).toBe(true)
      }),
      { seed, numRuns: 500 },
    )
  })

  test("IPv4-mapped is written as it is and folds when it is read", () => {
    const bytes = new Uint8Array(16)
    expect(writeIp("::ffff:1.2.3.4", bytes, 0)).toBe(16)
    expect([...bytes]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4])
    expect(formatIp(bytes, 0, 16)).toBe("1.2.3.4")
  })

  test("what is no literal is not written", () => {
    const bytes = new Uint8Array(16)
    for (const text of ["", "a.test", "127.1", "fe80::1%eth0", "[::1]"]) expect(writeIp(text, bytes, 0)).toBe(0)
    expect(bytes.every(octet => octet === 0)).toBe(true)
  })
})

describe("normaliseIp", () => {
  const cases: [text: string, expected: string | null][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:102:304", "1.2.3.4"],
    ["0:0:0:0:0:ffff:127.0.0.1", "127.0.0.1"],
    ["[::ffff:127.0.0.1]", "127.0.0.1"],
    ["[2001:DB8::1]", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0db8:0000:0001:0001:0001:0001:0001", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::1.2.3.4", "::102:304"],
    ["::0.0.0.0", "::"],
    ["1:2:3:4::1.2.3.4", "1:2:3:4::102:304"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["1:2:3:4:5:6::1.2.3.4", null],
    ["[192.0.2.1]", null],
    ["01.2.3.4", null],
    ["1.2.3.04", null],
    ["1.2.3", null],
    ["1.2.3.4.", null],
    ["1.2.3.4.5", null],
    ["1..2.3", null],
    ["256.1.1.1", null],
    ["1.2.3.4 ", null],
    ["١.2.3.4", null],
    ["::ffff:1.2.3.256", null],
    ["::ffff:01.2.3.4", null],
    ["1:2:3:4:5:6:7:8::", null],
    ["1::2::3", null],
    [":1", null],
    ["1:", null],
    [":::", null],
    ["12345::", null],
    ["1:2:3:4:5:6:7:1.2.3.4", null],
    ["fe80::1%eth0", null],
    ["[::1", null],
    ["", null],
    ["[]", null],
    ["a.test", null],
  ]
  for (const [text, expected] of cases) test(JSON.stringify(text), () => expect(normaliseIp(text)).toBe(expected))
})

describe("isDeceptiveHost", () => {
  const deceptive = [
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.1",
    "0177.0.0.1",
    "127.0.0.01",
    "1.2.3.4.",
    "127.0.0.1.5",
    "0",
    "0x",
    "a.0x1f",
    "a.test.1",
    "256.256.256.256",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "127%2e0%2e0%2e1",
    "%31",
    "127.0.0.1\0",
    "127.0.0.1\0.a.test",
    "a b",
    "fe80::1%eth0",
    "[::1",
    "::1]",
    "[v1.x]",
    "1:2",
    "a:80",
  ]
  for (const host of deceptive) test(`refuses ${JSON.stringify(host)}`, () => expect(isDeceptiveHost(host)).toBe(true))

  const honest = [
    "127.0.0.1",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "a.test",
    "a.test.",
    "1.a.test",
    "127.0.0.1.nip.test",
    "0x7f.test",
    "0xg",
    "1e4.a",
    "x0x1",
    "1password.com",
    "4chan",
    "_dmarc.a.test",
    "xn--bcher-kva.test",
    "",
  ]
  for (const host of honest) test(`lets ${JSON.stringify(host)} pass`, () => expect(isDeceptiveHost(host)).toBe(false))
})
