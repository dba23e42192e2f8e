import { describe, expect, test } from "bun:test"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import acceptOnly from "./accept-only.ts"

const start = (options: unknown) => new FilterRun(acceptOnly.build(acceptOnly.options.parse(options), new FakeDeps()))
const ask = (method: string, type?: string, body = "{}") =>
  `${method} /a HTTP/1.1\r\nHost: a.test\r\n${type === undefined ? "" : `Content-Type: ${type}\r\n`}${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`

describe("accept-only", () => {
  test("methods: 405 with Allow; GET brings HEAD, case counts", () => {
    const run = start({ methods: ["GET", "POST"] })
    expect(run.send(ask("DELETE", undefined, ""))).toMatch(/^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD, POST\r\n/s)
    expect(run.seen.faults).toEqual(["proxy.method-forbidden"])
    for (const method of ["GET", "HEAD"]) expect(start({ methods: ["GET"] }).send(ask(method, undefined, ""))).toStartWith("HTTP/1.1 404 ")
    expect(start({ methods: ["GET"] }).send(ask("get", undefined, ""))).toStartWith("HTTP/1.1 405 ")
  })

  test.each([
    ["application/json", true],
    ["Application/JSON; charset=utf-8", true],
    ["application/json ;x=1", true],
    ["text/csv", true],
    ["application/problem+json", true],
    ["application/+json", false],
    ["application/jsonp", false],
    ["text/", false],
    ["application/x-www-form-urlencoded", false],
    ["", false],
    [undefined, false],
    ["application/json\r\nContent-Type: text/evil", false],
    ["application/json, text/evil", false],
  ])("types: a body of %j is taken: %j", (type, taken) => {
    const run = start({ types: ["application/json", "text/*", "application/*+json"] })
    const reply = run.send(ask("POST", type))
    expect(reply).toStartWith(taken ? "HTTP/1.1 404 " : "HTTP/1.1 415 ")
    if (!taken) expect(reply).toContain("\r\nAccept: application/json, text/*\r\n")
  })

  test("what has no body needs no type", () => {
    expect(start({ types: ["text/plain"] }).send(ask("GET", undefined, ""))).toStartWith("HTTP/1.1 404 ")
    expect(start({ types: ["text/plain"] }).send(ask("POST", undefined, "").replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"))).toStartWith(
      "HTTP/1.1 404 ",
    )
  })

  test.each([{}, { methods: [] }, { methods: ["CONNECT"] }, { methods: ["a b"] }, { types: ["json"] }, { types: ["*/*"] }])("refuses %j", options =>
    expect(acceptOnly.options.safeParse(options).success).toBe(false),
  )
})
