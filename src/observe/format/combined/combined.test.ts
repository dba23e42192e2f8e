import { describe, expect, test } from "bun:test"
import { FAULT, FakeClock } from "../../../base/index.ts"
import { sampleExchange } from "../sample-exchange.fixture.ts"
import combined, { combinedFormatter } from "./combined.ts"

process.env["TZ"] ??= "UTC"
const format = combinedFormatter({ redact: true }, new FakeClock(0, Date.UTC(2026, 10, 26, 1, 7, 46)))
const zone = /\[26\/Nov\/2026:\d\d:\d\d:\d\d [+-]\d{4}\]|\[2[57]\/Nov.*?\]/

function lineOf(...args: Parameters<typeof sampleExchange>): string {
  const line = format(sampleExchange(...args))
  expect(line).toMatch(zone)
  return line.replace(zone, "[T]")
}

describe("combined", () => {
  test("as nginx writes it", () => {
    expect(
      lineOf({ user: "ann" }, [
        ["User-Agent", "curl/8"],
        ["Referer", "https://ref.test/"],
      ]),
    ).toBe('192.0.2.17 - ann [T] "GET /a/b?page=2 HTTP/1.1" 200 1234 "https://ref.test/" "curl/8"\n')
  })

  test("what is absent is a dash; no status is 000", () => {
    const x = { method: "", status: 0, fault: FAULT.badPreface, responseBytes: 0 }
    expect(lineOf(x)).toBe('192.0.2.17 - - [T] "-" 000 0 "-" "-"\n')
  })

  test("a forward request shows the target as it came", () => {
    expect(lineOf({ forwardForm: true, version: 10 })).toContain('"GET http://shop.example:8080/a/b?page=2 HTTP/1.0"')
    expect(lineOf({ forwardForm: true, method: "CONNECT", path: "", query: "", authority: "app.test:443" })).toContain(
      '"CONNECT app.test:443 HTTP/1.1"',
    )
    expect(lineOf({ method: "OPTIONS", path: "*", query: "" })).toContain('"OPTIONS * HTTP/1.1"')
  })

  test("nobody breaks out of a quoted value or the line", () => {
    const line = lineOf({ path: '/"x\n', query: "?\\=\xe9" }, [["User-Agent", '" 200 "\x00']])
    expect(line).toBe('192.0.2.17 - - [T] "GET /\\x22x\\x0A?\\x5C=\\xE9 HTTP/1.1" 200 1234 "-" "\\x22 200 \\x22\\x00"\n')
  })

  test("secrets of the query are hidden unless the option says otherwise", () => {
    expect(lineOf({ query: "?token=zecret" })).toContain("/a/b?token=*** ")
    expect(combined.compile(combined.options.parse({ redact: false }))(sampleExchange({ query: "?token=1" }))).toContain("?token=1 ")
  })
})
