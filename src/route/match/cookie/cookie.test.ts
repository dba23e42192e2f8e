import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import type { ValueOptions } from "../../value-rule.ts"
import cookie from "./cookie.ts"

function matches(options: ValueOptions, ...lines: string[]): boolean {
  return cookie.compile(options)(exchangeOf({ headers: [["Accept", "a=1"], ...lines.map(line => ["Cookie", line] as const), ["X-Last", "a=1"]] }))
}

test("a value is compared whole, names with case", () => {
  for (const line of ["a=1", "b=2; a=1", "a=1;b=2", "a=1 ; b", "  a=1", "x; a=1", ";a=1"]) expect(matches({ a: "1" }, line)).toBe(true)
  for (const line of ["", "a", "a=", "a=11", "A=1", "xa=1", "b=a=1", 'a="1"', "b=2;aa=1"]) expect(matches({ a: "1" }, line)).toBe(false)
  expect(matches({ a: "x=y" }, "a=x=y")).toBe(true)
  expect(matches({ a: '"1"' }, 'a="1"')).toBe(true)
  expect(matches({ a: "" }, "a=")).toBe(true)
})

test("no cookies at all", () => {
  expect(matches({ a: "1" })).toBe(false)
  expect(matches({ a: true })).toBe(false)
  expect(matches({ a: false })).toBe(true)
})

test("several lines and several cookies of one name", () => {
  expect(matches({ a: "1" }, "b=2", "a=1")).toBe(true)
  expect(matches({ a: "1" }, "a=0; a=1")).toBe(true)
  expect(matches({ a: "1", b: "2" }, "b=2", "a=1")).toBe(true)
  expect(matches({ a: "1", b: "3" }, "b=2", "a=1")).toBe(false)
})

test("presence, patterns and lists", () => {
  expect(matches({ session: true }, "session=")).toBe(true)
  expect(matches({ session: true }, "sessions=1")).toBe(false)
  expect(matches({ session: false }, "sessions=1")).toBe(true)
  expect(matches({ session: false }, "session=x")).toBe(false)
  expect(matches({ v: "~^b[0-9]$" }, "v=b7")).toBe(true)
  expect(matches({ v: ["a", "~^b", false] }, "w=1")).toBe(true)
  expect(matches({ v: ["a", "~^b", false] }, "v=c")).toBe(false)
})

test("says what it expected, and never what came", () => {
  expect(cookie.options.safeParse({ "a b": "1" }).error?.issues[0]?.message).toMatch(/"a b" is not a cookie name/)
  expect(cookie.options.safeParse({}).error?.issues[0]?.message).toMatch(/no name is given/)
  const x = exchangeOf({ headers: [["cookie", "session=secret"]] })
  expect(cookie.describe({ session: "a" }, x)).toBe('cookie session: "a" wanted, another value is there')
  expect(cookie.describe({ session: true, b: true }, x)).toBe("cookie b: present wanted, it is absent")
  expect(cookie.describe({ session: true }, x)).toBe("every cookie is as wanted")
})
