import { describe, expect, test } from "bun:test"
import { decodeMessage, encodeQuery } from "../resolve/dns-message.ts"
import { type DnsAsk, RCODE, readAsk, TYPE } from "./dns-ask.ts"
import { relayedReply } from "./relayed-reply.ts"
import { nameData, nothingFound, writeRefusal, writeReply } from "./dns-reply.ts"
import { addressOfReverse } from "./reverse-name.ts"

const query = encodeQuery(0x1234, "Site.Test", TYPE.a, true)

function changed(at: number, ...octets: number[]): Uint8Array {
  const bytes = query.slice()
  bytes.set(octets, at)
  return bytes
}

function ask(bytes: Uint8Array): DnsAsk {
  const read = readAsk(bytes)
  if (read === null || "rcode" in read) throw new Error(`refused: ${JSON.stringify(read)}`)
  return read
}

describe("what is asked", () => {
  test("name, type and what the client takes", () => {
    expect(ask(query)).toMatchObject({ id: 0x1234, name: "site.test", type: 1, recursion: true, edns: true, udpBytesMax: 1232 })
    expect(ask(encodeQuery(1, "a.test", TYPE.aaaa, false))).toMatchObject({ type: 28, edns: false, udpBytesMax: 512 })
    // A size below what everybody takes is no size (RFC 6891 section 6.2.3).
    expect(ask(changed(query.length - 8, 0, 10)).udpBytesMax).toBe(512)
  })

  test("what is no query gets no answer", () => {
    for (const bytes of [new Uint8Array(0), query.subarray(0, 11), changed(2, 0x81)]) expect(readAsk(bytes)).toBe(null)
  })

  test("what is refused, and how", () => {
    const rows: [string, Uint8Array, number][] = [
      ["an update", changed(2, 0x29), RCODE.notImplemented],
      ["no question", changed(5, 0), RCODE.formatError],
      ["two questions", changed(5, 2), RCODE.formatError],
      ["an answer in a query", changed(7, 1), RCODE.formatError],
      ["two additional records", changed(11, 2), RCODE.formatError],
      [
        "an additional record that is not there",
        Uint8Array.from([...encodeQuery(1, "a.test", 1, false)].map((octet, i) => (i === 11 ? 1 : octet))),
        RCODE.formatError,
      ],
      ["a truncated query", changed(2, 0x03), RCODE.formatError],
      ["octets behind it", Uint8Array.from([...query, 0]), RCODE.formatError],
      ["a name that points", changed(12, 0xc0, 12), RCODE.formatError],
      ["a version of EDNS that there is not", changed(query.length - 5, 1), RCODE.formatError],
      ["another class", changed(query.length - 12, 3), RCODE.refused],
      ["a zone", changed(query.length - 14, TYPE.axfr), RCODE.refused],
    ]
    for (const [what, bytes, rcode] of rows) expect([what, readAsk(bytes)]).toMatchObject([what, { rcode }])
  })
})

describe("what is answered", () => {
  test("records, for the name as it was written", () => {
    const written = query.slice()
    written[13] = 0x53
    const bytes = writeReply(
      ask(written),
      { rcode: RCODE.ok, records: [{ type: 1, ttl: 60, data: Uint8Array.of(198, 18, 0, 1) }], negativeTtl: 0 },
      512,
    )
    expect(bytes.subarray(12, 12 + 11)).toEqual(written.subarray(12, 12 + 11))
    expect(decodeMessage(bytes)).toMatchObject({
      id: 0x1234,
      response: true,
      recursionAvailable: true,
      rcode: 0,
      questions: [{ name: "site.test", type: 1 }],
      answers: [{ name: "site.test", type: 1, ttl: 60, value: "198.18.0.1" }],
    })
  })

  test("that there is nothing, and for how long", () => {
    expect(decodeMessage(writeReply(ask(query), nothingFound(RCODE.noName, 30), 512))).toMatchObject({
      rcode: 3,
      answers: [],
      authorities: [{ name: "site.test", type: 6, ttl: 30, minimum: 30 }],
    })
    expect(decodeMessage(writeReply(ask(query), nothingFound(), 512))).toMatchObject({ rcode: 0, answers: [], authorities: [] })
  })

  test("what is too long says that it is cut, and is never longer than the client takes", () => {
    const many = Array.from({ length: 64 }, (_, i) => ({ type: 28, ttl: 1, data: new Uint8Array(16).fill(i) }))
    const cut = writeReply(ask(query), { rcode: RCODE.ok, records: many, negativeTtl: 0 }, 512)
    expect(cut.length).toBeLessThanOrEqual(512)
    expect(decodeMessage(cut)).toMatchObject({ truncated: true, questions: [{ name: "site.test" }] })
    expect(decodeMessage(writeReply(ask(query), { rcode: RCODE.ok, records: many, negativeTtl: 0 }, 65_535))).toMatchObject({ truncated: false })
  })

  test("a code alone is a head alone", () => {
    expect([...writeRefusal({ id: 0x1234, opcode: 5, rcode: 4 })]).toEqual([0x12, 0x34, 0xa8, 4, 0, 0, 0, 0, 0, 0, 0, 0])
  })

  test("names as data", () => {
    expect([...nameData("a.test")]).toEqual([1, 97, 4, 116, 101, 115, 116, 0])
  })
})

