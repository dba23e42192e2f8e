import { expect, test } from "bun:test"
import fc from "fast-check"
import { codingsMax } from "./accept-encoding.ts"
import { getterOf } from "./response-of.fixture.ts"
import { normaliseValue, variantKey, varyNames, varyNamesMax } from "./vary.ts"

test("names of a Vary: lower case, sorted, each once", () => {
  const cases: readonly [string, readonly string[] | null][] = [
    ["", []],
    [",, ,", []],
    ["Foo", ["foo"]],
    ["Foo, bar ,\tBAZ,foo", ["bar", "baz", "foo"]],
    ["*", null],
    ["*, *", null],
    [", *", null],
    ["*, Foo", null],
    ["Foo, *", null],
    ["a b", null],
    ["a;b", null],
    ["é", null],
    ["*x", null],
  ]
  for (const [value, names] of cases) expect({ value, names: varyNames(value) }).toEqual({ value, names: names as string[] })
})

test("more names than a rule may have never match", () => {
  const names = (count: number): string => Array.from({ length: count }, (_, i) => `f${i}, F${i}`).join()
  expect(varyNames(names(varyNamesMax))).toHaveLength(varyNamesMax)
  expect(varyNames(names(varyNamesMax + 1))).toBeNull()
})

function same(name: string, ...values: readonly string[]): string {
  const normal = new Set(values.map(value => normaliseValue(name, value)))
  return [...normal].join(" | ")
}

test("Accept-Encoding: what is accepted, in any order and with any weights", () => {
  expect(same("accept-encoding", "gzip, deflate, br, zstd", "deflate,gzip, br,zstd", "br;q=1.0, GZIP;q=0.5, zstd, deflate;q=0.001")).toBe(
    "br,deflate,gzip,zstd",
  )
  expect(same("accept-encoding", "gzip", "x-gzip", "gzip;q=1", "identity, gzip", "gzip, gzip", "br;q=0, gzip", "gzip, *;q=0.0, identity")).toBe(
    "gzip",
  )
  expect(same("accept-encoding", "", "identity", "gzip;q=0", "gzip;q=0.000, br; q=0", ",")).toBe("")
  expect(same("accept-encoding", "identity;q=0, gzip", "gzip, *;q=0")).toBe(":identity,gzip")
  expect(same("accept-encoding", "*", "*;q=0.5, identity")).toBe("*")
  expect(same("accept-encoding", "*, gzip;q=0", "gzip;q=0.0, *;q=1")).toBe("*,:gzip")
  expect(same("accept-encoding", "*, identity;q=0")).toBe("*,:identity")
  expect(normaliseValue("accept-encoding", "gzip")).not.toBe(normaliseValue("accept-encoding", "gzip, deflate"))
  expect(normaliseValue("accept-encoding", "gzip;q=0.0001")).toBe("gzip")
  expect(normaliseValue("accept-encoding", "gzip;x=0")).toBe("gzip")
})

test("what is no coding makes no other's key", () => {
  expect(normaliseValue("accept-encoding", ":gzip, *")).toBe(" :gzip, *")
  expect(normaliseValue("accept-encoding", "*,:gzip")).toBe(" *,:gzip")
  expect(normaliseValue("accept-encoding", ";q=1")).toBe(" ;q=1")
  expect(normaliseValue("accept-encoding", "!gzip, *")).toBe("!gzip,*")
})

test("more codings than anybody has are taken as they are", () => {
  const value = Array.from({ length: codingsMax + 1 }, (_, i) => `c${i}`).join(", ")
  expect(normaliseValue("accept-encoding", value)).toBe(` ${value}`)
})

test("Accept-Language: without case, space and order; weights say what is preferred", () => {
  expect(same("accept-language", "en, de", "de, en", "eN, De", " en ,   de", "de;q=1, en;q=1.000", "de;Q=1.0,en")).toBe("de,en")
  expect(same("accept-language", "de;q=0.50, en", "en, de; q=0.5")).toBe("de;q=0.5,en")
  expect(normaliseValue("accept-language", "de, en;q=0.5")).not.toBe(normaliseValue("accept-language", "en, de;q=0.5"))
  expect(normaliseValue("accept-language", "en;q=0.000")).toBe("en;q=0")
  expect(normaliseValue("accept-language", "en;q=x")).toBe("en;q=x")
})

test("other fields: space where a list may have it, and nothing else", () => {
  expect(same("foo", "1,2", " 1, 2 ", "1\t,\t2")).toBe("1,2")
  expect(same("foo", "a;b=c,d", "a ; b=c , d")).toBe("a;b=c,d")
  expect(same("foo", 'x="a , b", y', 'x="a , b",y')).toBe('x="a , b",y')
  expect(same("foo", 'x="\\" , b" , y')).toBe('x="\\" , b",y')
  expect(same("foo", "A", "a")).toBe("A | a")
  expect(same("foo", "a  b", "a b")).toBe("a  b | a b")
  expect(same("foo", 'x="open , b')).toBe('x="open , b')
  expect(same("cookie", " a=1; b=2 ", "a=1; b=2", "a=1;b=2")).toBe("a=1; b=2 | a=1;b=2")
  expect(normaliseValue("cookie", "a\u00a0")).toBe("a\u00a0")
})

test("the order of names is the rule's; absent is not the same as anything", () => {
  const key = (fields: Record<string, string>): string => variantKey(["bar", "foo"], getterOf(fields))
  expect(key({ foo: "1", bar: "abc" })).toBe(key({ bar: " abc", foo: "1 " }))
  expect(new Set([key({}), key({ foo: "1" }), key({ bar: "1" }), key({ foo: "1", bar: "1" }), key({ foo: "11" })]).size).toBe(5)
  expect(variantKey(["a"], getterOf({ a: "1" }))).not.toBe(variantKey(["b"], getterOf({ b: "1" })))
  expect(variantKey([], getterOf({}))).toBe("")
})

test("no value makes another's key", () => {
  const value = fc.string({ unit: fc.constantFrom("a", ":", ";", "1", "0", "b", ",", '"'), maxLength: 12 })
  fc.assert(
    fc.property(value, value, value, value, (a, b, c, d) => {
      const key = (x: string, y: string): string => variantKey(["a", "b"], getterOf({ a: x, b: y }))
      const equal = normaliseValue("a", a) === normaliseValue("a", c) && normaliseValue("b", b) === normaliseValue("b", d)
      expect(key(a, b) === key(c, d)).toBe(equal)
    }),
    { numRuns: 3000, seed: 41 },
  )
})

test("what is normal stays so", () => {
  const field = fc.constantFrom("accept-encoding", "accept-language", "foo", "cookie")
  const value = fc.array(fc.constantFrom("gzip", "br", "*", "en", ";q=0", ";q=0.5", ";q=1.0", ",", " ", '"', "\\", "identity"), { maxLength: 14 })
  fc.assert(
    fc.property(field, value, (name, pieces) => {
      const normal = normaliseValue(name, pieces.join(""))
      if (name !== "accept-encoding") expect(normaliseValue(name, normal)).toBe(normal)
      expect(normaliseValue(name, pieces.join(""))).toBe(normal)
    }),
    { numRuns: 3000, seed: 42 },
  )
})

test("values that are kept ready do not grow without end", () => {
  for (let i = 0; i < 2000; i++) expect(normaliseValue("accept-language", `EN-${i}`)).toBe(`en-${i}`)
  const long = "de, ".repeat(200)
  expect(normaliseValue("accept-language", long)).toBe(normaliseValue("accept-language", long.toUpperCase()))
})
