import { describe, expect, test } from "bun:test"
import { parseAuthority } from "./authority.ts"
import { type GuardedRequest, type GuardRules, pathOf, refusalOf } from "./guard.ts"

const open: GuardRules = { hosts: new Set(["admin.test"]), token: "", unix: false }
const locked: GuardRules = { hosts: new Set(["admin.test"]), token: "s3cret", unix: false }

function status(rules: GuardRules, method: string, headers: readonly (readonly [string, string])[], more: Partial<GuardedRequest> = {}): number {
  return refusalOf({ method, target: "/status", rawHeaders: headers.flat(), localAddress: "127.0.0.1", ...more }, rules)?.status ?? 200
}

describe("Host: only loopback names, configured names and the address itself", () => {
  const table: [string, number][] = [
    ["localhost", 200],
    ["LOCALHOST:9900", 200],
    ["127.0.0.1", 200],
    ["127.0.0.1:1", 200],
    ["127.8.9.1:9900", 200],
    ["[::1]:9900", 200],
    ["[::1]", 200],
    ["admin.test:9900", 200],
    ["Admin.Test", 200],
    ["rebind.evil.test:9900", 421],
    ["127.0.0.1.nip.test", 421],
    ["localhost.evil.test", 421],
    ["x.admin.test", 421],
    ["0.0.0.0", 421],
    ["0.0.0.0:9900", 421],
    ["[::]:9900", 421],
    ["10.0.0.1", 421],
    ["2130706433", 421],
    ["0x7f.1", 421],
    ["[::ffff:127.0.0.1]", 421],
    ["", 400],
    ["localhost.", 400],
    ["localhost:", 400],
    ["localhost:99999", 400],
    ["u@localhost", 400],
    ["localhost/", 400],
    ["localhost evil", 400],
    ["[::1", 400],
    ["[127.0.0.1]", 400],
    ["127.0.0.1,evil.test", 400],
  ]
  for (const [host, expected] of table)
    test(`${JSON.stringify(host)} → ${expected}`, () => expect(status(open, "GET", [["Host", host]])).toBe(expected))

  test("the address that the connection reached is fine on any bind", () => {
    expect(status(open, "GET", [["Host", "10.0.0.1:9900"]], { localAddress: "10.0.0.1" })).toBe(200)
    expect(status(open, "GET", [["Host", "10.0.0.1:9900"]], { localAddress: "::ffff:10.0.0.1" })).toBe(200)
    expect(status(open, "GET", [["Host", "10.0.0.2"]], { localAddress: "10.0.0.1" })).toBe(421)
  })

  test("two Hosts are refused, also two equal ones, also none", () => {
    expect(
      status(open, "GET", [
        ["Host", "localhost"],
        ["host", "localhost"],
      ]),
    ).toBe(400)
    expect(
      status(open, "GET", [
        ["Host", "localhost"],
        ["HOST", "evil.test"],
      ]),
    ).toBe(400)
    expect(status(open, "GET", [])).toBe(400)
  })

  test("an absolute-form target must name an allowed host too, and a path", () => {
    const host = [["Host", "localhost"]] as const
    expect(status(open, "GET", host, { target: "http://evil.test/status" })).toBe(421)
    expect(status(open, "GET", host, { target: "http://localhost:9900/status" })).toBe(200)
    expect(status(open, "GET", [["Host", "evil.test"]], { target: "http://localhost/status" })).toBe(421)
    for (const target of ["*", "evil.test:443", "ftp://localhost/x", "http://localhost"]) expect(status(open, "GET", host, { target })).toBe(400)
  })

  test("health and readiness are no way round the Host rule", () => {
    for (const target of ["/healthz", "/readyz"]) expect(status(open, "GET", [["Host", "evil.test"]], { target })).toBe(421)
  })

  test("on a Unix socket any Host will do", () => {
    expect(status({ ...open, unix: true }, "GET", [["Host", "whatever.test"]])).toBe(200)
    expect(status({ ...open, unix: true }, "POST", [["Host", "whatever.test"]])).toBe(200)
  })
})

