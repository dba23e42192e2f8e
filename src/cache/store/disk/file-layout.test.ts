import { describe, expect, test } from "bun:test"
import {
  BLOCK,
  blockSeed,
  bodyBytes,
  bodyStart,
  bodyStartOf,
  CHECK,
  decodeHeader,
  decodeSlots,
  type EntryFacts,
  encodeHeader,
  encodeLabels,
  encodeSlot,
  fitsSlot,
  MARK_AT,
  newVersion,
  roundUp,
  slotBytesFor,
  slotsStart,
  storedBytes,
} from "./file-layout.ts"

const head = Buffer.from("status 200\nage: 3")
const labels = encodeLabels(["a", "ümlaut, comma"])
const facts: EntryFacts = {
  key: "http://x/\xff\x00end",
  groupLength: 9,
  version: newVersion(),
  bodyLength: 3_000_000_000_000,
  slotBytes: slotBytesFor(labels, head),
}

function start(second: Uint8Array = Buffer.alloc(facts.slotBytes)): Buffer {
  return Buffer.concat([encodeHeader(facts), encodeSlot(facts, 0, 1, labels, head), second])
}

describe("file of an entry", () => {
  test("says of itself what was put in", () => {
    const octets = start()
    expect(octets.length).toBe(bodyStart(facts))
    expect(bodyStartOf(octets.subarray(0, 64))).toBe(octets.length)
    expect(decodeHeader(octets)).toEqual(facts)
    const slot = decodeSlots(facts, octets)!
    expect([slot.place, slot.number, slot.labels, Buffer.from(slot.head)]).toEqual([0, 1, ["a", "ümlaut, comma"], head])
  })

  test("one that grows has no length", () => {
    expect(decodeHeader(Buffer.concat([encodeHeader({ ...facts, bodyLength: -1 }), start().subarray(slotsStart(facts))]))?.bodyLength).toBe(-1)
  })

  test("each flipped bit of header, key and head is noticed, the mark's alone is not", () => {
    const octets = start()
    const padding = 64 + facts.key.length
    const used = slotsStart(facts) + 16 + labels.length + head.length
    for (let at = 0; at < used; at++) {
      for (const bit of [1, 16, 128]) {
        octets[at]! ^= bit
        const read = decodeHeader(octets)
        const whole = read !== null && read.slotBytes === facts.slotBytes && decodeSlots(read, octets) !== null
        octets[at]! ^= bit
        const free = (at >= MARK_AT && at < 64) || (at >= padding && at < slotsStart(facts))
        expect([at, whole]).toEqual([at, free])
      }
    }
  })

  test("a new head counts once it is whole; before, and when half of it is there, the old one does", () => {
    const next = Buffer.from("status 200\nage: 0")
    const second = encodeSlot(facts, 1, 2, labels, next)
    expect(Buffer.from(decodeSlots(facts, start(second))!.head)).toEqual(next)
    for (let torn = 0; torn < 16 + labels.length + next.length; torn++) {
      const half = Buffer.concat([second.subarray(0, torn), Buffer.alloc(facts.slotBytes - torn)])
      expect(Buffer.from(decodeSlots(facts, start(half))!.head)).toEqual(head)
    }
    const third = Buffer.concat([encodeHeader(facts), encodeSlot(facts, 0, 3, labels, Buffer.from("third")), second])
    expect(Buffer.from(decodeSlots(facts, third)!.head).toString()).toBe("third")
  })

  test("a slot of another version, or of the other place, is none", () => {
    const foreign = encodeSlot({ ...facts, version: newVersion() }, 1, 9, labels, Buffer.from("foreign"))
    expect(decodeSlots(facts, start(foreign))!.number).toBe(1)
    expect(decodeSlots(facts, start(encodeSlot(facts, 0, 9, labels, head)))!.number).toBe(1)
  })

  test("octets of a body and of its blocks in the file, there and back", () => {
    for (const length of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 77]) {
      expect(storedBytes(length) - length).toBe(CHECK * Math.ceil(length / BLOCK))
      expect(Math.min(length, bodyBytes(storedBytes(length)))).toBe(length)
    }
    expect(bodyBytes(BLOCK + 2)).toBe(BLOCK)
    expect(bodyBytes(BLOCK + CHECK + 10)).toBe(BLOCK + 10)
    expect([roundUp(0), roundUp(1), roundUp(4096), roundUp(4097)]).toEqual([0, 4096, 4096, 8192])
  })

  test("checksums start differently for each block and each version", () => {
    const seeds = new Set<number>()
    for (let index = 0; index < 1000; index++) seeds.add(blockSeed(facts.version, index)).add(blockSeed(facts.version + 1, index))
    expect(seeds.size).toBe(2000)
  })

  test("heads get room to grow by a little", () => {
    expect(fitsSlot(facts, labels, Buffer.alloc(head.length + 150))).toBe(true)
    expect(fitsSlot(facts, labels, Buffer.alloc(facts.slotBytes))).toBe(false)
  })

  test("versions are whole numbers that survive the file", () => {
    for (let n = 0; n < 1000; n++) {
      const version = newVersion()
      expect(Number.isSafeInteger(version)).toBe(true)
      const octets = encodeHeader({ ...facts, version })
      expect(decodeHeader(Buffer.concat([octets, Buffer.alloc(2 * facts.slotBytes)]))!.version).toBe(version)
    }
  })

  test("lengths that a damaged header makes up are not believed", () => {
    const octets = start()
    octets.writeUInt32LE(0xffff_ffff, 36)
    expect(bodyStartOf(octets)).toBe(-1)
    expect(bodyStartOf(Buffer.alloc(64))).toBe(-1)
    expect(bodyStartOf(Buffer.alloc(10))).toBe(-1)
  })
})
