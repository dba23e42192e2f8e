import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Fields } from "../fields.ts"
import type { Message } from "../message.ts"
import { cgiHead } from "./cgi-head.ts"
import { type FcgiOptions, scriptOf } from "./params.ts"
import { RecordReader } from "./record-reader.ts"
import { pairOf, recordHead, STDOUT } from "./records.ts"

const options: FcgiOptions = { root: "/www", index: "index.php", split: ".php", fallback: "", params: {}, keepAlive: false, bufferBytesMax: 0 }

describe("the script of a path", () => {
  test.each([
    ["/a.php", "/a.php", ""],
    ["/a.php/info/x", "/a.php", "/info/x"],
    ["/dir/", "/dir/index.php", ""],
    ["/a.php.txt/b.php", "/a.php.txt/b.php", ""],
    ["/sp%20ace.php", "/sp ace.php", ""],
  ])("%s", (path, name, pathInfo) => expect(scriptOf(path, options)).toEqual({ name, pathInfo }))

  test.each(["/a.txt", "/a.phpx", "/%2e%2e/a.php", "/a%2Fb.php", "/a%00.php", "/%FF.php", "/a%5C.php"])("%s names none", path => {
    expect(scriptOf(path, options)).toBeNull()
  })

  test("one entry for all others", () => {
    const one = { ...options, fallback: "/index.php" }
    expect(["/", "/users/7", "/a.php"].map(path => scriptOf(path, one)?.name)).toEqual(["/index.php", "/index.php", "/a.php"])
  })
})

describe("pairs", () => {
  test("short and long lengths", () => {
    expect(pairOf("A", "b")).toBe("\x01\x01Ab")
    expect(pairOf("A", "x".repeat(200)).slice(0, 6)).toBe("\x01\x80\x00\x00\xc8A")
  })
})

function head(text: string): { read: unknown; m: Message } {
  const m = { method: "GET", response: new Fields() } as unknown as Message
  return { read: cgiHead(Buffer.from(text, "latin1"), m, { headBytesMax: 1000, fieldsMax: 50 }), m }
}

describe("the head of an answer", () => {
  test.each([
    ["Content-Type: text/html\r\n\r\nx", 200, 27],
    ["Status: 404 Not Found\nContent-Type: a/b\n\n", 404, 41],
    ["Location: /x\r\n\r\n", 302, 16],
    ["Status: 201\r\nLocation: /x\r\n\r\n", 201, 29],
    ["\r\nbody", 200, 2],
    ["HTTP/1.1 503 Busy\r\nA: b\r\n\r\n", 503, 27],
  ])("%j", (text, status, end) => {
    const { read, m } = head(text)
    expect([read, m.status]).toEqual([end, status])
    expect(m.response.find("status")).toBeUndefined()
  })

  test("not whole yet, too large, nonsense", () => {
    expect(head("Content-Type: a/b\r\n").read).toBe(-1)
    expect(head(`A: ${"x".repeat(2000)}`).read).toMatchObject({ code: "upstream.fields-too-large" })
    for (const text of ["Status: none\r\n\r\n", "Status: 100\r\n\r\n", "no colon\r\n\r\n", "A\0: b\r\n\r\n"])
      expect(head(text).read).toMatchObject({ code: "upstream.malformed-response" })
  })
})

test("records are read alike however the stream is cut", () => {
  const record = fc.record({ content: fc.uint8Array({ maxLength: 300 }), padding: fc.nat(20) })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (records, cuts) => {
      const parts = records.map(({ content, padding }) => {
        const start = Buffer.from(recordHead(STDOUT, content.length), "latin1")
        start[6] = padding
        return Buffer.concat([start, content, Buffer.alloc(padding)])
      })
      const stream = Buffer.concat(parts)
      const got: Buffer[] = []
      let ends = 0
      const reader = new RecordReader()
      const receiver = {
        onContent: (_type: number, content: Buffer) => got.push(Buffer.from(content)) > 0,
        onRecordEnd: () => ++ends > 0,
      }
      for (let at = 0, i = 0; at < stream.length; i++) {
        const next = at + cuts[i % cuts.length]!
        expect(reader.push(stream.subarray(at, next), receiver)).toBe(true)
        at = next
      }
      expect(Buffer.concat(got).equals(Buffer.concat(records.map(({ content }) => content)))).toBe(true)
      expect(ends).toBe(records.length)
    }),
  )
})
