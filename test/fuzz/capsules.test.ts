import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { CapsuleReader, datagramCapsule, UDP_PAYLOAD_BYTES_MAX, udpCapsule } from "../../src/http/capsule.ts"
import { DatagramPath } from "../../src/http/h3/datagram-path.ts"
import type { StreamTunnel } from "../../src/http/h2/stream-tunnel.ts"
import type { QuicStream } from "../../src/net/index.ts"
import { type Cuts, pieces } from "../conformance/codec-harness.ts"
import { capsule, varint } from "../support/connect-udp.ts"
import { cuts, octet, runs, seeds, slipped } from "./arbitraries.ts"

/** `d:` a datagram's value, `o:` octets of others, all that stand together; `bad` at last when it is none. */
type Reading = readonly string[]

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1")

function read(text: string, how: Cuts): Reading {
  const events: string[] = []
  const reader = new CapsuleReader({
    onDatagramCapsule: value => void events.push(`d:${latin1(value)}`),
    onOtherCapsule(octets) {
      if (events.at(-1)?.startsWith("o:")) events[events.length - 1] += latin1(octets)
      else events.push(`o:${latin1(octets)}`)
    },
  })
  for (const piece of pieces(text, how)) {
    // The reader is lent its octets.
    const lent = Buffer.from(piece, "latin1")
    const good = reader.push(lent)
    lent.fill(0xee)
    if (!good) return [...events, "bad"]
  }
  return [...events, reader.isWhole ? "whole" : "more"]
}

/** A second opinion, made without the reader and with exact integers. */
function strictly(text: string): Reading {
  const octets = Buffer.from(text, "latin1")
  const events: string[] = []
  const integer = (at: number): [value: bigint, next: number] | null => {
    if (at >= octets.length) return null
    const size = 2 ** (octets[at]! >> 6)
    if (at + size > octets.length) return null
    let value = BigInt(octets[at]! & 63)
    for (let i = 1; i < size; i++) value = (value << 8n) | BigInt(octets[at + i]!)
    return [value, at + size]
  }
  const other = (from: number, to: number): void => {
    if (events.at(-1)?.startsWith("o:")) events[events.length - 1] += text.slice(from, to)
    else events.push(`o:${text.slice(from, to)}`)
  }
  let at = 0
  while (at < octets.length) {
    const type = integer(at)
    const length = type && integer(type[1])
    if (type === null || length === null) return [...events, "more"]
    const [start, end] = [length[1], BigInt(length[1]) + length[0]]
    if (type[0] === 0n ? length[0] > BigInt(UDP_PAYLOAD_BYTES_MAX + 8) : length[0] > BigInt(Number.MAX_SAFE_INTEGER)) return [...events, "bad"]
    const isThere = end <= BigInt(octets.length)
    if (type[0] !== 0n) other(at, isThere ? Number(end) : octets.length)
    else if (isThere) events.push(`d:${text.slice(start, Number(end))}`)
    if (!isThere) return [...events, "more"]
    at = Number(end)
  }
  return [...events, "whole"]
}

const octets = (max: number): fc.Arbitrary<Buffer> => fc.array(octet, { maxLength: max }).map(list => Buffer.from(list.join(""), "latin1"))
const type = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.constantFrom(1, 63, 64, 0x2843, 2 ** 40) })
/** Integers need not be in their shortest form. */
const size = fc.constantFrom(0, 0, 0, 0, 2, 4, 8)
const one = fc.tuple(type, size, size, octets(80)).map(([kind, typeSize, lengthSize, value]) => {
  const written = (n: number, wanted: number): Buffer => (wanted === 0 || varint(n).length > wanted ? varint(n) : varint(n, wanted))
  return Buffer.concat([written(kind, typeSize), written(value.length, lengthSize), value]).toString("latin1")
})
const stream = slipped(
  fc.array(one, { maxLength: 8 }).map(list => list.join("")),
  3,
)

