import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { readLogLine } from "./log-request.ts"

const json =
  '{"time":"2026-11-26T01:07:46.005Z","listener":"web","client":"192.0.2.17","method":"GET","scheme":"http","host":"shop.example","port":8080,' +
  '"target":"/a/b?page=2\\u00e9","version":"1.1","status":200,"route":"shop","durationMs":3.1,"requestBytes":0,"responseBytes":1234,"cache":"miss","cacheReason":"stored"}'

describe("a line of the access log", () => {
  test("json", () => {
    expect(readLogLine(json)).toEqual({
      method: "GET",
      scheme: "http",
      authority: "shop.example:8080",
      target: "/a/b?page=2\xe9",
      status: 200,
      bytes: 1234,
      whole: true,
      cache: "miss",
      cacheReason: "stored",
      route: "shop",
      timeMs: Date.UTC(2026, 10, 26, 1, 7, 46, 5),
    })
    expect(readLogLine(json.replace('"port":8080,', "").replace("shop.example", "2001:db8::1"))).toMatchObject({ authority: "[2001:db8::1]" })
    expect(readLogLine(json.replace('"route"', '"fault":"client.aborted","route"'))).toMatchObject({ whole: false })
    expect(readLogLine('{"time":"2026-11-26T01:07:46.005Z","client":"192.0.2.17","status":400,"responseBytes":0}')).toMatchObject({
      method: "",
      status: 400,
    })
  })

  test("combined, as the proxy, nginx and Apache write it", () => {
    const front = "192.0.2.17 - ann [26/Nov/2026:01:07:46 +0100]"
    expect(readLogLine(`${front} "GET /a/b?page=2 HTTP/1.1" 200 1234 "https://ref.test/" "curl/8"`)).toEqual({
      method: "GET",
      scheme: "",
      authority: "",
      target: "/a/b?page=2",
      status: 200,
      bytes: 1234,
      whole: true,
      cache: "",
      cacheReason: "",
      route: "",
      timeMs: Date.UTC(2026, 10, 26, 0, 7, 46),
    })
    const targets: [string, string, string][] = [
      ["/\\x22x\\x0A\\xE9", "", '/"x\n\xe9'],
      ['/a\\"b\\\\', "", '/a"b\\'],
      ["http://shop.example:8080/a?b", "shop.example:8080", "/a?b"],
      ["http://Shop.Example", "shop.example", "/"],
      ["http://shop.example?q", "shop.example", "/?q"],
    ]
    for (const [written, authority, target] of targets)
      expect(readLogLine(`${front} "GET ${written} HTTP/1.1" 200 1 "-" "-"`)).toMatchObject({ authority, target })
    expect(readLogLine(`${front} "-" 400 0 "-" "-"`)).toMatchObject({ method: "", target: "" })
    expect(readLogLine(`${front} "GET / HTTP/1.1" 304 -`)).toMatchObject({ status: 304, bytes: 0 })
    expect(readLogLine(`192.0.2.17 - odd [name [26/Nov/2026:01:07:46 +0100] "GET / HTTP/1.1" 200 5`)).toMatchObject({
      bytes: 5,
      timeMs: Date.UTC(2026, 10, 26, 0, 7, 46),
    })
  })

  test("anything else is no line", () => {
    const lines = [
      "",
      "x",
      "{",
      "{}",
      "null",
      '{"status":200}',
      '{"status":"200","responseBytes":1}',
      '{"status":200,"responseBytes":-1}',
      "GET / 200 17",
    ]
    lines.push('1.2.3.4 - - [26/Nov/2026:01:07:46 +0100] "GET / HTTP/1.1" 20 17', '1.2.3.4 - - [26/Nov/2026:01:07:46 +0100] "GET /')
    for (const line of lines) expect([line, readLogLine(line)]).toEqual([line, null])
    expect(readLogLine('1.2.3.4 - - [never] "GET / HTTP/1.1" 200 17')).toMatchObject({ timeMs: Number.NaN })
  })

  test("nothing that a line may hold makes it throw or slow", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), noise => {
        readLogLine(noise)
        readLogLine(`{${noise}`)
        readLogLine(`1.2.3.4 - - [26/Nov/2026:01:07:46 +0100] "${noise}`)
      }),
      { seed: 3, numRuns: 200 },
    )
    const begin = performance.now()
    for (const piece of [" [", '] "', '\\"', "\\x2", '"', " "]) expect(readLogLine(piece.repeat(100_000))).toBeNull()
    expect(performance.now() - begin).toBeLessThan(2000)
  })
})
