import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { normaliseIp } from "../../base/index.ts"
import { crc32c } from "./crc32c.ts"
import { encodePreface, encodePrefaceV1, encodePrefaceV2 } from "./encode-preface.ts"
import { parsePreface } from "./parse-preface.ts"
import { prefaceOctetsMax } from "./parse-preface-v2.ts"
import type { Endpoint, Preface } from "./preface.ts"

const text = (line: string) => Buffer.from(line, "latin1")
const hex = (octets: string) => Buffer.from(octets.replaceAll(" ", ""), "hex")
const signature = "0d0a0d0a000d0a515549540a"

function reasonOf(preface: Preface): string {
  return preface.status === "invalid" ? preface.reason : preface.status
}

const client: Endpoint = { address: "192.0.2.1", port: 56_324 }
const listener: Endpoint = { address: "198.51.100.1", port: 443 }
const client6: Endpoint = { address: "2001:db8::1", port: 56_324 }
const listener6: Endpoint = { address: "2001:db8::2", port: 443 }

describe("version 1", () => {
  const good: [line: string, source: Endpoint | null, destination: Endpoint | null][] = [
    ["PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", client, listener],
    [
      "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
      { address: "255.255.255.255", port: 65_535 },
      { address: "255.255.255.255", port: 65_535 },
    ],
    ["PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:2 56324 443\r\n", client6, listener6],
    [
      "PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".replaceAll("ffff:f...f:ffff", Array(8).fill("ffff").join(":")),
      { address: Array(8).fill("ffff").join(":"), port: 65_535 },
      { address: Array(8).fill("ffff").join(":"), port: 65_535 },
    ],
    ["PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6401 56324 443\r\n", client, listener],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 0 0\r\n", { address: "192.0.2.1", port: 0 }, { address: "198.51.100.1", port: 0 }],
    ["PROXY UNKNOWN\r\n", null, null],
    ["PROXY UNKNOWN whatever 1 2 3\r\n", null, null],
    [`PROXY UNKNOWN ${"f".repeat(91)}\r\n`, null, null],
  ]
  for (const [line, source, destination] of good) {
    test(JSON.stringify(line).slice(0, 70), () => {
      expect(parsePreface(text(line))).toEqual({ status: "ok", version: 1, length: line.length, source, destination })
      expect(parsePreface(text(`${line}GET / HTTP/1.1\r\n`))).toMatchObject({ status: "ok", length: line.length })
      for (let end = 0; end < line.length; end++) expect([end, parsePreface(text(line.slice(0, end)))]).toEqual([end, { status: "incomplete" }])
    })
  }

  const bad: [line: string, reason: string][] = [
    ["PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n", "line feed without"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\r\n", "carriage return without"],
    ["PROXY UNKNOWN a\rb\r\n", "carriage return without"],
    ["PROXY  TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "not TCP4"],
    ["PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n", "one space apart"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", "one space apart"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", "one space apart"],
    ["PROXY TCP4\r\n", "one space apart"],
    ["PROXY \r\n", "not TCP4"],
    ["PROXY tcp4 192.0.2.1 198.51.100.1 56324 443\r\n", "not TCP4"],
    ["PROXY UNKNOWNX\r\n", "not TCP4"],
    ["PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n", "not TCP4"],
    ["PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n", "not one of TCP4"],
    ["PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n", "not one of TCP6"],
    ["PROXY TCP4 192.0.2.01 198.51.100.1 56324 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 192.0.2 198.51.100.1 56324 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 a.test 198.51.100.1 56324 443\r\n", "not one of TCP4"],
    ["PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "not one of TCP6"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1 5e3 443\r\n", "not one of TCP4"],
    ["PROXY TCP4 192.0.2.1 198.51.100.1  443\r\n", "not one of TCP4"],
    [`PROXY UNKNOWN ${"f".repeat(92)}\r\n`, "more than 107"],
    [`PROXY ${"x".repeat(500)}`, "more than 107"],
    ["PROXZ", "does not begin with PROXY"],
    ["PROXY\t", "does not begin with PROXY"],
    ["POST / HTTP/1.1\r\n", "does not begin with PROXY"],
    ["GET / HTTP/1.1\r\n", "does not begin with a PROXY protocol header"],
    ["\x16\x03\x01", "does not begin with a PROXY protocol header"],
    [" PROXY", "does not begin with a PROXY protocol header"],
  ]
  for (const [line, reason] of bad)
    test(`refuses ${JSON.stringify(line).slice(0, 70)}`, () => expect(reasonOf(parsePreface(text(line)))).toContain(reason))

  test("is written as the specification shows it", () => {
    const written = (source: Endpoint | null, destination: Endpoint | null) => Buffer.from(encodePrefaceV1(source, destination)).toString("latin1")
    expect(written(client, listener)).toBe("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n")
    expect(written(client6, listener6)).toBe("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n")
    expect(written(client, listener6)).toBe("PROXY TCP6 ::ffff:c000:201 2001:db8::2 56324 443\r\n")
    expect(written({ address: "fe80::1%eth0", port: 1 }, listener6)).toBe("PROXY TCP6 fe80::1 2001:db8::2 1 443\r\n")
    for (const unknown of [null, { address: "unix:/run/a.sock", port: 0 }, { address: "", port: 0 }])
      expect(written(unknown, listener)).toBe("PROXY UNKNOWN\r\n")
    expect(written(client, null)).toBe("PROXY UNKNOWN\r\n")
  })
})

describe("version 2", () => {
  const tcp4 = hex(`${signature} 21 11 000c c0000201 c6336401 dc04 01bb`)
  const tcp6 = hex(`${signature} 21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 dc04 01bb`)
  const unix = Buffer.concat([
    hex(`${signature} 21 31 00d8`),
    Buffer.from("/run/client.sock".padEnd(108, "\0")),
    Buffer.from("/run/in.sock".padEnd(108, "\0")),
  ])
  const tlv = (type: number, value: string) => Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 255), Buffer.from(value, "latin1")])
  const withTlvs = (head: Buffer, ...tlvs: Buffer[]) => {
    const whole = Buffer.concat([head, ...tlvs])
    whole.writeUInt16BE(whole.length - 16, 14)
    return whole
  }

  const good: [what: string, bytes: Buffer, source: Endpoint | null, destination: Endpoint | null][] = [
    ["TCP over IPv4", tcp4, client, listener],
    ["TCP over IPv6", tcp6, client6, listener6],
    [
      "IPv4-mapped addresses",
      hex(`${signature} 21 21 0024 00000000000000000000ffffc0000201 00000000000000000000ffffc6336401 dc04 01bb`),
      client,
      listener,
    ],
    ["Unix sockets", unix, { address: "unix:/run/client.sock", port: 0 }, { address: "unix:/run/in.sock", port: 0 }],
    ["Unix sockets without names", hex(`${signature} 21 31 00d8 ${"00".repeat(216)}`), { address: "unix:", port: 0 }, { address: "unix:", port: 0 }],
    [
      "Unix sockets with paths of 108 octets",
      hex(`${signature} 21 31 00d8 ${"61".repeat(216)}`),
      { address: `unix:${"a".repeat(108)}`, port: 0 },
      { address: `unix:${"a".repeat(108)}`, port: 0 },
    ],
    ["LOCAL", hex(`${signature} 20 00 0000`), null, null],
    ["LOCAL with a family and a block of any kind", hex(`${signature} 20 ff 0005 0102030405`), null, null],
    ["an unspecified protocol, with a block of any kind", hex(`${signature} 21 00 0003 010203`), null, null],
    ["UDP", hex(`${signature} 21 12 000c c0000201 c6336401 dc04 01bb`), null, null],
    [
      "TLVs, also unknown and empty ones",
      withTlvs(tcp4, tlv(0x01, "h2"), tlv(0x02, "a.test"), tlv(0x04, ""), tlv(0xee, "x".repeat(3000)), tlv(0x20, "\x01\0\0\0\0")),
      client,
      listener,
    ],
    ["a checksum", Buffer.from(encodePrefaceV2(client, listener, true)), client, listener],
    ["a checksum among other TLVs", checksummed(withTlvs(tcp4, tlv(0x01, "h2"), tlv(0x03, "\0\0\0\0"), tlv(0x04, "pad"))), client, listener],
  ]
  for (const [what, bytes, source, destination] of good) {
    test(what, () => {
      expect(parsePreface(bytes)).toEqual({ status: "ok", version: 2, length: bytes.length, source, destination })
      expect(parsePreface(Buffer.concat([bytes, Buffer.from("\x16\x03\x01")]))).toMatchObject({ status: "ok", length: bytes.length })
      for (let end = 0; end < bytes.length; end++) expect([end, parsePreface(bytes.subarray(0, end))]).toEqual([end, { status: "incomplete" }])
    })
  }

  const bad: [what: string, bytes: Buffer, reason: string][] = [
    ["a broken signature", hex("0d0a0d0a000d0a515549540b"), "signature"],
    ["a broken signature, as soon as it shows", hex("0d0a0d0a01"), "signature"],
    ["HTTP after empty lines", text("\r\n\r\nGET / HTTP/1.1\r\n"), "signature"],
    ["version 1 in it", hex(`${signature} 11`), "version is not 2"],
    ["version 3", hex(`${signature} 31`), "version is not 2"],
    ["an unknown command", hex(`${signature} 22`), "command"],
    ["an unknown family", hex(`${signature} 21 41 0000`), "family"],
    ["an unknown transport", hex(`${signature} 21 13 000c`), "transport"],
    ["IPv4 with too few octets", hex(`${signature} 21 11 000b`), "too short for its addresses"],
    ["IPv6 with too few octets", hex(`${signature} 21 21 000c c0000201c6336401dc0401bb`), "too short for its addresses"],
    ["Unix with too few octets", hex(`${signature} 21 31 00d7`), "too short for its addresses"],
    ["a length over the limit", hex(`${signature} 21 11 ffff`), `more than ${prefaceOctetsMax} octets`],
    ["LOCAL with a length over the limit", hex(`${signature} 20 00 ffff`), `more than ${prefaceOctetsMax} octets`],
    ["half a TLV", withTlvs(tcp4, Buffer.of(1, 0)), "TLV ends too early"],
    ["a TLV that is longer than the rest", withTlvs(tcp4, Buffer.of(1, 0, 2, 65)), "TLV ends too early"],
    ["a wrong checksum", withTlvs(tcp4, tlv(0x03, "\x01\x02\x03\x04")), "checksum is wrong"],
    ["a checksum over a changed address", Buffer.from(encodePrefaceV2(client, listener, true)).fill(9, 16, 17), "checksum is wrong"],
    ["a checksum of two octets", withTlvs(tcp4, tlv(0x03, "\x01\x02")), "wrong length"],
    ["two checksums", checksummed(withTlvs(tcp4, tlv(0x03, "\0\0\0\0"), tlv(0x03, "\0\0\0\0"))), "two of them"],
  ]
  for (const [what, bytes, reason] of bad) test(`refuses ${what}`, () => expect(reasonOf(parsePreface(bytes))).toContain(reason))

  test("is written octet by octet", () => {
    expect(Buffer.from(encodePrefaceV2(client, listener))).toEqual(tcp4)
    expect(Buffer.from(encodePreface("v2", client6, listener6))).toEqual(tcp6)
    expect(Buffer.from(encodePrefaceV2({ address: "unix:/run/client.sock", port: 0 }, { address: "unix:/run/in.sock", port: 0 }))).toEqual(unix)
    for (const unknown of [null, { address: "", port: 0 }])
      expect(Buffer.from(encodePrefaceV2(unknown, listener))).toEqual(hex(`${signature} 20 00 0000`))
  })

  test("a mapped source stands beside an IPv6 destination", () => {
    expect(parsePreface(encodePrefaceV2(client, listener6))).toMatchObject({ source: client, destination: listener6 })
  })

  /** Puts the right checksum into the first checksum TLV. */
  function checksummed(header: Buffer): Buffer {
    const at = header.indexOf(hex("03 0004 00000000")) + 3
    header.writeUInt32BE(crc32c(header, at), at)
    return header
  }
})