describe("Origin: the page's own or none", () => {
  const table: [string, number][] = [
    ["http://localhost:9900", 200],
    ["http://evil.test", 403],
    ["http://localhost:3000", 403],
    ["https://localhost:9900", 403],
    ["null", 403],
    ["http://localhost:9900.evil.test", 403],
    ["", 403],
  ]
  for (const [origin, expected] of table) {
    test(`${JSON.stringify(origin)} → ${expected}`, () => {
      expect(
        status(open, "GET", [
          ["Host", "localhost:9900"],
          ["Origin", origin],
        ]),
      ).toBe(expected)
      expect(
        status(locked, "POST", [
          ["Host", "localhost:9900"],
          ["Origin", origin],
          ["Authorization", "Bearer s3cret"],
        ]),
      ).toBe(expected)
    })
  }
  test("a browser that says where the request comes from is believed", () => {
    for (const [site, expected] of [
      ["cross-site", 403],
      ["same-site", 403],
      ["same-origin", 200],
      ["none", 200],
    ] as const) {
      expect(
        status(open, "GET", [
          ["Host", "localhost"],
          ["Sec-Fetch-Site", site],
        ]),
      ).toBe(expected)
    }
  })
})

describe("changes on loopback without a token need more than a form", () => {
  const table: [string, string, number][] = [
    ["Content-Type", "application/x-www-form-urlencoded", 415],
    ["Content-Type", "multipart/form-data; boundary=x", 415],
    ["Content-Type", "text/plain", 415],
    ["Content-Type", "text/plain;application/json", 415],
    ["Content-Type", "application/json", 200],
    ["Content-Type", "Application/JSON; charset=utf-8", 200],
    ["X-Bothways", "1", 200],
    ["X-Bothways", "0", 415],
    ["X-Other", "1", 415],
  ]
  for (const [name, value, expected] of table) {
    test(`${name}: ${value} → ${expected}`, () =>
      expect(
        status(open, "POST", [
          ["Host", "localhost"],
          [name, value],
        ]),
      ).toBe(expected))
  }
  test("methods other than GET and HEAD count as changes", () => {
    for (const method of ["DELETE", "PUT", "OPTIONS", "PATCH", "TRACE"]) expect(status(open, method, [["Host", "localhost"]])).toBe(415)
  })
})

describe("token", () => {
  const table: [string | null, number][] = [
    [null, 401],
    ["Bearer s3cret", 200],
    ["bearer s3cret", 200],
    ["Bearer s3cre", 401],
    ["Bearer s3cret2", 401],
    ["Bearer ", 401],
    ["Bearer s3cret x", 401],
    ["Basic s3cret", 401],
    ["s3cret", 401],
  ]
  for (const [value, expected] of table) {
    test(`${value} → ${expected}, for reading and for changing`, () => {
      const headers: [string, string][] = [["Host", "localhost"], ...(value === null ? [] : [["Authorization", value] as [string, string]])]
      expect(status(locked, "GET", headers)).toBe(expected)
      expect(status(locked, "POST", headers)).toBe(expected)
    })
  }
  test("two Authorization fields are none", () => {
    expect(
      status(locked, "GET", [
        ["Host", "localhost"],
        ["Authorization", "Bearer s3cret"],
        ["Authorization", "Bearer s3cret"],
      ]),
    ).toBe(401)
  })
  test("the custom field does not stand in for the token", () => {
    expect(
      status(locked, "POST", [
        ["Host", "localhost"],
        ["X-Bothways", "1"],
      ]),
    ).toBe(401)
  })
  test("health and readiness need none, but only to read", () => {
    for (const target of ["/healthz", "/readyz", "/readyz?x=1"]) {
      expect(status(locked, "GET", [["Host", "localhost"]], { target })).toBe(200)
      expect(status(locked, "POST", [["Host", "localhost"]], { target })).toBe(401)
    }
    expect(status(locked, "GET", [["Host", "localhost"]], { target: "/healthz/../status" })).toBe(401)
  })
})

test("the path of a target", () => {
  expect(pathOf("/a?b#c")).toBe("/a")
  expect(pathOf("http://h/a?b")).toBe("/a")
  expect(pathOf("//evil.test/a")).toBe("//evil.test/a")
  expect(pathOf("*")).toBeNull()
})

test("authorities", () => {
  expect(parseAuthority("A.test:80")).toEqual({ host: "a.test", port: 80 })
  expect(parseAuthority("[::1]")).toEqual({ host: "::1", port: 0 })
  expect(parseAuthority("a..b")).toBeNull()
})
