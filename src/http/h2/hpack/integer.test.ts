import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { cursor, FORM, readInteger, writeInteger } from "./integer.ts"

const read = (octets: number[], prefixMax: number): number => readInteger(Uint8Array.from(octets), 0, octets.length, prefixMax)

describe("integers of RFC 7541 section 5.1", () => {
  test("the examples of appendix C.1", () => {
    expect(read([0xea], 31)).toBe(10)
    expect(read([0x1f, 0x9a, 0x0a], 31)).toBe(1337)
    expect(cursor.at).toBe(3)
    expect(read([0x2a], 255)).toBe(42)
    const out = new Uint8Array(4)
    expect(writeInteger(out, 0, FORM.tableSize, 1337)).toBe(3)
    expect([...out]).toEqual([0x3f, 0x9a, 0x0a, 0])
  })
  test("what is written is read, in any form", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(FORM)), fc.nat(0xfffffff), (form, value) => {
        const out = new Uint8Array(8)
        const end = writeInteger(out, 1, form, value)
        const again = readInteger(out, 1, end, form & 0xff)
        return again === value && cursor.at === end && (out[1]! & ~(form & 0xff)) === form >> 8
      }),
    )
  })
  test("cut off, too large or too long is -1", () => {
    expect(read([0x1f], 31)).toBe(-1)
    expect(read([0x1f, 0x80], 31)).toBe(-1)
    expect(readInteger(Uint8Array.of(0x1f, 0x9a, 0x0a), 0, 2, 31)).toBe(-1)
    expect(read([0x1f, 0xff, 0xff, 0xff, 0x7f], 31)).toBe(31 + 0xfffffff)
    expect(read([0x1f, 0xff, 0xff, 0xff, 0xff, 0x01], 31)).toBe(-1)
    expect(read([0x1f, 0x80, 0x80, 0x80, 0x80, 0x00], 31)).toBe(-1)
    expect(read([0x1f, ...new Array(1000).fill(0x80), 0], 31)).toBe(-1)
  })
})
