import { describe, expect, test } from "bun:test"
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib"
import fc from "fast-check"
import { FAULT } from "../../base/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import type { Decodable } from "./decoders.ts"
import decompress from "./decompress.ts"
import { InflatedBody, type InflateLimits } from "./inflated-body.ts"

const encoders: readonly (readonly [string, Decodable, (octets: Uint8Array) => Buffer])[] = [
  ["gzip", "gzip", gzipSync],
  ["deflate", "deflate", deflateSync],
  ["deflate without its frame", "deflate", deflateRawSync],
  ["br", "br", brotliCompressSync],
  ["zstd", "zstd", zstdCompressSync],
]
const generous: InflateLimits = { inflatedBytesMax: 1e9, ratioMax: 1e6 }
const faults = { malformed: FAULT.malformed, bomb: FAULT.bodyBomb }

/** What comes out of chunks, null = the body cannot be read. */
function inflated(body: InflatedBody, octets: Uint8Array, sizes: readonly number[]): Buffer | null {
  const out: Uint8Array[] = []
  for (let at = 0, i = 0; at < octets.length; i++) {
    const chunk = Buffer.from(octets.subarray(at, (at += sizes[i % sizes.length]!)))
    const piece = body.push(chunk)
    chunk.fill(0xee)
    if (piece === null) return null
    out.push(piece)
  }
  const rest = body.end("")
  return rest === null ? null : Buffer.concat([...out, rest])
}

const plains = fc.oneof(fc.uint8Array({ maxLength: 500 }), fc.constant(Buffer.from("text and more text, ".repeat(9000))))
const sizes = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 })

describe.each(encoders)("%s", (_, coding, encode) => {
  test("whatever the chunks, the octets are the same", () => {
    fc.assert(
      fc.property(plains, sizes, (plain, lengths) => {
        expect(inflated(new InflatedBody([coding], generous, faults), encode(plain), lengths)?.equals(plain)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })
  test("cut at every octet: not a whole body", () => {
    const encoded = encode(Buffer.from("a body that is cut somewhere, once or twice, a body that is cut"))
    for (let cut = 1; cut < encoded.length; cut++) {
      const body = new InflatedBody([coding], generous, faults)
      expect(inflated(body, encoded.subarray(0, cut), [1000])).toBeNull()
      expect(body.fault).toBe(FAULT.malformed)
    }
  })
  test("octets behind the end, or none of the coding at all", () => {
    const encoded = encode(Buffer.from("abc"))
    for (const wrong of [Buffer.concat([encoded, Buffer.from("junk that goes on")]), Buffer.from("<html>no coding at all</html>")])
      for (const size of [1, 5, 1000]) expect(inflated(new InflatedBody([coding], generous, faults), wrong, [size])).toBeNull()
    expect(inflated(new InflatedBody([coding], generous, faults), new Uint8Array(0), [1])).toEqual(Buffer.alloc(0))
  })
  test("a bomb: over the size, and over the ratio", () => {
    const bomb = encode(Buffer.alloc(32 * 1024 ** 2))
    for (const limits of [
      { inflatedBytesMax: 1e6, ratioMax: 1e6 },
      { inflatedBytesMax: 1e9, ratioMax: 100 },
    ]) {
      const body = new InflatedBody([coding], limits, faults)
      expect(inflated(body, bomb, [16_384])).toBeNull()
      expect(body.fault).toBe(FAULT.bodyBomb)
      body.close()
    }
    const exact = new InflatedBody([coding], { inflatedBytesMax: 3000, ratioMax: 2 }, faults)
    expect(inflated(exact, encode(Buffer.alloc(3000)), [7])?.length).toBe(3000)
    const over = new InflatedBody([coding], { inflatedBytesMax: 2999, ratioMax: 2 }, faults)
    expect(inflated(over, encode(Buffer.alloc(3000)), [7])).toBeNull()
  })
})

test.each(encoders)("%s: wrong octets give what can be read, or nothing; never more than is allowed", (_, coding, encode) => {
  const sound = encode(Buffer.from("some text that repeats, some text that repeats, some text ".repeat(40)))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 }), sizes, (changes, lengths) => {
      const octets = Buffer.from(sound)
      for (const [at, octet] of changes) octets[at] = octet
      const out = inflated(new InflatedBody([coding], { inflatedBytesMax: 5000, ratioMax: 1e6 }, faults), octets, lengths)
      expect(out === null || out.length <= 5000).toBe(true)
    }),
  )
})

test("one in the other, the last first; what is in between counts", () => {
  const plain = Buffer.from("wrapped ".repeat(100))
  const twice = brotliCompressSync(gzipSync(plain))
  expect(inflated(new InflatedBody(["gzip", "br"], generous, faults), twice, [3])?.equals(plain)).toBe(true)
  const wrapped = gzipSync(gzipSync(gzipSync(Buffer.alloc(64 * 1024 ** 2))))
  const body = new InflatedBody(["gzip", "gzip", "gzip"], { inflatedBytesMax: 1e6, ratioMax: 200 }, faults)
  expect([inflated(body, wrapped, [100]), body.fault]).toEqual([null, FAULT.bodyBomb])
})

describe("requests", () => {
  const run = (fields: string, options: unknown = {}) => {
    const filter = new FilterRun(decompress.build(decompress.options.parse(options), new FakeDeps()))
    const reply = filter.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n${fields}Content-Length: 3\r\n\r\nabc`)
    return { sent: filter.seen.sent[0], faults: filter.seen.faults, reply }
  }
  test("a coding that is not known: 415, and which ones are", () => {
    for (const said of ["lzma", "gzip, lzma", "gzip, gzip, gzip, gzip, gzip, gzip"]) {
      const { faults: met, reply, sent } = run(`Content-Encoding: ${said}\r\n`)
      expect([met, sent]).toEqual([["client.coding-unsupported"], undefined])
      expect(reply).toContain("Accept-Encoding: gzip, deflate, br, zstd\r\n")
    }
  })
  test("identity is none; requests may be left alone", () => {
    expect(run("Content-Encoding: identity\r\n").sent).toContain("Content-Length: 3\r\n")
    expect(run("Content-Encoding: lzma\r\n", { request: false }).sent).toContain("Content-Encoding: lzma\r\n")
  })
})

test.each([
  [{ request: { inflatedBytesMax: "0" } }, "inflatedBytesMax"],
  [{ response: "sometimes" }, "response"],
  [{ response: { when: "always", ratioMax: 1 } }, "ratioMax"],
  [{ requests: true }, "requests"],
])("refuses %j", (given, said) => {
  const result = decompress.options.safeParse(given)
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(said)
})
