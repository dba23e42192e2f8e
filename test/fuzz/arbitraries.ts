import { readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"

// Octet streams that are nearly right: that is where readers part ways. Strings are latin1, one character an octet.

/** Inputs that once showed something, or that others got wrong: one a line, written as a JSON string. */
export function seeds(name: string): string[] {
  const text = readFileSync(join(import.meta.dirname, "seeds", `${name}.txt`), "utf8")
  return text
    .split("\n")
    .filter(line => line.startsWith('"'))
    .map(line => JSON.parse(line) as string)
}

/** A bounded run with a fixed seed. FUZZ_SEED=n is added to the seed, FUZZ_TIMES=n multiplies the length: for a search of its own. */
export function runs(seed: number, count: number): { seed: number; numRuns: number } {
  return { seed: seed + Number(process.env["FUZZ_SEED"] ?? 0), numRuns: count * Number(process.env["FUZZ_TIMES"] ?? 1) }
}

export const octet = fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code))
const octets = (max: number) => fc.array(octet, { maxLength: max }).map(list => list.join(""))

/** What grammars turn on. */
const shards = [
  "\r\n",
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\r",
  " ",
  "\t",
  ":",
  ";",
  ",",
  '"',
  "=",
  "\0",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x85",
  "\xa0",
  "\xff",
  "0",
  "1",
  "5",
  "a",
  "F",
  "-",
  "+",
  "0x",
  "_",
  "%",
  "#",
  "?",
  "/",
  "//",
  "..",
  "GET",
  "GET / HTTP/1.1\r\n",
  "POST /x HTTP/1.1\r\n",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.1 200 OK\r\n",
  "Host: a.test\r\n",
  "Content-Length",
  "Content-Length: 5\r\n",
  "Transfer-Encoding",
  "Transfer-Encoding: chunked\r\n",
  "chunked",
  "Connection: close\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "hello",
  "X: y\r\n",
  " X: fold\r\n",
  "Trailer: X\r\n",
]
const shard = fc.constantFrom(...shards)

/** Anything at all. */
export const rubble = fc.array(fc.oneof(shard, shard, shard, octets(8)), { maxLength: 30 }).map(list => list.join(""))

type Edit = { readonly kind: "insert" | "remove" | "repeat" | "swap"; readonly at: number; readonly length: number; readonly text: string }
const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("insert", "insert", "remove", "repeat", "swap"),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 12 }),
  text: fc.oneof(shard, shard, octet),
})

function apply(text: string, { kind, at, length, text: piece }: Edit): string {
  const from = Math.floor(at * (text.length + 1))
  if (kind === "insert") return text.slice(0, from) + piece + text.slice(from)
  if (kind === "remove") return text.slice(0, from) + text.slice(from + length)
  if (kind === "repeat") return text.slice(0, from + length) + text.slice(from)
  return text.slice(0, from) + piece + text.slice(from + piece.length)
}

/** These, two in five with a few slips, and now and then rubble. */
export function slipped(whole: fc.Arbitrary<string>, slipsMax: number): fc.Arbitrary<string> {
  const edited = fc.tuple(whole, fc.array(edit, { minLength: 1, maxLength: slipsMax })).map(([text, edits]) => edits.reduce(apply, text))
  return fc.oneof({ weight: 12, arbitrary: whole }, { weight: 8, arbitrary: edited }, { weight: 1, arbitrary: rubble })
}

const bodyText = fc.oneof(fc.constantFrom("", "a", "hello", "GET /inner HTTP/1.1\r\nHost: inner\r\n\r\n", "0\r\n\r\n"), octets(40))
const extension = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  { weight: 2, arbitrary: fc.constantFrom(";a", ";a=b", '; a="x;y"', ";a;b=c") },
  { weight: 1, arbitrary: fc.constantFrom(";", " ", ";=", ';a="', "\t;a", ";\n") },
)
const trailers = fc.constantFrom("", "", "", "X-Sum: 1\r\n", "X-Sum: 1\r\nContent-Length: 5\r\n", "Host: inner\r\n", "X-Sum\r\n", "X: 1\n")
/** The end of a line: nearly always what it should be. */
const eol = fc.oneof(
  { weight: 60, arbitrary: fc.constant("\r\n") },
  { weight: 1, arbitrary: fc.constantFrom("\n", "\r", "\rX", "\r\r\n", "", " \r\n", "\n\n", "\0\r\n") },
)

const chunk = fc.tuple(bodyText, extension, fc.boolean(), eol, eol).map(([data, ext, upper, first, second]) => {
  if (data === "") return ""
  const size = data.length.toString(16)
  return `${upper ? size.toUpperCase() : size}${ext}${first}${data}${second}`
})
export const chunkedBody: fc.Arbitrary<string> = fc
  .tuple(fc.array(chunk, { maxLength: 3 }), extension, trailers, eol, eol)
  .map(([chunks, ext, section, first, last]) => `${chunks.join("")}0${ext}${first}${section}${last}`)