describe("crc32c", () => {
  test("the check value of the catalogue, and the vectors of RFC 3720 appendix B.4", () => {
    expect(crc32c(text("123456789"))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
    expect(crc32c(new Uint8Array(32).fill(0xff, 0, 28).fill(9, 28), 28)).toBe(crc32c(new Uint8Array(32).fill(0xff, 0, 28)))
  })
})

describe("properties", () => {
  const endpoint = (address: fc.Arbitrary<string>) => fc.record({ address, port: fc.nat(65_535) })

  test("what is written is read back, in both versions and in any pieces", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("v1" as const, "v2" as const),
        endpoint(fc.oneof(fc.ipV4(), fc.ipV6())),
        endpoint(fc.oneof(fc.ipV4(), fc.ipV6())),
        (version, source, destination) => {
          const bytes = encodePreface(version, source, destination)
          const folded = (end: Endpoint) => ({ address: normaliseIp(end.address)!, port: end.port })
          expect(parsePreface(bytes)).toEqual({
            status: "ok",
            version: version === "v1" ? 1 : 2,
            length: bytes.length,
            source: folded(source),
            destination: folded(destination),
          })
          for (let end = 0; end < bytes.length; end++) expect(parsePreface(bytes.subarray(0, end)).status).toBe("incomplete")
        },
      ),
      { seed: 31, numRuns: 300 },
    )
  })

  test("no octets make it throw, and what is judged once stays judged when more comes", () => {
    const kept = [
      encodePreface("v1", client, listener),
      encodePreface("v1", client6, listener6),
      encodePreface("v2", client, listener),
      encodePreface("v2", client6, listener6),
      encodePrefaceV2(client, listener, true),
      encodePreface("v2", null, null),
      text("PROXY UNKNOWN\r\n"),
    ]
    const change = fc.tuple(fc.nat(60), fc.oneof(fc.constantFrom(0, 1, 2, 3, 0x10, 0x11, 0x20, 0x21, 0x31, 0x0a, 0x0d, 0xff), fc.nat(255)))
    const changed = fc
      .tuple(fc.constantFrom(...kept), fc.array(change, { maxLength: 3 }), fc.uint8Array({ maxLength: 20 }))
      .map(([seed, changes, more]) => {
        const bytes = Buffer.concat([seed, more])
        for (const [at, octet] of changes) bytes[at % bytes.length] = octet
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 120 })), bytes => {
        let judged: Preface = { status: "incomplete" }
        for (let end = 0; end <= bytes.length; end++) {
          const preface = parsePreface(bytes.subarray(0, end))
          if (judged.status === "ok") expect(preface).toEqual(judged)
          if (judged.status === "invalid") expect(preface.status).toBe("invalid")
          if (preface.status === "ok") expect(preface.length).toBeLessThanOrEqual(end)
          judged = preface
        }
      }),
      { seed: 32, numRuns: 1500 },
    )
  })
})
