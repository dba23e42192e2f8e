import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type DnsAsk, nothingFound, RCODE, readAsk, type ReplyRecord, writeRefusal, writeReply } from "../../src/net/index.ts"
import { decodeMessage, encodeQuery } from "../../src/net/resolve/dns-message.ts"
import { readSpoken } from "../../src/http/transparent/first-octets.ts"
import { runs } from "./arbitraries.ts"

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/)
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join("."))
const query = fc.tuple(fc.nat(65_535), name, fc.nat(65_535), fc.boolean()).map(([id, text, type, edns]) => encodeQuery(id, text, type, edns))
const slip = fc.record({ at: fc.nat(300), to: fc.nat(255), cut: fc.nat(300), add: fc.uint8Array({ maxLength: 20 }) })
/** Queries with a slip, and octets of all kinds. */
const octets = fc.oneof(
  fc.tuple(query, slip).map(([bytes, { at, to, cut, add }]) => {
    const wrong = Uint8Array.from([...bytes.subarray(0, bytes.length - (cut % 8)), ...add])
    if (wrong.length > 0) wrong[at % wrong.length] = to
    return wrong
  }),
  fc.uint8Array({ maxLength: 600 }),
)
const record = fc.record({ type: fc.constantFrom(1, 12, 16, 28), ttl: fc.nat(0x7fffffff), data: fc.uint8Array({ maxLength: 300 }) })

describe("queries", () => {
  test("whatever comes is a question that another reader sees as well, is refused, or is nothing; and no answer is longer than the client takes", () => {
    fc.assert(
      fc.property(octets, fc.array(record, { maxLength: 40 }), fc.nat(86_400), (bytes, records, negativeTtl) => {
        const read = readAsk(bytes)
        if (read === null) return
        if ("rcode" in read) {
          const refusal = writeRefusal(read)
          expect([refusal.length, refusal[0], refusal[1], refusal[2]! >> 7]).toEqual([12, bytes[0], bytes[1], 1])
          return
        }
        const seen = decodeMessage(bytes)
        if (typeof seen === "string") throw new Error(seen)
        expect(seen.questions).toEqual([{ name: read.name, type: read.type }])
        answers(read, records, negativeTtl)
      }),
      runs(5301, 3000),
    )
  })

  test("what is well formed is understood", () => {
    fc.assert(
      fc.property(query, bytes => {
        const read = readAsk(bytes)
        expect(read).not.toBe(null)
        // All but transfers of zones.
        if ("rcode" in read!) expect(read.rcode).toBe(RCODE.refused)
      }),
      runs(5302, 500),
    )
  })
})

describe("what other servers answer", () => {
  test("whatever it is, our client gets its own question and no more than it takes", () => {
    fc.assert(
      fc.property(query, octets, fc.array(record, { maxLength: 20 }), (bytes, noise, records) => {
        const ask = readAsk(bytes)
        if (ask === null || "rcode" in ask) return
        // An answer of a server like us, with octets of it changed.
        const sound = writeReply(ask, { rcode: RCODE.ok, records, negativeTtl: 0 }, 65_535)
        const spoilt = sound.slice()
        for (let i = 0; i < Math.min(4, noise.length - 1); i += 2) spoilt[noise[i]! % spoilt.length] = noise[i + 1]!
        for (const relayed of [sound, spoilt, noise]) {
          const written = writeReply(ask, { rcode: RCODE.ok, records: [], negativeTtl: 0, relayed }, ask.udpBytesMax)
          expect(written.length).toBeLessThanOrEqual(ask.udpBytesMax)
          expect(written.subarray(12, 12 + ask.question.length)).toEqual(ask.question)
          expect([written[0]! * 256 + written[1]!, written[2]! >> 7]).toEqual([ask.id, 1])
        }
      }),
      runs(5303, 1000),
    )
  })
})

function answers(ask: DnsAsk, records: readonly ReplyRecord[], negativeTtl: number): void {
  for (const [reply, max] of [
    [{ rcode: RCODE.ok, records, negativeTtl }, ask.udpBytesMax],
    [nothingFound(RCODE.noName, negativeTtl), ask.udpBytesMax],
  ] as const) {
    const written = writeReply(ask, reply, max)
    expect(written.length).toBeLessThanOrEqual(max)
    // No name that was asked for comes back otherwise.
    expect(written.subarray(12, 12 + ask.question.length)).toEqual(ask.question)
    expect([written[0]! * 256 + written[1]!, written[2]! >> 7]).toEqual([ask.id, 1])
  }
  const addresses = records.filter(({ type, data }) => (type === 1 && data.length === 4) || (type === 28 && data.length === 16))
  const seen = decodeMessage(writeReply(ask, { rcode: RCODE.ok, records: addresses, negativeTtl: 0 }, 65_535))
  if (typeof seen === "string") throw new Error(seen)
  expect(seen.answers.map(answer => answer.ttl)).toEqual(addresses.slice(0, 32).map(({ ttl }) => ttl))
}

const opening = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  fc
    .tuple(
      fc.constantFrom("GET", "POST", "PRI", "CONNECT", "get", "M-SEARCH", "\u0016\u0003"),
      fc.constantFrom(" ", "", "\t"),
      fc.string({ maxLength: 40 }),
      fc.constantFrom(" HTTP/1.1\r\n", " SIP/2.0\r\n", "\n", ""),
    )
    .map(parts => Buffer.from(parts.join(""), "latin1")),
)

test("what a client speaks does not depend on how its first octets arrive", () => {
  fc.assert(
    fc.property(opening, bytes => {
      const whole = readSpoken(bytes)
      for (let length = 1; length <= bytes.length; length++) {
        const early = readSpoken(bytes.subarray(0, length))
        if (early === "started") continue
        expect(whole).toBe(early)
        return
      }
      expect(whole).toBe("started")
    }),
    runs(5301, 3000),
  )
})
