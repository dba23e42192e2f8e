import type { Validators } from "../../http/index.ts"
import { expect, test } from "bun:test"
import { FieldLines } from "./field-lines.ts"
import { headMatches, selects304, storedFields, updatedFields } from "./update.ts"

function linesOf(...lines: readonly string[]): FieldLines {
  return FieldLines.parse(lines.map(line => `${line}\r\n`).join(""))
}

test("lines are cut once: names in lower case, values trimmed, lines as they came", () => {
  const lines = FieldLines.parse('ETag: "a"\r\nX-A:1\r\nx-a: \t2 \r\nX-Empty:\r\nno colon\r\n: no name\r\nX-\u00e9: \u00a0v\u00a0\r\nLast: x')
  expect(lines.names).toEqual(["etag", "x-a", "x-a", "x-empty", "x-\u00e9", "last"])
  expect(lines.values).toEqual(['"a"', "1", "2", "", "\u00a0v\u00a0", "x"])
  expect(lines.get("x-a")).toBe("1, 2")
  expect(lines.get("x-empty")).toBe("")
  expect(lines.get("absent")).toBe("")
  expect(lines.has("x-empty") && !lines.has("absent")).toBe(true)
  expect(lines.render()).toBe('ETag: "a"\r\nX-A:1\r\nx-a: \t2 \r\nX-Empty:\r\nX-\u00e9: \u00a0v\u00a0\r\nLast: x\r\n')
  expect(lines.without(new Set(["x-a", "etag"])).names).toEqual(["x-empty", "x-\u00e9", "last"])
  expect(linesOf("A: ", "A: 1").get("a")).toBe(", 1")
  expect(FieldLines.parse("").render()).toBe("")
})

test("fields of one hop are not stored (section 3.1)", () => {
  const received = linesOf(
    ...[
      "Connection: a, B ,close",
      "A: 1",
      "b: 2",
      "C: 3",
      "Keep-Alive: x",
      "Proxy-Connection: x",
      "TE: x",
      "Trailer: x",
      "Transfer-Encoding: x",
      "Upgrade: x",
    ],
    ...["Proxy-Authenticate: x", "Proxy-Authentication-Info: x", "Proxy-Authorization: x", "Set-Cookie: s=1", "X-User: u"],
  )
  expect(storedFields(received, []).render()).toBe("C: 3\r\nSet-Cookie: s=1\r\nX-User: u\r\n")
  expect(storedFields(received, ["set-cookie", "x-user"]).render()).toBe("C: 3\r\n")
})

const stored = linesOf(
  ...[
    "Date: old",
    "Age: 5",
    "Cache-Control: max-age=1",
    'ETag: "a"',
    "X-Old: 1",
    "X-Two: 1",
    "X-Two: 2",
    "Content-Length: 36",
    "Content-Type: text/plain",
  ],
  ...["Content-Encoding: gzip", "Content-Range: bytes 0-35/36", "Set-Cookie: old=1"],
)

test("a 304 replaces the fields it has, with all their lines, and leaves the others (section 3.2)", () => {
  const fresh = linesOf("Date: new", "Cache-Control: max-age=3600", "x-two: 3", "X-New: 1", "X-New: 2")
  expect(updatedFields(stored, fresh).render()).toBe(
    'ETag: "a"\r\nX-Old: 1\r\nContent-Length: 36\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Range: bytes 0-35/36\r\nSet-Cookie: old=1\r\n' +
      "Date: new\r\nCache-Control: max-age=3600\r\nx-two: 3\r\nX-New: 1\r\nX-New: 2\r\n",
  )
})

test("what says how the stored octets are to be read stays, whatever a 304 says; cookies of a 304 are not stored (O-21)", () => {
  const fresh = linesOf(
    ...["Content-Length: 0", "Content-Type: text/html", "Content-Encoding: br", "Content-Range: bytes 0-9/10", "Set-Cookie: sid=2", "Set-Cookie2: x"],
    ...["Connection: X-Hop", "X-Hop: 1", "Transfer-Encoding: chunked", "X-Secret: 1"],
  )
  const updated = updatedFields(stored, fresh, ["x-secret"])
  expect(updated.render()).toBe(stored.without(new Set(["date", "age"])).render())
})

test("the age of before does not count any more", () => {
  const updated = updatedFields(stored, linesOf("X: 1"))
  expect([updated.has("age"), updated.has("date")]).toEqual([false, false])
  expect(updatedFields(stored, linesOf("Age: 7", "Date: new")).get("age")).toBe("7")
})

const bare: Validators = { etag: "", lastModified: "", date: "", status: 200 }

function of(etag: string, lastModified = ""): Validators {
  return { ...bare, etag, lastModified }
}

test("which stored response a 304 is about (section 4.3.4)", () => {
  const cases: readonly [Validators, Validators, boolean][] = [
    [of('"a"'), of('"a"'), true],
    [of('"a"'), of('"b"'), false],
    [of(""), of('"b"'), false],
    [of('"a"', "x"), of('"a"', "y"), true],
    // Weakened with the 200 that was compressed, and not with the 304.
    [of('W/"a"'), of('"a"'), true],
    [of('"a"'), of('W/"a"'), true],
    [of('W/"a"'), of('W/"a"'), true],
    [of('W/"a"'), of('W/"b"'), false],
    [of("", "x"), of("", "x"), true],
    [of("", "x"), of("", "y"), false],
    [of('"a"', "x"), of("", "x"), true],
    // Servers that leave the validators out.
    [of('"a"', "x"), of(""), true],
    [of("abc"), of("abc"), true],
    [of("abc"), of("abcd"), false],
    [of(""), of("*"), false],
  ]
  for (const [old, response, expected] of cases) expect({ old, response, is: selects304(old, response) }).toEqual({ old, response, is: expected })
})

test("whether an answer to HEAD is about what is stored (section 4.3.5)", () => {
  const old = of('"a"', "x")
  expect(headMatches(old, 36, of('"a"', "x"), "36")).toBe(true)
  expect(headMatches(old, 36, bare, "")).toBe(true)
  expect(headMatches(old, -1, bare, "36")).toBe(true)
  expect(headMatches(old, 36, bare, "37")).toBe(false)
  expect(headMatches(old, 36, bare, "36, 36")).toBe(false)
  expect(headMatches(old, 36, of('"b"'), "36")).toBe(false)
  expect(headMatches(old, 36, of("", "y"), "36")).toBe(false)
  expect(headMatches(of('W/"a"'), 36, of('"a"'), "36")).toBe(false)
})
