import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { escapeHex, escapeHexText, escapeJson, valueCharactersMax } from "./escape.ts"

const octets = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)), maxLength: 60 })
const anything = fc.string({ unit: "binary", maxLength: 60 })
const printable = /^[\x20-\x7e]*$/

describe("escapeJson", () => {
  test("what JSON.parse reads is the value, and the line is printable ASCII", () => {
    fc.assert(
      fc.property(fc.oneof(octets, anything), value => {
        const escaped = escapeJson(value)
        expect(escaped).toMatch(printable)
        expect(JSON.parse(`"${escaped}"`)).toBe(value)
      }),
      { seed: 7, numRuns: 400 },
    )
  })

  test("cuts a value that is too long", () => {
    expect(escapeJson("a".repeat(valueCharactersMax))).toHaveLength(valueCharactersMax)
    expect(escapeJson(`${"a".repeat(valueCharactersMax)}b`)).toBe(`${"a".repeat(valueCharactersMax)}...`)
  })
})

describe("escapeHex", () => {
  test("as nginx writes it", () => {
    expect(escapeHex("")).toBe("-")
    expect(escapeHex('say "x" \\ now')).toBe("say \\x22x\\x22 \\x5C now")
    expect(escapeHex("a\r\nb\t\x7f\xe9")).toBe("a\\x0D\\x0Ab\\x09\\x7F\\xE9")
  })

  test("text is written as its UTF-8 octets", () => {
    expect(escapeHexText("Łé")).toBe("\\xC5\\x81\\xC3\\xA9")
    expect(escapeHexText("ann")).toBe("ann")
    expect(escapeHexText("")).toBe("-")
  })

  test("octets can be read back, and the line is printable ASCII without quotes", () => {
    fc.assert(
      fc.property(octets, value => {
        const escaped = escapeHex(value)
        expect(escaped).toMatch(printable)
        expect(escaped).not.toContain('"')
        const back =
          escaped === "-" && value === ""
            ? ""
            : escaped.replace(/\\x([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
        expect(back).toBe(value)
      }),
      { seed: 7, numRuns: 400 },
    )
  })

  test("cuts a value that is too long", () => {
    expect(escapeHex(`${"a".repeat(valueCharactersMax)}b`)).toBe(`${"a".repeat(valueCharactersMax)}...`)
  })
})
