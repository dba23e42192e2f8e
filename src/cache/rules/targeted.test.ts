import { expect, test } from "bun:test"
import fc from "fast-check"
import { NO_RESPONSE_DIRECTIVES, type ResponseDirectives } from "./cache-control.ts"
import { directivesOf, targetedDirectives } from "./targeted.ts"

function getter(fields: Record<string, string>): (name: string) => string {
  return name => fields[name] ?? ""
}

function cdn(value: string): ResponseDirectives | null {
  return targetedDirectives(getter({ "cdn-cache-control": value }))
}

/** What differs from a response that says nothing. */
function said(found: ResponseDirectives | null): unknown {
  if (found === null) return null
  return Object.fromEntries(
    Object.entries(found).filter(
      ([key, value]) => key !== "targeted" && !Bun.deepEquals(value, NO_RESPONSE_DIRECTIVES[key as keyof ResponseDirectives]),
    ),
  )
}

const understood: readonly [string, object][] = [
  ["max-age=3600", { maxAge: 3600 }],
  ["  max-age=3600  ", { maxAge: 3600 }],
  ["max-age=3600 ,\t no-store", { maxAge: 3600, noStore: true }],
  ["max-age=2147483648", { maxAge: 2147483648 }],
  ["max-age=99999999999", { maxAge: 2147483648 }],
  ["max-age=1, max-age=5", { maxAge: 5 }],
  ["max-age=-5", { maxAge: 0 }],
  ["max-age=10.5", { maxAge: 0 }],
  ['max-age="10000"', { maxAge: 0 }],
  ["max-age", { maxAge: 0 }],
  ["max-age=(1 2)", { maxAge: 0 }],
  ["max-age=:aGk=:", { maxAge: 0 }],
  ["max-age=60;p=1;q", { maxAge: 60 }],
  ["max-age=60; p=7", { maxAge: 60 }],
  ["none", {}],
  ["foobar, max-age=3600", { maxAge: 3600 }],
  ['foo=bar/baz:x, *x=*, b=?0, c=(a;q=1 "b" 1.5);d, max-age=7', { maxAge: 7 }],
  ["private", { isPrivate: true }],
  ['private="X, y"', { privateFields: ["x", "y"] }],
  ['no-cache="Set-Cookie", public', { noCacheFields: ["set-cookie"], isPublic: true }],
  ['no-cache=""', { noCache: true }],
  ['no-cache="Vary"', { noCache: true }],
  ["no-cache=?0", {}],
  ["no-store=?0", {}],
  ["no-store=1", { noStore: true }],
  ["no-store, no-store=?0", {}],
  ["must-revalidate, proxy-revalidate, must-understand", { mustRevalidate: true, proxyRevalidate: true, mustUnderstand: true }],
  ["immutable, no-transform, s-maxage=5", { immutable: true, noTransform: true, sMaxage: 5 }],
  ["stale-while-revalidate=7, stale-if-error=8", { staleWhileRevalidate: 7, staleIfError: 8 }],
]

const ignored: readonly string[] = [
  "",
  " ",
  "max-age=10000, &&&&&",
  "max-age =100",
  "max-age= 100",
  "MaX-aGe=3600",
  "max-age=3600,",
  "max-age=3600, ,no-store",
  ",max-age=1",
  "max-age=3600 no-store",
  'x="unterminated',
  'x="a\\b"',
  'x="\u00e9"',
  "x=?2",
  "x=?",
  "x=",
  "x=(1 2",
  "x=(1,2)",
  "x=(1\t2)",
  "x=:b",
  "x=:$:",
  "x=1234567890123456",
  "x=1.2345",
  "x=1234567890123.1",
  "x=1.",
  "x=-",
  "x=--1",
  "x;",
  "x;=1",
  "x;Y=1",
  "max-age=1;p=",
  "\tmax-age=1",
  "1=2",
  "x=é",
]

test("directives of a targeted field", () => {
  for (const [value, expected] of understood) expect({ value, said: said(cdn(value)) }).toEqual({ value, said: expected })
})

test("a field that is empty or no dictionary is as if it were not there", () => {
  for (const value of ignored) expect({ value, said: said(cdn(value)) }).toEqual({ value, said: null })
})

test("our own field goes before the one of all CDNs, where it is valid", () => {
  const both = (own: string) => said(targetedDirectives(getter({ "bothways-cache-control": own, "cdn-cache-control": "max-age=2" })))
  expect(both("max-age=1")).toEqual({ maxAge: 1 })
  expect(both("max-age=1,")).toEqual({ maxAge: 2 })
  expect(both(" ")).toEqual({ maxAge: 2 })
})

test("with a targeted field Cache-Control does not count; with an invalid one it does", () => {
  const fields = (value: string) => directivesOf(getter({ "cdn-cache-control": value, "cache-control": "no-store" }))
  expect(fields("max-age=10000").noStore).toBe(false)
  expect(fields("max-age=10000").targeted).toBe(true)
  expect(fields("max-age=10000, &&").noStore).toBe(true)
  expect(fields("max-age=10000, &&").targeted).toBe(false)
})

test("any octets: no throw, and a result or none", () => {
  const parts = fc.constantFrom(
    "max-age",
    "=",
    ",",
    ";",
    " ",
    '"',
    "\\",
    "(",
    ")",
    ":",
    "?1",
    "1",
    ".",
    "-",
    "*",
    "a",
    "\u0000",
    "\u00ff",
    "no-store",
  )
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 24 }), pieces => {
      const found = cdn(pieces.join(""))
      expect(found === null || found.targeted).toBe(true)
    }),
    { numRuns: 3000, seed: 9213 },
  )
})
