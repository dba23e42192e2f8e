import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { Exchange, FAULT_VERDICT, NEXT, type Plan } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import type { Filter } from "../../plugin/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import headers from "./headers.ts"

function build(options: unknown): Filter {
  return headers.build(headers.options.parse(options), new FakeDeps())
}

function exchange(fields: readonly (readonly [string, string])[] = []): Exchange {
  const x = new Exchange()
  x.plan = { route: { name: "röute", index: 0, cluster: "shop", metrics: 0 } } as Plan
  x.listener = { name: "web", index: 0, secure: false, forward: false }
  x.clientAddress = "192.0.2.7"
  x.host = "a.test"
  x.authority = "a.test:8080"
  x.port = 8080
  x.user = "ann"
  x.path = "/p"
  x.query = "?q=1"
  x.method = "GET"
  x.request = Fields.of(fields)
  x.response = Fields.of([["Server", "peer"]])
  return x
}

function requestOf(options: unknown, fields: readonly (readonly [string, string])[] = [], change: Partial<Exchange> = {}): string {
  const x = Object.assign(exchange(fields), change)
  expect(build(options).request!(x)).toBe(NEXT)
  return x.request.render()
}

function problemsOf(options: unknown): string {
  const result = headers.options.safeParse(options)
  return result.success ? "" : JSON.stringify(result.error.issues)
}

describe("headers", () => {
  test("set replaces all of a name, add keeps them, remove removes", () => {
    const fields = [
      ["X-A", "1"],
      ["Accept", "*/*"],
      ["x-a", "2"],
      ["X-B", "b"],
      ["Cookie", "c"],
    ] as const
    const options = { request: { set: { "X-A": "new" }, add: { "X-B": "more" }, remove: ["cookie"] } }
    expect(requestOf(options, fields)).toBe("Accept: */*\r\nX-B: b\r\nX-A: new\r\nX-B: more\r\n")
  })

  test("variables", () => {
    const value = "$client|$host|$authority|$scheme|$port|$method|$path$query|$listener|$cluster|$user|${requestField:x-id}|$$"
    expect(requestOf({ request: { set: { V: value } } }, [["X-Id", "7"]])).toBe(
      "X-Id: 7\r\nV: 192.0.2.7|a.test|a.test:8080|http|8080|GET|/p?q=1|web|shop|ann|7|$\r\n",
    )
  })

  test("text beyond ASCII goes out as UTF-8, octets of the request as they came", () => {
    const text = requestOf({ request: { set: { A: "é$user", B: "$route", C: "${requestField:x-id}" } } }, [["X-Id", "\xe9"]], { user: "Łu" })
    expect(text).toBe("X-Id: \xe9\r\nA: \xc3\xa9\xc5\x81u\r\nB: r\xc3\xb6ute\r\nC: \xe9\r\n")
  })

  test("an empty value leaves no field: what the client claims to be is gone", () => {
    expect(requestOf({ request: { set: { "X-Auth-User": "$user" } } }, [["X-Auth-User", "root"]], { user: "" })).toBe("")
  })

  test("a value may name the field that it replaces", () => {
    expect(requestOf({ request: { set: { "X-A": "was ${requestField:x-a}" }, remove: ["x-a"] } }, [["X-A", "old"]])).toBe("X-A: was old\r\n")
  })

  test("two filters one after the other: the later one wins, also over what the first added", () => {
    const x = exchange([["Host", "a.test"]])
    build({ request: { set: { "X-A": "1", "X-B": "b", "X-Aa": "keep" } } }).request!(x)
    build({ request: { set: { "x-a": "2" }, remove: ["X-B"] } }).request!(x)
    expect(x.request.render()).toBe("Host: a.test\r\nX-Aa: keep\r\nx-a: 2\r\n")
  })

  test("host changes Host and nothing that was decided from it", () => {
    const x = exchange([["Host", "a.test:8080"]])
    build({ host: "app.internal" }).request!(x)
    expect(x.request.render()).toBe("Host: app.internal\r\n")
    expect([x.host, x.authority]).toEqual(["a.test", "a.test:8080"])
    expect(requestOf({ host: "$user" }, [["Host", "a.test"]], { user: "" })).toBe("Host: a.test\r\n")
  })

  test("responses, local replies included", () => {
    const x = exchange()
    x.status = 200
    const filter = build({ response: { set: { "X-Status": "$status", "Content-Security-Policy": "default-src 'self'" }, remove: ["Server"] } })
    expect(filter.request).toBeUndefined()
    filter.response!(x)
    expect(x.response.render()).toBe("X-Status: 200\r\nContent-Security-Policy: default-src 'self'\r\n")
    const local = new FilterRun({
      access: refused => {
        refused.fault = FAULT.forbidden
        return FAULT_VERDICT
      },
      response: build({ response: { set: { "Cache-Control": "max-age=1" } } }).response!,
    })
    const reply = local.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(reply).toContain("\r\nCache-Control: max-age=1\r\n")
    expect(reply).not.toContain("no-store")
  })

  test("a field of ours cannot be nominated away by the client (RFC 9110 section 7.6.1)", () => {
    const lines = [
      "Connection: close, X-Forwarded-For, X-Auth-User, Host, Via\r\n",
      "Connection: X-AUTH-USER\r\nConnection: x-auth-user, Host\r\nconnection: Via, keep-alive\r\n",
    ]
    for (const connection of lines) {
      const run = new FilterRun(build({ request: { set: { "X-Auth-User": "alice" } } }))
      run.send(`GET /who HTTP/1.1\r\nHost: app.test\r\nX-Auth-User: root\r\n${connection}\r\n`)
      expect(run.seen.sent).toEqual(["Host: app.test\r\nX-Auth-User: alice\r\n"])
    }
  })

  test.each([
    [{ request: { set: { "Content-Length": "1" } } }, "made by the proxy for each connection"],
    [{ request: { add: { "transfer-encoding": "chunked" } } }, "made by the proxy for each connection"],
    [{ response: { remove: ["Connection"] } }, "made by the proxy for each connection"],
    [{ request: { set: { Host: "b" } } }, "set by the option host"],
    [{ request: { set: { "a b": "1" } } }, "expected the name of a field"],
    [{ request: { set: { "": "1" } } }, "expected the name of a field"],
    [{ request: { set: { "a\r\nb": "1" } } }, "expected the name of a field"],
    [{ request: { set: { a: "x\r\nEvil: 1" } } }, "without line breaks"],
    [{ request: { set: { a: "x\u0000" } } }, "without line breaks"],
    [{ request: { set: { a: " x" } } }, "without spaces at its ends"],
    [{ request: { set: { a: "$clinet" } } }, "did you mean $client?"],
    [{ request: { set: { a: ["x"] } } }, "invalid_union"],
    [{ host: "a b" }, "expected a host"],
    [{ host: "" }, "expected a host"],
    [{ request: { replace: {} } }, "replace"],
  ])("refuses %j", (options, message) => {
    expect(problemsOf(options)).toContain(message)
  })

  test("numbers and booleans are values", () => {
    expect(requestOf({ request: { set: { DNT: 1, "X-On": true } } })).toBe("DNT: 1\r\nX-On: true\r\n")
  })

  test("says what it does", () => {
    const options = { request: { set: { A: "1" }, remove: ["B"] }, response: { add: { C: "2" } }, host: "h" }
    expect(build(options).describe!()).toBe("request: set A, remove B; response: add C; host h")
  })
})
