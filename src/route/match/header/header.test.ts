import { describe, expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import type { ValueOptions } from "../../value-rule.ts"
import header from "./header.ts"

type Headers = readonly (readonly [string, string])[]

function matches(options: ValueOptions, headers: Headers): boolean {
  return header.compile(options)(exchangeOf({ headers }))
}

test("a value is compared whole, the name without case", () => {
  for (const name of ["X-Tenant", "x-tenant", "X-TENANT"]) expect(matches({ "x-tenant": "a" }, [[name, "a"]])).toBe(true)
  expect(matches({ "X-Tenant": "a" }, [["x-tenant", "a"]])).toBe(true)
  for (const value of ["", "A", "ab", "ba", "a, b"]) expect(matches({ "x-tenant": "a" }, [["x-tenant", value]])).toBe(false)
  expect(matches({ "x-tenant": "" }, [["x-tenant", ""]])).toBe(true)
  expect(matches({ "x-tenant": "" }, [])).toBe(false)
})

test("known names too", () => {
  expect(matches({ Accept: "text/html" }, [["accept", "text/html"]])).toBe(true)
  expect(matches({ accept: "text/html" }, [["Accept", "text/plain"]])).toBe(false)
  expect(matches({ accept: false }, [["X", "y"]])).toBe(true)
})

test("true and false ask for presence", () => {
  expect(matches({ "x-debug": true }, [["X-Debug", ""]])).toBe(true)
  expect(matches({ "x-debug": true }, [["X-Debugger", "1"]])).toBe(false)
  expect(matches({ "x-debug": false }, [["X-Debugger", "1"]])).toBe(true)
  expect(matches({ "x-debug": false }, [["X-Debug", ""]])).toBe(false)
})

test("patterns, also of text that is no ASCII", () => {
  expect(matches({ "user-agent": "~^curl/[78]\\." }, [["User-Agent", "curl/8.5.0"]])).toBe(true)
  expect(matches({ "user-agent": "~^curl/[78]\\." }, [["User-Agent", "my curl/8.5.0"]])).toBe(false)
  const latin1 = Buffer.from("Zürich", "utf8").toString("latin1")
  expect(matches({ "x-city": "~^Z.rich$" }, [["X-City", latin1]])).toBe(true)
  expect(matches({ "x-city": "Zürich" }, [["X-City", latin1]])).toBe(true)
})

test("one of several values, one of several lines; every name", () => {
  expect(matches({ "x-a": ["1", "~^2", false] }, [["x-a", "22"]])).toBe(true)
  expect(matches({ "x-a": ["1", "~^2", false] }, [])).toBe(true)
  expect(matches({ "x-a": ["1", "~^2", false] }, [["x-a", "3"]])).toBe(false)
  expect(
    matches({ "x-a": "2" }, [
      ["x-a", "1"],
      ["x-b", "2"],
      ["X-A", "2"],
    ]),
  ).toBe(true)
  expect(
    matches({ "x-a": "1", "x-b": "2" }, [
      ["x-a", "1"],
      ["x-b", "2"],
    ]),
  ).toBe(true)
  expect(matches({ "x-a": "1", "x-b": "2" }, [["x-a", "1"]])).toBe(false)
})

test("a removed field is gone", () => {
  const x = exchangeOf({
    headers: [
      ["X-A", "1"],
      ["Accept", "y"],
    ],
  })
  x.request.removeName("x-a")
  x.request.removeName("accept")
  expect(header.compile({ "x-a": true })(x)).toBe(false)
  expect(header.compile({ accept: false })(x)).toBe(true)
})

describe("says what it expected", () => {
  const cases: [unknown, RegExp][] = [
    [{}, /no name is given; expected at least one header fields/],
    [{ "x y": "1" }, /"x y" is not a header name; expected a token/],
    [{ "x-a": 1 }, /expected value: "text", "~pattern", true \(there\) or false \(not there\)/],
    [{ "x-a": [] }, /list is empty/],
    [{ "x-a": "~(" }, /is not an RE2 pattern/],
    [{ "x-a": ["1", "~("] }, /is not an RE2 pattern/],
    ["x-a", /expected names of header fields with their values/],
  ]
  for (const [value, message] of cases)
    test(JSON.stringify(value), () => expect(header.options.safeParse(value).error?.issues[0]?.message ?? "").toMatch(message))
})

test("explains the first condition that fails, and shows no value that came", () => {
  const x = exchangeOf({ headers: [["authorization", "Bearer secret"]] })
  expect(header.describe({ authorization: true, "x-a": ["1", false, true] }, x)).toBe("every header is as wanted")
  expect(header.describe({ authorization: "a" }, x)).toBe('header authorization: "a" wanted, another value is there')
  expect(header.describe({ authorization: true, "x-b": ["1", "~^2"] }, x)).toBe('header x-b: "1" or "~^2" wanted, it is absent')
})