describe("what another server has answered", () => {
  const from = encodeQuery(0x1234, "Site.Test", 15, true)
  const question = [...from.subarray(12, 12 + 15)]
  const lower = question.map(octet => (octet >= 65 && octet <= 90 ? octet | 32 : octet))
  /** An answer with the name in small letters, one MX record, and EDNS where it is asked for. */
  const answer = (rcode: number, opt: number[] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]): Uint8Array =>
    Uint8Array.from([
      9,
      9,
      0x85,
      0xa0 | rcode,
      0,
      1,
      0,
      1,
      0,
      0,
      0,
      opt.length > 0 ? 1 : 0,
      ...lower,
      0xc0,
      12,
      0,
      15,
      0,
      1,
      0,
      0,
      0,
      9,
      0,
      4,
      0,
      5,
      0xc0,
      12,
      ...opt,
    ])

  test("goes to our client with its own id, its own letters, and EDNS of our own", () => {
    const relayed = relayedReply(ask(from), answer(0), 512)!
    expect([...relayed.subarray(0, 12)]).toEqual([0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1])
    expect([...relayed.subarray(12, 27)]).toEqual(question)
    expect(decodeMessage(relayed)).toMatchObject({ rcode: 0, authoritative: false, answers: [{ name: "site.test", type: 15, ttl: 9 }] })
    const plain = relayedReply(ask(encodeQuery(1, "site.test", 15, false)), answer(3), 512)!
    expect([plain[3]! & 15, plain[11]]).toEqual([3, 0])
    expect(decodeMessage(plain)).toMatchObject({ rcode: 3, answers: [{ type: 15 }] })
    expect(decodeMessage(relayedReply(ask(from), answer(0, []), 512)!)).toMatchObject({ answers: [{ type: 15 }] })
  })

  test("is cut where the client takes less, and is none where it answers something else or cannot be read", () => {
    expect(decodeMessage(relayedReply(ask(from), answer(0), 40)!)).toMatchObject({ truncated: true, questions: [{ name: "site.test", type: 15 }] })
    const other = answer(0)
    other[13] = 0x61
    for (const bad of [other, answer(0).subarray(0, 40), answer(0).subarray(0, 20), new Uint8Array(0)])
      expect(relayedReply(ask(from), bad, 512)).toBe(null)
    const reply = { rcode: 0, records: [], negativeTtl: 0, relayed: other }
    expect(decodeMessage(writeReply(ask(from), reply, 512))).toMatchObject({ rcode: 2, answers: [] })
  })
})

test("whose name is asked for", () => {
  expect(addressOfReverse("7.0.18.198.in-addr.arpa")).toBe("198.18.0.7")
  expect(addressOfReverse(`1.${"0.".repeat(27)}0.0.d.f.ip6.arpa`)).toBe("fd00::1")
  for (const name of ["", "in-addr.arpa", "300.0.0.1.in-addr.arpa", "0.0.1.in-addr.arpa", "x.ip6.arpa", "a.test"])
    expect(addressOfReverse(name)).toBe(null)
})