describe("the reader of capsules", () => {
  test("says the same however its octets are cut, and what a strict reader says", () => {
    const check = (text: string, where: readonly number[]): void => {
      const whole = strictly(text)
      expect([text, read(text, "whole")]).toEqual([text, whole])
      expect([text, read(text, "octets")]).toEqual([text, whole])
      expect([text, read(text, where)]).toEqual([text, whole])
    }
    for (const text of seeds("capsules")) check(text, [1, 2, 5, 9])
    fc.assert(fc.property(stream, cuts, check), runs(31, 8000))
  })

  test("takes every payload that was written, of any length that UDP has", () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: UDP_PAYLOAD_BYTES_MAX }))
    const check = (length: number, fill: number, where: readonly number[]): void => {
      const payload = Buffer.alloc(length, fill)
      const text = latin1(udpCapsule(payload))
      expect(read(text, where)).toEqual([`d:\0${latin1(payload)}`, "whole"])
      // The same as written by hand, and from the memory of the call before.
      expect(text).toBe(latin1(capsule(0, Buffer.concat([varint(0), payload]))))
      expect(latin1(datagramCapsule(udpCapsule(payload).subarray(-length - 1)))).toBe(text)
    }
    for (const length of [0, 1, 61, 62, 63, 64, 16_381, 16_382, 16_383, 16_384, UDP_PAYLOAD_BYTES_MAX]) check(length, 7, [3])
    fc.assert(fc.property(lengths, fc.integer({ min: 0, max: 255 }), cuts, check), runs(32, 300))
  })

  test("keeps what has come of a datagram, not what was promised", () => {
    const reader = new CapsuleReader({ onDatagramCapsule() {}, onOtherCapsule() {} })
    const kept = (): number => (reader as unknown as { value: Uint8Array | null }).value?.length ?? 0
    reader.push(Buffer.from([0, 0x80, 0, 0xff, 0xff, 1]))
    expect(kept()).toBeLessThanOrEqual(2048)
    reader.push(Buffer.alloc(10_000))
    expect(kept()).toBeLessThanOrEqual(20_004)
    reader.push(Buffer.alloc(55_534))
    expect(kept()).toBe(0)
    // Nothing of the others.
    reader.push(Buffer.concat([varint(5), varint(2 ** 52), Buffer.alloc(1_000_000)]))
    expect([kept(), reader.isPassing]).toEqual([0, true])
  })
})

/** Without what came in between, and how it ended. */
function ownOf(reading: Reading): string[] {
  const own: string[] = []
  for (const each of reading) {
    if (each === "d:\0between" || ["bad", "more", "whole"].includes(each)) continue
    if (each.startsWith("o:") && own.at(-1)?.startsWith("o:")) own[own.length - 1] += each.slice(2)
    else own.push(each)
  }
  return own
}

test("over HTTP/3 the tunnel sees whole capsules, whatever comes between the octets of a stream", () => {
  const check = (text: string, where: readonly number[], every: number): void => {
    let seen = ""
    const tunnel = { receive: (chunk: Uint8Array) => void (seen += latin1(chunk)) } as unknown as StreamTunnel
    const path = new DatagramPath({} as QuicStream, 0)
    path.begin(tunnel)
    let sent = 0
    let good = true
    for (const [i, piece] of [...pieces(text, where)].entries()) {
      if (good) good = path.fromStream(Buffer.from(piece, "latin1"))
      if (good && i % every === 0) {
        path.fromDatagram(Buffer.from("\0between"))
        sent++
      }
    }
    const reading = strictly(seen)
    const between = reading.filter(each => each === "d:\0between").length
    expect([text, between + path.dropped]).toEqual([text, sent])
    // Of the stream's own nothing is lost and nothing is added.
    if (!text.includes("between")) expect([text, ownOf(reading)]).toEqual([text, ownOf(strictly(text))])
  }
  for (const text of seeds("capsules")) check(text, [1, 2, 5, 9], 1)
  fc.assert(fc.property(stream, cuts, fc.integer({ min: 1, max: 4 }), check), runs(33, 4000))
})