const method = fc.constantFrom("GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "BREW")
const target = fc.constantFrom("/", "/a", "/a?b=c", "/a%20b", "http://a.test/abs", "/x//y", "/very/long")
const field = fc.constantFrom(
  "X-A: 1",
  "X-B:",
  "Accept: */*",
  "Connection: keep-alive",
  "Connection: close",
  "Connection: X-A",
  "Expect: 100-continue",
  "TE: trailers",
  "Cookie: a=b",
  "x-LATIN: caf\xe9",
  "Via: 1.1 x",
  "Connection: transfer-encoding, content-length",
  "Connection: upgrade\r\nUpgrade: websocket",
  "Trailer: X-Sum",
)

/** Lines that frame a body of `n` octets, or a chunked one: sound ones first, then those that smuggle. */
const frames: Record<"length" | "chunked", readonly ((n: number) => string)[]> = {
  length: [
    n => `Content-Length: ${n}`,
    n => `Content-Length: ${n}`,
    n => `content-LENGTH:${n} `,
    n => `Content-Length: ${n}`,
    n => `Content-Length: ${n}`,
    n => `Content-Length: 0${n}`,
    n => `Content-Length: ${n}\r\nContent-Length: ${n}`,
    n => `Content-Length: ${n}\r\nContent-Length: 0`,
    n => `Content-Length: ${n}, ${n}`,
    n => `Content-Length: +${n}`,
    n => `Content-Length : ${n}`,
    n => `Content-Length: ${n}\r\nTransfer-Encoding: chunked`,
    n => `Content-Length: ${n}\r\nTransfer_Encoding: chunked`,
    n => `Content-Length:\r\n ${n}`,
    () => "Content-Length:",
  ],
  chunked: [
    () => "Transfer-Encoding: chunked",
    () => "Transfer-Encoding: chunked",
    () => "transfer-ENCODING:Chunked ",
    () => "Transfer-Encoding: chunked",
    () => "Transfer-Encoding: chunked",
    () => "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    () => "Transfer-Encoding: x, chunked",
    () => "Transfer-Encoding: chunked, x",
    () => "Transfer-Encoding:\r\n chunked",
    () => "Transfer-Encoding : chunked",
    () => "Transfer-Encoding: \x0bchunked",
    () => "Transfer_Encoding: chunked",
    () => "Content-Length: 3\r\nTransfer-Encoding: chunked",
    () => "Transfer-Encoding: chunked\r\nContent-Length: 3",
  ],
}

/** Framing lines and the body that they, or somebody, might mean. */
const framed: fc.Arbitrary<[lines: string, body: string]> = fc
  .tuple(
    fc.constantFrom("none", "none", "length", "length", "chunked", "chunked"),
    fc.oneof({ weight: 3, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.nat(14) }),
    bodyText,
    chunkedBody,
  )
  .map(([kind, which, body, chunks]) => {
    if (kind === "none") return ["", ""]
    const list = frames[kind as "length" | "chunked"]
    return [`${list[which % list.length]!(body.length)}\r\n`, kind === "length" ? body : chunks]
  })

const headLines = fc
  .array(
    fc.tuple(field, eol).map(([line, end]) => line + end),
    { maxLength: 3 },
  )
  .map(lines => lines.join(""))

/** A stream of requests that are sound or nearly so, some with bodies. */
export const requests: fc.Arbitrary<string> = fc
  .array(
    fc
      .tuple(method, target, fc.constantFrom("1.1", "1.1", "1.1", "1.0"), eol, headLines, framed, eol)
      .map(([m, t, v, first, lines, [frame, body], blank]) => {
        return `${m} ${t} HTTP/${v}${first}Host: a.test\r\n${lines}${frame}${blank}${body}`
      }),
    { minLength: 1, maxLength: 3 },
  )
  .map(list => list.join(""))

const status = fc.constantFrom("200 OK", "200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "500 ", "299")
const interim = fc.constantFrom("", "", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

/** One response that is sound or nearly so, of any framing. */
export const response: fc.Arbitrary<string> = fc
  .tuple(interim, fc.constantFrom("1.1", "1.1", "1.1", "1.0"), status, eol, headLines, framed, eol)
  .map(([before, v, s, first, lines, [frame, body], blank]) => `${before}HTTP/${v} ${s}${first}${lines}${frame}${blank}${body}`)

/** Where a stream is cut into segments. */
export const cuts = fc.array(fc.integer({ min: 1, max: 600 }), { maxLength: 12 })
