import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { decodeMessage, encodeQuery, TYPE_HTTPS } from "./dns-message.ts"
import { alpnValue, encodeAnswer, encodeRecord, httpsData } from "./dns-server.fixture.ts"
import { decodeHttpsRecord, type HttpsRecord } from "./https-record.ts"

const plain = { usable: true, alpn: ["http/1.1"], port: 0, hints: [] }

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"))
}

describe("the test vectors of RFC 9460, appendix D", () => {
  const fooCom = "03 66 6f 6f 07 65 78 61 6d 70 6c 65 03 63 6f 6d 00"
  const fooOrg = "03 66 6f 6f 07 65 78 61 6d 70 6c 65 03 6f 72 67 00"
  const good: [what: string, octets: string, record: HttpsRecord][] = [
    ["an alias", `00 00 ${fooCom}`, { priority: 0, target: "foo.example.com", ...plain }],
    ["the owner as target", "00 01 00", { priority: 1, target: "", ...plain }],
    ["a port", `00 10 ${fooCom} 00 03 00 02 00 35`, { priority: 16, target: "foo.example.com", ...plain, port: 53 }],
    ["an unknown key", `00 01 ${fooCom} 02 9b 00 05 68 65 6c 6c 6f`, { priority: 1, target: "foo.example.com", ...plain }],
    [
      "an unknown key with any octets",
      `00 01 ${fooCom} 02 9b 00 09 68 65 6c 6c 6f d2 71 6f 6f`,
      { priority: 1, target: "foo.example.com", ...plain },
    ],
    [
      "two IPv6 hints",
      `00 01 ${fooCom} 00 06 00 20 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 20 01 0d b8 00 00 00 00 00 00 00 00 00 53 00 01`,
      { priority: 1, target: "foo.example.com", ...plain, hints: ["2001:db8::1", "2001:db8::53:1"] },
    ],
    [
      "an IPv6 hint that ends like IPv4",
      "00 01 07 65 78 61 6d 70 6c 65 03 63 6f 6d 00 00 06 00 10 20 01 0d b8 01 22 03 44 00 00 00 00 c0 00 02 21",
      { priority: 1, target: "example.com", ...plain, hints: ["2001:db8:122:344::c000:221"] },
    ],
    [
      "mandatory keys",
      `00 10 ${fooOrg} 00 00 00 04 00 01 00 04 00 01 00 09 02 68 32 05 68 33 2d 31 39 00 04 00 04 c0 00 02 01`,
      { priority: 16, target: "foo.example.org", usable: true, alpn: ["h2", "h3-19", "http/1.1"], port: 0, hints: ["192.0.2.1"] },
    ],
    [
      "a comma and a backslash in a protocol",
      `00 10 ${fooOrg} 00 01 00 0c 08 66 5c 6f 6f 2c 62 61 72 02 68 32`,
      { priority: 16, target: "foo.example.org", ...plain, alpn: ["f\\oo,bar", "h2", "http/1.1"] },
    ],
  ]
  for (const [what, octets, record] of good) test(what, () => expect(decodeHttpsRecord(hex(octets))).toEqual(record))

  const bad: [what: string, params: string, fault: string][] = [
    ["a key twice", "00 7b 00 03 61 62 63 00 7b 00 03 64 65 66", "ascending"],
    ["mandatory without a value", "00 00 00 00", "ends too early"],
    ["alpn without a value", "00 01 00 00", "ends too early"],
    ["port without a value", "00 03 00 00", "ends too early"],
    ["ipv4hint without a value", "00 04 00 00", "ends too early"],
    ["ipv6hint without a value", "00 06 00 00", "ends too early"],
    ["no-default-alpn with a value", "00 02 00 03 61 62 63", "parameter 2 has a wrong length"],
    ["mandatory in its own list", "00 00 00 02 00 00", "mandatory keys are not in ascending order"],
    ["a mandatory key twice", "00 00 00 04 00 7b 00 7b 00 7b 00 03 61 62 63", "mandatory keys are not in ascending order"],
  ]
  for (const [what, params, fault] of bad) test(`refuses ${what}`, () => expect(decodeHttpsRecord(hex(`00 01 ${fooCom} ${params}`))).toContain(fault))

  test("a mandatory parameter that is missing makes the record of no use", () => {
    expect(decodeHttpsRecord(hex(`00 01 ${fooCom} 00 00 00 02 00 7b`))).toMatchObject({ usable: false })
  })
})

