import { describe, expect, test } from "bun:test"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import requestSize from "./request-size.ts"

function runOf(options: unknown): FilterRun {
  return new FilterRun(requestSize.build(requestSize.options.parse(options), new FakeDeps()))
}

function statusOf(options: unknown, request: string): string {
  return runOf(options).send(request).slice(9, 12)
}

const get = (target: string, fields = "") => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe("request-size", () => {
  test.each([
    [{ targetBytesMax: 10 }, get("/123456789"), "404"],
    [{ targetBytesMax: 10 }, get("/12345678?a"), "414"],
    [{ queryBytesMax: 4 }, get("/?a=1"), "404"],
    [{ queryBytesMax: 4 }, get("/?a=12"), "414"],
    [{ queryBytesMax: 0 }, get("/?"), "414"],
    [{ parametersMax: 2 }, get("/?a&b"), "404"],
    [{ parametersMax: 2 }, get("/?a&b&"), "414"],
    [{ parametersMax: 0 }, get("/?"), "404"],
    [{ fieldsMax: 2 }, get("/", "A: 1\r\n"), "404"],
    [{ fieldsMax: 2 }, get("/", "A: 1\r\nB: 2\r\n"), "431"],
    [{ headBytesMax: 64 }, get("/", `A: ${"x".repeat(50)}\r\n`), "404"],
    [{ headBytesMax: 64 }, get("/", `A: ${"x".repeat(52)}\r\n`), "431"],
    [{ fieldBytesMax: 16 }, get("/", `A: ${"x".repeat(13)}\r\n`), "404"],
    [{ fieldBytesMax: 16 }, get("/", `A: ${"x".repeat(14)}\r\n`), "431"],
    [{ bodyBytesMax: 5 }, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello`, "404"],
    [{ bodyBytesMax: 5 }, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n`, "413"],
    [{ bodyBytesMax: 0 }, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`, "404"],
    [{ bodyBytesMax: 0 }, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`, "413"],
  ])("%j", (options, request, status) => expect(statusOf(options, request)).toBe(status))

  test("the connection goes on behind a head that was too large, not behind a body", () => {
    const run = runOf({ queryBytesMax: 4, bodyBytesMax: 5 })
    expect(run.send(get("/?abcdefg"))).toStartWith("HTTP/1.1 414")
    expect(run.send(get("/"))).toStartWith("HTTP/1.1 404")
    expect(run.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")).toContain("Connection: close")
  })

  test("refuses options that limit nothing, and says what it does", () => {
    expect(requestSize.options.safeParse({}).success).toBe(false)
    expect(requestSize.build(requestSize.options.parse({ headBytesMax: "8KB", parametersMax: 3 }), new FakeDeps()).describe!()).toBe(
      "headBytesMax 8KB, parametersMax 3",
    )
  })
})
