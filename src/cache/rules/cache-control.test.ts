import { expect, test } from "bun:test"
import fc from "fast-check"
import {
  directiveFieldsMax,
  NO_REQUEST_DIRECTIVES,
  NO_RESPONSE_DIRECTIVES,
  parseRequestDirectives,
  parseResponseDirectives,
  saysNoCache,
} from "./cache-control.ts"

/** What differs from directives that say nothing. */
function differences(found: object, nothing: object): object {
  const plain = nothing as Record<string, unknown>
  return Object.fromEntries(Object.entries(found).filter(([key, value]) => !Bun.deepEquals(value, plain[key])))
}

const max = 2147483648

const responses: readonly [string, object][] = [
  ["max-age=3600", { maxAge: 3600 }],
  ["MaX-aGe=3600", { maxAge: 3600 }],
  ["max-age=0", { maxAge: 0 }],
  ["max-age=003600", { maxAge: 3600 }],
  ["max-age=2147483647", { maxAge: max - 1 }],
  ["max-age=2147483648", { maxAge: max }],
  ["max-age=2147483649", { maxAge: max }],
  ["max-age=99999999999999999999999999999999", { maxAge: max }],
  ['max-age="3600"', { maxAge: 3600 }],
  // What is no number makes the response stale (section 4.2.1).
  ["max-age", { maxAge: 0 }],
  ["max-age=", { maxAge: 0 }],
  ['max-age=""', { maxAge: 0 }],
  ["max-age=-3600", { maxAge: 0 }],
  ["max-age=+3600", { maxAge: 0 }],
  ["max-age=3600.0", { maxAge: 0 }],
  ["max-age=3600a", { maxAge: 0 }],
  ["max-age=a3600", { maxAge: 0 }],
  ["max-age='3600'", { maxAge: 0 }],
  ["max-age =3600", { maxAge: 0 }],
  ["max-age= 3600", { maxAge: 0 }],
  ["max-age=36 00", { maxAge: 0 }],
  ['max-age="3600"x', { maxAge: 0 }],
  ['max-age="3600', { maxAge: 0 }],
  ["max-age=3600;p=1", { maxAge: 0 }],
  // Of two the stricter counts.
  ["max-age=1800, max-age=1", { maxAge: 1 }],
  ["max-age=1, max-age=1800", { maxAge: 1 }],
  ["s-maxage=9, s-maxage=x", { sMaxage: 0 }],
  ["max-age=1, s-maxage=3600", { maxAge: 1, sMaxage: 3600 }],
  // Strings hide what is in them; one that does not end hides nothing.
  ['extension="max-age=3600", max-age=1', { maxAge: 1 }],
  ['max-age=1, extension="max-age=3600"', { maxAge: 1 }],
  ['extension="a\\", no-store", public', { isPublic: true }],
  ['extension="a, no-store', { noStore: true }],
  ['extension="a\\', {}],
  ["foobar, max-age=7", { maxAge: 7 }],
  ["foobar=x;y=z , max-age=7", { maxAge: 7 }],
  ["no-storefoo, no-stor, xno-store", {}],
  [",,, ,\t, public,,", { isPublic: true }],
  ["=, =x, public", { isPublic: true }],
  ["public max-age=5", {}],
  ["\tno-store\t", { noStore: true }],
  ["no-store=1", { noStore: true }],
  ["No-StOrE, PRIVATE", { noStore: true, isPrivate: true }],
  ["no-cache", { noCache: true }],
  ['no-cache="Set-Cookie, X-A"', { noCacheFields: ["set-cookie", "x-a"] }],
  ["no-cache=set-cookie", { noCacheFields: ["set-cookie"] }],
  ['no-cache="a", no-cache="b, a"', { noCacheFields: ["a", "b"] }],
  ['no-cache="a", no-cache', { noCache: true, noCacheFields: ["a"] }],
  ['no-cache=""', { noCache: true }],
  ['no-cache=" , "', { noCache: true }],
  ["no-cache=", { noCache: true }],
  ['no-cache="a b"', { noCache: true }],
  ['no-cache="a', { noCache: true }],
  ['private="X-User"', { privateFields: ["x-user"] }],
  ['private=""', { isPrivate: true }],
  // Without these the rest would be another response.
  ['private="Vary"', { isPrivate: true }],
  ['no-cache="content-encoding"', { noCache: true }],
  ["must-revalidate, proxy-revalidate", { mustRevalidate: true, proxyRevalidate: true }],
  ["must-understand, immutable, no-transform", { mustUnderstand: true, immutable: true, noTransform: true }],
  ["stale-while-revalidate=60, stale-if-error=90", { staleWhileRevalidate: 60, staleIfError: 90 }],
  ["stale-while-revalidate, stale-if-error=x", { staleWhileRevalidate: 0, staleIfError: 0 }],
]

