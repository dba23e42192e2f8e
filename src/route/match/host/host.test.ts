import { describe, expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import host from "./host.ts"

function matches(options: string | string[], asked: string): boolean {
  return host.compile(options)(exchangeOf({ host: asked }))
}

function trouble(options: unknown): string {
  return host.options.safeParse(options).error?.issues[0]?.message ?? ""
}

// The codec strips port and trailing dot, lowers the case and refuses "/" and "@" (FIELD-CASES O-19): these are the hosts it lets through.
test("a host is compared whole, never by substring (FIELD-CASES O-19)", () => {
  expect(matches("api.app.test", "api.app.test")).toBe(true)
  for (const asked of ["xapi.app.test", "api.app.test.evil.test", "app.test", "api-app.test", "api.app.testx", ""])
    expect(matches("api.app.test", asked)).toBe(false)
})

test("a wildcard means one or more labels below, not the name itself", () => {
  for (const asked of ["b.a.test", "c.b.a.test"]) expect(matches("*.a.test", asked)).toBe(true)
  for (const asked of ["a.test", "xa.test", ".a.test", "b.a.test.evil.test", "b.a.tes", ""]) expect(matches("*.a.test", asked)).toBe(false)
})

test("a star alone matches any host, and none", () => {
  for (const asked of ["a.test", "::1", ""]) expect(matches("*", asked)).toBe(true)
})

test("of a list one must match", () => {
  const list = ["a.test", "*.b.test", "[::1]"]
  for (const asked of ["a.test", "x.b.test", "::1"]) expect(matches(list, asked)).toBe(true)
  for (const asked of ["b.test", "x.a.test", "::2"]) expect(matches(list, asked)).toBe(false)
})

test("the config's spelling is brought into the form of the request", () => {
  expect(matches("A.Test.", "a.test")).toBe(true)
  expect(matches("*.A.TEST", "b.a.test")).toBe(true)
  expect(matches("[0:0:0:0:0:0:0:1]", "::1")).toBe(true)
  expect(matches("bücher.test", "xn--bcher-kva.test")).toBe(true)
})

describe("a host that can never match is refused with what was expected", () => {
  const cases: [unknown, RegExp][] = [
    ["", /is empty; expected a host such as/],
    ["http://a.test", /without scheme, user and path/],
    ["a.test/x", /without scheme, user and path/],
    ["u@a.test", /without scheme, user and path/],
    ["a.test:80", /has a port; .*listener stands for the port/],
    ["[::1]:80", /has a port/],
    ["a*.test", /star that is not the whole first label/],
    ["*.*.test", /star that is not the whole first label/],
    ["*.", /the label "", which/],
    ["a..test", /the label "", which/],
    ["-a.test", /the label "-a", which/],
    [`${"a".repeat(64)}.test`, /the label "a{64}", which/],
    [`${"a.".repeat(127)}test`, /longer than 253/],
    ["127.1", /usual spelling/],
    ["*.10.0.0.1", /usual spelling/],
    [[], /list is empty/],
    [["a.test", 7], /expected host such as/],
    [{ name: "a" }, /expected host such as/],
  ]
  for (const [value, message] of cases) test(JSON.stringify(value).slice(0, 40), () => expect(trouble(value)).toMatch(message))
})

test("says why it did not match", () => {
  expect(host.describe(["a.test", "*.b.test"], exchangeOf({ host: "c.test" }))).toBe("host is c.test, not a.test or *.b.test")
  expect(host.describe("a.test", exchangeOf({ host: "" }))).toBe("host is missing, not a.test")
})
