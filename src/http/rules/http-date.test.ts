import { expect, test } from "bun:test"
import fc from "fast-check"
import { parseHttpDate } from "./http-date.ts"

const now = Date.UTC(2026, 10, 26, 8, 0, 0)
const example = Date.UTC(1994, 10, 6, 8, 49, 37)

const valid: readonly [string, number][] = [
  ["Sun, 06 Nov 1994 08:49:37 GMT", example],
  ["Sunday, 06-Nov-94 08:49:37 GMT", example],
  ["Sun Nov  6 08:49:37 1994", example],
  ["Sun Nov 16 08:49:37 1994", Date.UTC(1994, 10, 16, 8, 49, 37)],
  ["SUN, 06 nov 1994 08:49:37 gMT", example],
  ["SUNDAY, 06-NOV-94 08:49:37 gmt", example],
  ["Mon, 06 Nov 1994 08:49:37 GMT", example],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["Thu, 29 Feb 2024 23:59:59 GMT", Date.UTC(2024, 1, 29, 23, 59, 59)],
  ["Tue, 29 Feb 2000 00:00:00 GMT", Date.UTC(2000, 1, 29)],
  ["Tue, 19 Jan 2038 14:14:08 GMT", Date.UTC(2038, 0, 19, 14, 14, 8)],
  ["Sun, 21 Nov 2286 04:46:39 GMT", Date.UTC(2286, 10, 21, 4, 46, 39)],
  ["Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2016, 11, 31, 23, 59, 59)],
  ["Fri, 31 Dec 9999 23:59:59 GMT", Date.UTC(9999, 11, 31, 23, 59, 59)],
  ["Thursday, 18-Aug-50 02:01:18 GMT", Date.UTC(2050, 7, 18, 2, 1, 18)],
  ["Thursday, 26-Nov-76 08:00:00 GMT", Date.UTC(2076, 10, 26, 8, 0, 0)],
  ["Thursday, 26-Nov-76 08:00:01 GMT", Date.UTC(1976, 10, 26, 8, 0, 1)],
  ["Wednesday, 01-Jan-77 00:00:00 GMT", Date.UTC(1977, 0, 1)],
]

const invalid: readonly string[] = [
  "",
  "0",
  "-1",
  "now",
  "Sun",
  "Thu, 18 Aug 2050 02:01:18 UTC",
  "Thu, 18 Aug 2050 02:01:18 AEST",
  "Thu, 18 Aug 50 02:01:18 GMT",
  "Thu 18 Aug 2050 02:01:18 GMT",
  "Thu, 18  Aug  2050 02:01:18 GMT",
  "Thu, 18-Aug-2050 02:01:18 GMT",
  "Thu, 18 Aug 2050 02.01.18 GMT",
  "Thu, 18 Aug 2050 2:01:18 GMT",
  "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:19 GMT",
  "Xxx, 06 Nov 1994 08:49:37 GMT",
  "Sun, 06 Foo 1994 08:49:37 GMT",
  "Sun, 00 Nov 1994 08:49:37 GMT",
  "Sun, 31 Nov 1994 08:49:37 GMT",
  "Sun, 29 Feb 2023 08:49:37 GMT",
  "Sun, 29 Feb 1900 08:49:37 GMT",
  "Sun, 06 Nov 1994 24:00:00 GMT",
  "Sun, 06 Nov 1994 08:60:00 GMT",
  "Sun, 06 Nov 1994 08:00:61 GMT",
  "Sun, 06 Nov 1994 08:49:37 GMT ",
  " Sun, 06 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37    ",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, +6 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov -994 08:49:37 GMT",
  "Sun, 06-Nov-94 08:49:37 GMT",
  "Sunday, 06-Nov-1994 08:49:37 GMT",
  "Sunday, 06 Nov 94 08:49:37 GMT",
  "Sunday; 06-Nov-94 08:49:37 GMT",
  "Sunday, xx-Nov-94 08:49:37 GMT",
  "Sunday, 06-Nov-9x 08:49:37 GMT",
  "Sun Nov 6 08:49:37 1994",
  "Sun Nov  6 08:49:37 1994 GMT",
  "Sun Nov   08:49:37 1994 ",
  "Sun, Nov 6 08:49:37 1994",
  "1994-11-06T08:49:37Z",
]

test("the three forms of a date", () => {
  for (const [text, ms] of valid) expect(`${text} = ${parseHttpDate(text, now)}`).toBe(`${text} = ${ms}`)
})

test("what is no date", () => {
  for (const text of invalid) expect(`${text} = ${parseHttpDate(text, now)}`).toBe(`${text} = NaN`)
})

test("two digits of a year: never more than 50 years ahead, at any time", () => {
  const early = Date.UTC(1999, 11, 31, 23, 59, 59)
  expect(parseHttpDate("Saturday, 01-Jan-00 00:00:00 GMT", early)).toBe(Date.UTC(2000, 0, 1))
  expect(parseHttpDate("Saturday, 01-Jan-49 00:00:00 GMT", early)).toBe(Date.UTC(2049, 0, 1))
  expect(parseHttpDate("Saturday, 01-Jan-50 00:00:00 GMT", early)).toBe(Date.UTC(1950, 0, 1))
})

test("what the platform writes is read back", () => {
  const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1000, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 }), seconds => {
      const date = new Date(seconds * 1000)
      const fix = date.toUTCString()
      const time = fix.slice(17, 25)
      const ansi = `${fix.slice(0, 3)} ${fix.slice(8, 11)} ${fix.slice(5, 7).replace(/^0/, " ")} ${time} ${fix.slice(12, 16)}`
      const long = `${days[date.getUTCDay()]}, ${fix.slice(5, 7)}-${fix.slice(8, 11)}-${fix.slice(14, 16)} ${time} GMT`
      expect(parseHttpDate(fix, now)).toBe(seconds * 1000)
      expect(parseHttpDate(ansi, now)).toBe(seconds * 1000)
      const year = date.getUTCFullYear()
      if (year > 1976 && year < 2076) expect(parseHttpDate(long, now)).toBe(seconds * 1000)
    }),
    { numRuns: 500, seed: 9110 },
  )
})

test("one octet changed never throws, and gives a time or NaN", () => {
  fc.assert(
    fc.property(fc.constantFrom(...valid.map(([text]) => text)), fc.nat(40), fc.integer({ min: 0, max: 255 }), (text, at, octet) => {
      const changed = text.slice(0, at) + String.fromCharCode(octet) + text.slice(at + 1)
      const ms = parseHttpDate(changed, now)
      expect(Number.isNaN(ms) || Number.isInteger(ms)).toBe(true)
    }),
    { numRuns: 2000, seed: 567 },
  )
})