describe("decodeHttpsRecord", () => {
  const decode = (...params: [number, number[]][]) => decodeHttpsRecord(httpsData(1, "", params))

  test("a value that is empty or too short ends in the next parameter, and is refused there too", () => {
    const behind: [number, number[]] = [700, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]]
    for (const key of [0, 1, 3, 4, 6]) expect(typeof decode([key, []], behind)).toBe("string")
    expect(decode([3, [1]], behind)).toContain("parameter 3 has a wrong length")
    expect(decode([3, [0, 1, 2]], behind)).toContain("parameter 3 has a wrong length")
    expect(decode([4, [1, 2, 3, 4, 5]], behind)).toContain("parameter 4 has a wrong length")
    expect(decode([6, [1, 2, 3, 4]], behind)).toContain("parameter 6 has a wrong length")
    expect(decode([1, [3, 104, 50]], behind)).toContain("parameter 1 has a wrong length")
    expect(decode([1, [2, 104, 50, 0]], behind)).toContain("no name")
    expect(decode([0, [0, 1, 1]], [1, [2, 104, 50]], behind)).toContain("parameter 0 has a wrong length")
  })

  test("refuses parameters out of order and beyond the end", () => {
    expect(decode([4, [192, 0, 2, 1]], [3, [0, 1]])).toContain("ascending")
    for (const tail of [[0], [0, 3], [0, 3, 0], [0, 3, 0, 2, 1], [2, 155, 0, 1]])
      expect(decodeHttpsRecord(Uint8Array.of(...httpsData(1, "a.test"), ...tail))).toContain("ends too early")
  })

  test("the target is not compressed", () => {
    expect(decodeHttpsRecord(Uint8Array.of(0, 1, 1, 97, 0xc0, 0))).toContain("compressed")
    expect(decodeHttpsRecord(Uint8Array.of(0, 0, 0xc0, 12))).toContain("compressed")
    expect(decodeHttpsRecord(Uint8Array.of(0, 1, 1, 97))).toContain("ends too early")
    expect(decodeHttpsRecord(new Uint8Array(1))).toContain("ends too early")
  })

  test("the parameters of an alias are not looked at", () => {
    expect(decodeHttpsRecord(Uint8Array.of(...httpsData(0, "A.test"), 0, 1, 0))).toMatchObject({ priority: 0, target: "a.test" })
  })

  test("protocols: the default comes last, once, and not when it is denied", () => {
    expect(decode([1, alpnValue("h3", "h2")])).toMatchObject({ alpn: ["h3", "h2", "http/1.1"] })
    expect(decode([1, alpnValue("http/1.1", "h2", "h2")])).toMatchObject({ alpn: ["http/1.1", "h2"] })
    expect(decode([1, alpnValue("h3")], [2, []])).toMatchObject({ alpn: ["h3"], usable: true })
    expect(decode([2, []])).toMatchObject({ usable: false })
  })

  test("hints of both families take turns, IPv6 first, each once", () => {
    const six = [0x20, 1, 0x0d, 0xb8, ...new Array<number>(11).fill(0), 1]
    expect(decode([4, [192, 0, 2, 1, 192, 0, 2, 1, 192, 0, 2, 2]], [6, six])).toMatchObject({ hints: ["2001:db8::1", "192.0.2.1", "192.0.2.2"] })
  })

  test("a mandatory key must be one that we follow", () => {
    expect(decode([0, [0, 3]], [3, [31, 144]])).toMatchObject({ usable: true, port: 8080 })
    expect(decode([0, [0, 5]], [5, [1, 2]])).toMatchObject({ usable: false })
    expect(decode([0, [2, 155]], [667, [1]])).toMatchObject({ usable: false })
    expect(decode([5, [1, 2]], [667, []])).toMatchObject({ usable: true })
    expect(decode([3, [0, 0]])).toMatchObject({ usable: false })
  })

  test("no more is kept than 32 protocols and 64 hints of a family", () => {
    const many = Array.from({ length: 200 }, (_, i) => `p${i}`)
    const record = decode(
      [1, alpnValue(...many)],
      [4, many.flatMap((_, i) => [10, 0, 0, i])],
      [6, many.flatMap((_, i) => [...new Array<number>(14).fill(1), 0, i])],
    ) as HttpsRecord
    expect([record.alpn.length, record.hints.length]).toEqual([33, 128])
  })
})

describe("no octets make it throw or hang", () => {
  test("noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), data => void decodeHttpsRecord(data)),
      { seed: 21, numRuns: 5000 },
    )
  })

  test("parameters with any values, within a message that stays good", () => {
    const query = encodeQuery(1, "a.test", TYPE_HTTPS, false)
    const param = fc.tuple(fc.oneof(fc.nat(7), fc.nat(0xffff)), fc.array(fc.nat(255), { maxLength: 20 }))
    let refused = 0
    fc.assert(
      fc.property(fc.nat(2), fc.array(param, { maxLength: 6 }), fc.nat(40), (priority, params, cut) => {
        const whole = httpsData(priority, "b.test", params)
        const data = cut < 20 ? whole.subarray(0, whole.length - cut) : whole
        const record = encodeRecord("a.test", TYPE_HTTPS, 60, data)
        const message = decodeMessage(encodeAnswer(query, { flags: 0x8180, answers: [record, record], authorities: [] }))
        if (typeof message === "string") throw new Error(message)
        expect(message.answers.length).toBe(2)
        if (typeof message.answers[1]!.https === "string") refused++
      }),
      { seed: 22, numRuns: 5000 },
    )
    expect(refused).toBeGreaterThan(1000)
    expect(refused).toBeLessThan(4900)
  })
})
