import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { listHas } from "../../grammar.ts"
import { decodeOctets, encodeLines } from "./block.fixture.ts"
import { HpackDecoder } from "./decoder.ts"
import { HpackEncoder } from "./encoder.ts"

const token = fc.string({ unit: fc.constantFrom(..."abcXYZ019-_."), minLength: 1, maxLength: 12 })
const names = ["Server", "Date", "Content-Length", "cookie", "Connection", "HOST", "TE", "x-a", "X-A", "etag", "Accept-Encoding", "Via", "set-cookie"]
const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...names) }, token)
// No CR and LF: lines are what the caller has checked.
const octet = fc.integer({ min: 32, max: 255 }).map(code => String.fromCharCode(code))
const anyValue = fc.string({ unit: octet, maxLength: 300 })
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("", "1", "close", "trailers", "gzip, deflate", "v".repeat(130), "w".repeat(700)) },
  anyValue,
)
const line = fc.tuple(name, fc.constantFrom(":", ": ", ":  \t"), value).map(parts => `${parts.join("")}\r\n`)
const block = fc.record({
  lines: fc.array(line, { maxLength: 12 }),
  sizes: fc.oneof(
    { weight: 3, arbitrary: fc.constant<number[]>([]) },
    fc.array(fc.constantFrom(0, 31, 60, 200, 500, 4095, 4096, 9999), { maxLength: 4 }),
  ),
  path: anyValue,
  authority: fc.constantFrom("a.test", "b.test", "c".repeat(200)),
})

const leftOut = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings|host)$/

/** What should arrive for a line. */
function fieldOf(text: string): string[] {
  const colon = text.indexOf(":")
  const lower = text.slice(0, colon).toLowerCase()
  const content = text
    .slice(colon + 1)
    .replace(/^[ \t]+/, "")
    .replace(/[ \t]*\r\n$/, "")
  if (leftOut.test(lower)) return []
  if (lower === "te") return listHas(content.toLowerCase(), "trailers") ? ["te: trailers"] : []
  return [`${lower}: ${content}`]
}

describe("encoder to decoder", () => {
  test("every field arrives in order, whatever the tables' sizes become, and both tables stay alike", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), blocks => {
        const encoder = new HpackEncoder()
        const decoder = new HpackDecoder()
        const out = Buffer.alloc(16384)
        for (const { lines, sizes, path, authority } of blocks) {
          for (const size of sizes) encoder.setTableBytesMax(size)
          let at = encoder.pseudo(":path", path, out, encoder.begin(out, 0))
          at = encoder.pseudo(":authority", authority, out, at)
          at = encoder.lines(lines.join(""), out, at)
          const fields = decodeOctets(decoder, out.subarray(0, at))
          expect(fields).toEqual([`:path: ${path}`, `:authority: ${authority}`, ...lines.flatMap(fieldOf)])
          const [ours, theirs] = [encoder["table"], decoder["table"]]
          expect([ours.count, ours.bytes, ours.bytesMax]).toEqual([theirs.count, theirs.bytes, theirs.bytesMax])
          expect(ours["steps"]?.size ?? 0).toBe(ours.count)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe("octets of anybody", () => {
  // Begins of each representation, so that random blocks get somewhere.
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 8 }),
    fc.constantFrom(0x82, 0xbe, 0xbf, 0x40, 0x41, 0x00, 0x10, 0x20, 0x3f, 0x81, 0xff, 0x7f).map(first => Uint8Array.of(first)),
    fc.constantFrom("400161 0131", "0401 61", "4481 1f", "7e0132", "3fe11f").map(hex => Uint8Array.from(Buffer.from(hex.replace(" ", ""), "hex"))),
  )
  test("are fields or an error, never more; the table stays within its size", () => {
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 20 }), { maxLength: 6 }), fc.constantFrom(0, 64, 4096, 70000), (blocks, tableBytesMax) => {
        const decoder = new HpackDecoder(tableBytesMax)
        for (const pieces of blocks) {
          const fields = decodeOctets(decoder, Buffer.concat(pieces))
          expect(fields === false || Array.isArray(fields)).toBe(true)
          const table = decoder["table"]
          expect(table.bytes).toBeLessThanOrEqual(Math.max(4096, tableBytesMax))
          let sum = 0
          for (let age = 0; age < table.count; age++) sum += table.get(age)!.size
          expect([sum, table.get(table.count)]).toEqual([table.bytes, null])
        }
      }),
      { numRuns: 500 },
    )
  })
  test("a sound block that is cut off anywhere gives the fields before the cut, or an error", () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), fc.nat(), (lines, cut) => {
        const octets = encodeLines(new HpackEncoder(), lines.join(""))
        const whole = decodeOctets(new HpackDecoder(), octets) as string[]
        const part = decodeOctets(new HpackDecoder(), octets.subarray(0, cut % (octets.length + 1)))
        expect(part === false || JSON.stringify(whole.slice(0, part.length)) === JSON.stringify(part)).toBe(true)
      }),
    )
  })
})
