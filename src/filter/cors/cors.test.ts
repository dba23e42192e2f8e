import { describe, expect, test } from "bun:test"
import type { Filter } from "../../plugin/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import cors from "./cors.ts"
import { OriginRule } from "./origin-rule.ts"

const build = (options: unknown): Filter => cors.build(cors.options.parse(options), new FakeDeps())
const start = (options: unknown, answer = "") => new FilterRun(build(options), answer)
const ask = (method: string, fields = "") => `${method} /a HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const app = "Origin: https://app.test\r\n"
const preflight = (fields = "") => ask("OPTIONS", `${app}Access-Control-Request-Method: PUT\r\n${fields}`)

describe("origins", () => {
  const rule = new OriginRule(["https://app.test", "https://*.example.com", "http://localhost:*", "https://full.test:443", "http://*.dev.test:*"])
  test.each([
    ["https://app.test", true],
    ["https://a.example.com", true],
    ["https://a.b.example.com", true],
    ["http://localhost:3000", true],
    ["http://localhost", true],
    ["https://full.test", true],
    ["http://x.dev.test:81", true],
    ["http://app.test", false],
    ["https://app.test:8443", false],
    ["https://app.test.evil.test", false],
    ["https://evilapp.test", false],
    ["https://example.com", false],
    ["https://.example.com", false],
    ["https://evilexample.com", false],
    ["https://a.example.com.evil.test", false],
    ["https://evil.test/.example.com", false],
    ["https://evil.test:1@a.example.com", false],
    ["https://evil.test:80.example.com", false],
    ["https://a.example.com:444", false],
    ["http://localhost.evil.test:3000", false],
    ["http://localhost:3000.evil.test", false],
    ["http://localhost:evil", false],
    ["http://evil.test/x.dev.test:81", false],
    ["null", false],
    ["", false],
  ])("%s: %p", (origin, allowed) => expect(rule.allows(origin)).toBe(allowed))

  test("null only where it is listed", () => expect(new OriginRule(["null"]).allows("null")).toBe(true))
})

describe("cors", () => {
  test("a preflight is answered here, before anybody is asked who it is", () => {
    const filter = build({ origins: ["https://app.test"], credentials: true, maxAge: "1h" })
    const run = new FilterRun({ ...filter, access: () => expect.unreachable() as never })
    const reply = run.send(preflight("Access-Control-Request-Headers: x-a\r\n"))
    expect(reply).toStartWith("HTTP/1.1 204 ")
    for (const line of [
      "Access-Control-Allow-Origin: https://app.test",
      "Access-Control-Allow-Credentials: true",
      "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE",
      "Access-Control-Max-Age: 3600",
      "Vary: Origin",
    ])
      expect(reply).toContain(`\r\n${line}\r\n`)
    expect(reply).not.toContain("x-a")
    expect(run.seen.sent).toEqual([])
  })

  test("a preflight of somebody else tells nothing; OPTIONS without its fields goes on", () => {
    const run = start({ origins: ["https://app.test"] })
    const reply = run.send(preflight().replace("app.test", "evil.test"))
    expect(reply).toStartWith("HTTP/1.1 204 ")
    expect(reply).not.toContain("Access-Control")
    expect(reply).toContain("\r\nVary: Origin\r\n")
    expect(run.send(ask("OPTIONS", app))).toStartWith("HTTP/1.1 404 ")
    expect(run.send(ask("OPTIONS", "Access-Control-Request-Method: PUT\r\n"))).toStartWith("HTTP/1.1 404 ")
  })

  test("the star of headers is said name by name, and never more than names", () => {
    const run = start({ origins: ["*"], headers: ["*"], privateNetwork: true })
    const reply = run.send(preflight("Access-Control-Request-Headers: authorization, x-a\r\nAccess-Control-Request-Private-Network: true\r\n"))
    expect(reply).toContain("\r\nAccess-Control-Allow-Origin: *\r\n")
    expect(reply).toContain("\r\nAccess-Control-Allow-Headers: authorization, x-a\r\n")
    expect(reply).toContain("\r\nAccess-Control-Allow-Private-Network: true\r\n")
    expect(run.send(preflight("Access-Control-Request-Headers: \xff\r\n"))).not.toContain("Allow-Headers")
  })

  test("answers: ours instead of the peer's, whatever it says, also on refusals", () => {
    const peer = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nAccess-Control-Max-Age: 9\r\nVary: Accept\r\n"
    const run = start({ origins: ["https://app.test"], expose: ["X-Total"] }, peer)
    const reply = run.send(ask("GET", app))
    expect(reply.match(/access-control-[^\r]*|vary[^\r]*/gi)).toEqual([
      "Vary: Accept",
      "Vary: Origin",
      "Access-Control-Allow-Origin: https://app.test",
      "Access-Control-Expose-Headers: X-Total",
    ])
    for (const fields of ["", "Origin: https://evil.test\r\n", app + app, `${app}Origin: https://evil.test\r\n`])
      expect(run.send(ask("GET", fields)).match(/access-control/gi)).toBeNull()
  })

  test("enforce: others are refused, the site's own pages and programs without Origin are not", () => {
    const run = start({ origins: ["https://app.test"], enforce: true })
    expect(run.send(ask("POST", "Origin: https://evil.test\r\n"))).toStartWith("HTTP/1.1 403 ")
    expect(run.send(ask("POST", "Origin: null\r\n"))).toStartWith("HTTP/1.1 403 ")
    for (const fields of ["", app, "Origin: https://a.test\r\n"]) expect(run.send(ask("POST", fields))).toStartWith("HTTP/1.1 404 ")
  })

  test.each([
    [{ origins: [] }],
    [{ origins: ["app.test"] }],
    [{ origins: ["https://app.test/"] }],
    [{ origins: ["https://a.*.test"] }],
    [{ origins: ["*"], credentials: true }],
    [{ origins: ["https://a.test:99999"] }],
    [{ origins: ["https://a.test"], methods: ["A B"] }],
  ])("refuses %j", options => expect(cors.options.safeParse(options).success).toBe(false))
})
