import { expect, test } from "bun:test"
import fc from "fast-check"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import type { ValueOptions } from "../../value-rule.ts"
import query from "./query.ts"

function matches(options: ValueOptions, text: string): boolean {
  return query.compile(options)(exchangeOf({ query: text }))
}

test("a value is compared whole, names with case", () => {
  for (const text of ["?a=1", "?x=2&a=1", "?a=0&a=1", "?&&a=1&"]) expect(matches({ a: "1" }, text)).toBe(true)
  for (const text of ["", "?", "?a", "?a=", "?a=11", "?A=1", "?xa=1", "?a=1;b=2", "?b=a=1"]) expect(matches({ a: "1" }, text)).toBe(false)
  expect(matches({ a: "1=2" }, "?a=1=2")).toBe(true)
})

test("without an equals sign the value is empty", () => {
  for (const text of ["?a", "?a=", "?b&a"]) expect(matches({ a: "" }, text)).toBe(true)
  expect(matches({ a: "" }, "?b")).toBe(false)
})

test("true and false ask for presence", () => {
  expect(matches({ a: true }, "?a")).toBe(true)
  expect(matches({ a: true }, "?aa=1")).toBe(false)
  expect(matches({ a: false }, "?aa=1")).toBe(true)
  expect(matches({ a: false }, "?a=1")).toBe(false)
})

test("names and values are decoded once", () => {
  expect(matches({ admin: "a b" }, "?%61dmin=a+b")).toBe(true)
  expect(matches({ admin: "a b" }, "?admin=%61%20b")).toBe(true)
  expect(matches({ q: "1+1" }, "?q=1%2B1")).toBe(true)
  expect(matches({ q: "%41" }, "?q=%2541")).toBe(true)
  expect(matches({ q: "100%" }, "?q=100%")).toBe(true)
  expect(matches({ q: "ü" }, "?q=%c3%bc")).toBe(true)
  expect(matches({ q: "A" }, "?q=%2541")).toBe(false)
  expect(matches({ ü: "~^.$" }, "?%C3%BC=%C3%A4")).toBe(true)
})

test("patterns, lists and several names", () => {
  expect(matches({ v: "~^[0-9]+$" }, "?v=x&v=12")).toBe(true)
  expect(matches({ v: ["1", "~^2"] }, "?v=21")).toBe(true)
  expect(matches({ v: ["1", "~^2"] }, "?v=12")).toBe(false)
  expect(matches({ v: "1", w: false }, "?v=1")).toBe(true)
  expect(matches({ v: "1", w: false }, "?v=1&w")).toBe(false)
})

test("reads queries as the platform's form parser does", () => {
  const piece = fc.constantFrom("a", "b", "=", "&", "+", "%41", "%61", "%20", "1")
  const text = fc.array(piece, { maxLength: 10 }).map(parts => `?${parts.join("")}`)
  fc.assert(
    fc.property(text, fc.constantFrom("a", "A", "ab", "1"), fc.constantFrom("", "1", "a b", " ", "A", "a="), (asked, name, value) => {
      expect({ asked, name, value, found: matches({ [name]: value }, asked) }).toEqual({
        asked,
        name,
        value,
        found: new URLSearchParams(asked).getAll(name).includes(value),
      })
      expect(matches({ [name]: false }, asked)).toBe(!new URLSearchParams(asked).has(name))
    }),
    { seed: 20_261_125, numRuns: 2000 },
  )
})

test("says what it expected", () => {
  expect(query.options.safeParse({}).error?.issues[0]?.message).toMatch(/no name is given/)
  expect(query.options.safeParse({ "": "1" }).error?.issues[0]?.message).toMatch(/name is empty; expected the name of a parameter/)
  expect(query.options.safeParse({ a: 1 }).error?.issues[0]?.message).toMatch(/expected value: "text"/)
  expect(query.describe({ a: "1", b: true }, exchangeOf({ query: "?a=1" }))).toBe("query b: present wanted, query is ?a=1")
  expect(query.describe({ a: "1" }, exchangeOf({}))).toBe('query a: "1" wanted, query is missing')
  expect(query.describe({ a: "1" }, exchangeOf({ query: "?a=1" }))).toBe("every parameter is as wanted")
})
