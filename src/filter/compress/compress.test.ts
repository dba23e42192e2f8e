import { describe, expect, test } from "bun:test"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"
import fc from "fast-check"
import { acquireExchange, setLocalResponse } from "../../flow/index.ts"
import { type Downstream, Fields } from "../../http/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { CompressedBody, type Compression } from "./compressed-body.ts"
import compress from "./compress.ts"
import { type Coding, Encoders } from "./encoders.ts"
import { compileTypes } from "./media-type-list.ts"

const decoders: Readonly<Record<Coding, (octets: Uint8Array) => Buffer>> = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }

function compression(more: Partial<Compression> = {}): Compression {
  const encoders = new Encoders({ zstd: 3, br: 3, gzip: 3 })
  return { encoders, minBytes: 0, wholeBytesMax: 1000, streamsMax: 10, streams: 0, saved() {}, refused() {}, ...more }
}

const pieces = fc.array(fc.tuple(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(2000).fill(97))), fc.boolean()))

describe.each(["gzip", "br", "zstd"] as const)("%s", coding => {
  test("whatever the chunks and pauses, the octets are the same", () => {
    const of = compression()
    fc.assert(
      fc.property(pieces, fc.boolean(), (chunks, isKnown) => {
        const plain = Buffer.concat(chunks.map(([chunk]) => chunk))
        const x = acquireExchange()
        const body = new CompressedBody(x, of, coding, isKnown ? plain.length : -1)
        const out: Uint8Array[] = []
        for (const [chunk, pauses] of chunks) {
          const lent = Buffer.from(chunk)
          out.push(Buffer.from(body.push(lent)!))
          lent.fill(0xee)
          if (pauses) out.push(Buffer.from(body.flush()!))
        }
        const heldUpToTheEnd = body.holdsHead
        out.push(Buffer.from(body.end("")!))
        const encoded = Buffer.concat(out)
        expect(body.holdsHead).toBe(false)
        const isEncoded = x.response.extra.includes(`Content-Encoding: ${coding}`)
        if (!isEncoded) expect(heldUpToTheEnd).toBe(true)
        expect((isEncoded ? decoders[coding](encoded) : encoded).equals(plain)).toBe(true)
        expect(of.streams).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test("what came before a pause can be decoded then", () => {
    const body = new CompressedBody(acquireExchange(), compression(), coding, -1)
    expect(body.flush()!.length).toBe(0)
    const first = Buffer.concat([body.push(Buffer.from("event one\n"))!, body.flush()!])
    // A decoder that waits for the end would throw; all that is there must be one part of the whole.
    const second = Buffer.concat([body.push(Buffer.from("event two\n"))!, body.flush()!])
    const rest = body.end("")!
    expect(decoders[coding](Buffer.concat([first, second, rest])).toString()).toBe("event one\nevent two\n")
    expect(first.length).toBeGreaterThan(8)
    expect(body.flush()!.length).toBe(0)
  })
})

describe("limits", () => {
  test("over streamsMax bodies go as they are, and are counted", () => {
    let refused = 0
    const of = compression({ streamsMax: 1, refused: () => void refused++ })
    const first = new CompressedBody(acquireExchange(), of, "gzip", -1)
    first.flush()
    const x = acquireExchange()
    const second = new CompressedBody(x, of, "gzip", -1)
    expect(Buffer.from(second.push(Buffer.from("plain"))!).toString()).toBe("")
    expect(Buffer.from(second.flush()!).toString()).toBe("plain")
    expect(Buffer.from(second.push(Buffer.from(" text"))!).toString()).toBe(" text")
    expect([second.end("")!.length, refused, x.response.extra]).toEqual([0, 1, ""])
    first.close()
    first.close()
    expect(of.streams).toBe(0)
  })

  test("a short body of unknown length that is there at once goes as it is", () => {
    const x = acquireExchange()
    const body = new CompressedBody(x, compression({ minBytes: 100 }), "gzip", -1)
    body.push(Buffer.from("a".repeat(99)))
    expect(Buffer.from(body.end("")!).toString()).toBe("a".repeat(99))
    expect(x.response.extra).toBe("")
  })
})

/** The head of an answer to this request, which a local reply of eight octets stands for. */
function head(fields: string, answer = "Content-Type: text/plain\r\n", options: object = { minBytes: 1 }, method = "GET"): string {
  const run = new FilterRun(compress.build(compress.options.parse(options), new FakeDeps()), answer)
  const reply = run.send(`${method} / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
  return reply.slice(0, reply.indexOf("\r\n\r\n") + 2)
}

test("a local reply in place of an answer that another filter refused is looked at anew", () => {
  const filter = compress.build(compress.options.parse({ minBytes: 1 }), new FakeDeps())
  const x = acquireExchange()
  x.request = Fields.of([["Accept-Encoding", "gzip"]])
  filter.identify!(x)
  for (let i = 0; i < 2; i++) {
    x.down = {} as Downstream
    setLocalResponse(x, 200, "Content-Type: text/plain\r\n", Buffer.from("a".repeat(99)))
    filter.response!(x)
    expect(x.response.extra).toContain("Vary: Accept-Encoding")
    x.down!.sendBody(Buffer.from("a".repeat(99)))
  }
  filter.log!(x)
})

describe("which", () => {
  test("eight octets get no smaller: no coding, but Vary", () => {
    const answered = head("Accept-Encoding: gzip\r\n")
    expect(answered).toContain("Vary: Accept-Encoding\r\n")
    expect(answered).not.toContain("Content-Encoding")
    expect(answered).toMatch(/content-length: 8\r\n/i)
  })
  test.each([
    ["is encoded", "Content-Type: text/plain\r\nContent-Encoding: br\r\n"],
    ["no-transform", "Content-Type: text/plain\r\nCache-Control: max-age=1, no-transform\r\n"],
    ["a part", "Content-Type: text/plain\r\nContent-Range: bytes 0-7/9\r\n"],
    ["an image", "Content-Type: image/png\r\n"],
    ["events", "Content-Type: text/event-stream\r\n"],
    ["gRPC", "Content-Type: application/grpc+proto\r\n"],
    ["no type", ""],
  ])("%s: untouched", (_, answer) => {
    expect(head("Accept-Encoding: gzip\r\n", answer)).not.toContain("Accept-Encoding")
  })
  test("what HEAD says", () => {
    const said = head("Accept-Encoding: gzip;q=0.5, br\r\n", 'Content-Type: text/plain\r\nETag: "v1"\r\nVary: Origin\r\n', {}, "HEAD")
    expect(said).not.toContain("Content-Encoding")
    const full = head("Accept-Encoding: gzip;q=0.5, br\r\n", 'Content-Type: text/plain\r\nETag: "v1"\r\nVary: Origin\r\n', { minBytes: 1 }, "HEAD")
    for (const line of ["Content-Encoding: br", 'ETag: W/"v1"', "Vary: Origin, Accept-Encoding"]) expect(full).toContain(`${line}\r\n`)
    expect(full.toLowerCase()).not.toContain("content-length")
  })
  test("a request with no-transform, or that accepts nothing we make", () => {
    for (const fields of [
      "Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n",
      "Accept-Encoding: deflate\r\n",
      "Accept-Encoding: gzip;q=0\r\n",
      "",
    ])
      expect(head(fields, undefined, { minBytes: 1 }, "HEAD")).not.toContain("Content-Encoding")
  })
  test("types of the config", () => {
    const types = compileTypes(["text/*", "application/*+json", "image/svg+xml"])
    for (const yes of ["text/html; charset=x", "TEXT/css", "application/ld+json", "image/svg+xml"]) expect(types.has(yes)).toBe(true)
    for (const no of ["application/json", "image/png", "", "textual/html"]) expect(types.has(no)).toBe(false)
    expect(compileTypes(["*"]).has("image/png")).toBe(true)
    expect(head("Accept-Encoding: gzip\r\n", "Content-Type: text/event-stream\r\n", { minBytes: 1, types: ["text/event-stream"] })).toContain("Vary")
    expect(head("Accept-Encoding: gzip\r\n", "Content-Type: text/event-stream\r\n", { minBytes: 1, types: ["text/*"] })).not.toContain("Vary")
  })
})

test.each([
  [{ codings: [] }, "too_small"],
  [{ codings: ["gzip", "gzip"] }, "each coding once"],
  [{ codings: ["lzma"] }, "codings"],
  [{ levels: { gzip: 10 } }, "too_big"],
  [{ types: ["text html"] }, "expected a media type"],
  [{ minbytes: 1 }, "minbytes"],
])("refuses %j", (given, said) => {
  const result = compress.options.safeParse(given)
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(said)
})