const infinity = Number.POSITIVE_INFINITY

const requests: readonly [string, string, object][] = [
  ["no-cache", "", { noCache: true }],
  ["", "no-cache", { noCache: true }],
  ["", "x, No-Cache", { noCache: true }],
  ["", 'x="no-cache"', {}],
  ["", "no-cachex", {}],
  ["max-age=5", "no-cache", { maxAge: 5 }],
  ["unknown", "no-cache", {}],
  ["max-age=0", "", { maxAge: 0 }],
  ["max-age=x", "", { maxAge: 0 }],
  ["max-stale", "", { maxStale: infinity }],
  ["max-stale=10", "", { maxStale: 10 }],
  ["max-stale, max-stale=10", "", { maxStale: 10 }],
  ["max-stale=x", "", {}],
  ["min-fresh=10, min-fresh=20", "", { minFresh: 20 }],
  ["min-fresh=x", "", {}],
  ["only-if-cached, no-store, no-transform", "", { onlyIfCached: true, noStore: true, noTransform: true }],
  ["stale-if-error=20, stale-if-error=30", "", { staleIfError: 20 }],
  ["stale-if-error", "", {}],
]

test("directives of responses", () => {
  for (const [value, expected] of responses) {
    expect({ value, ...differences(parseResponseDirectives(value), NO_RESPONSE_DIRECTIVES) }).toEqual({ value, ...expected })
  }
})

test("directives of requests; Pragma counts only without Cache-Control", () => {
  for (const [value, pragma, expected] of requests) {
    const found = differences(parseRequestDirectives(value, pragma), NO_REQUEST_DIRECTIVES)
    expect({ value, pragma, ...found }).toEqual({ value, pragma, ...expected })
  }
})

test("nothing said costs nothing", () => {
  expect(parseResponseDirectives("")).toBe(NO_RESPONSE_DIRECTIVES)
  expect(parseRequestDirectives("", "")).toBe(NO_REQUEST_DIRECTIVES)
  expect(Object.isFrozen(NO_RESPONSE_DIRECTIVES) && Object.isFrozen(NO_REQUEST_DIRECTIVES)).toBe(true)
})

test("too many field names count as none", () => {
  const names = (count: number): string => Array.from({ length: count }, (_, i) => `f${i}`).join(",")
  expect(parseResponseDirectives(`private="${names(directiveFieldsMax)}"`).isPrivate).toBe(false)
  expect(parseResponseDirectives(`private="${names(directiveFieldsMax + 1)}"`).isPrivate).toBe(true)
})

test("Pragma of a response", () => {
  expect(saysNoCache("no-cache")).toBe(true)
  expect(saysNoCache("")).toBe(false)
})

test("whatever stands before and behind, a directive that forbids is found", () => {
  const noise = fc.array(fc.constantFrom("max-age=5", "x", 'y="a, b"', "z=1", "", " ", "no-transform", 'q="\\""', "public"), { maxLength: 6 })
  const word = fc.constantFrom("no-store", "NO-STORE", "private", "no-cache")
  fc.assert(
    fc.property(noise, word, noise, (before, forbidding, behind) => {
      const found = parseResponseDirectives([...before, forbidding, ...behind].join(" , "))
      expect(found.noStore || found.isPrivate || found.noCache).toBe(true)
    }),
    { numRuns: 1000, seed: 9111 },
  )
})

test("more directives never make a lifetime longer", () => {
  const pieces = fc.array(fc.constantFrom("max-age=10", "max-age=x", "max-age=100", 's="', '"', "max-age", "\\", ",", "=", " "), { maxLength: 12 })
  fc.assert(
    fc.property(pieces, more => {
      const { maxAge } = parseResponseDirectives(`max-age=50, ${more.join("")}`)
      expect(maxAge >= 0 && maxAge <= 50).toBe(true)
    }),
    { numRuns: 2000, seed: 421 },
  )
})
