import { entityTagMatches, evaluateConditions, parseContentRange, parseHttpDate, parseRange, rangeApplies } from "../../http/index.ts"
import { expect, test } from "bun:test"
import fc from "fast-check"
import { parseRequestDirectives, parseResponseDirectives, saysNoCache } from "./cache-control.ts"
import { contentFits } from "./content-fits.ts"
import { earlyHintLines } from "./early-hints.ts"
import { FieldLines } from "./field-lines.ts"
import { freshnessOf } from "./freshness.ts"
import { invalidatedTargets } from "./invalidation.ts"
import { dateIn, freshnessPolicyOf, NOW, requestOf, responseOf, storingPolicyOf } from "./response-of.fixture.ts"
import { judgeStoring } from "./storing.ts"
import { directivesOf } from "./targeted.ts"
import { headMatches, selects304, updatedFields } from "./update.ts"
import { variantKey, varyNames } from "./vary.ts"

/** Everything that reads what a stranger wrote, each fed the same text wherever it takes one. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  responseDirectives: text => parseResponseDirectives(text),
  requestDirectives: text => [parseRequestDirectives(text, text), parseRequestDirectives("", text), saysNoCache(text)],
  targeted: text => directivesOf(name => (name === "cdn-cache-control" ? text : "")),
  date: text => parseHttpDate(text, NOW),
  vary: text => varyNames(text),
  variant: text => variantKey(["accept-encoding", "accept-language", "cookie", "x"], () => text),
  tags: text => [entityTagMatches(text, '"a"', false), entityTagMatches('"a"', text, true), entityTagMatches(text, text, false)],
  conditions: text => {
    const validators = { etag: text, lastModified: text, date: text, status: 200 }
    const fields = { ifNoneMatch: text, ifModifiedSince: text, ifMatch: text, ifUnmodifiedSince: text, ifRange: text, range: text }
    return [
      evaluateConditions(fields, validators, NOW),
      evaluateConditions({ ...fields, ifNoneMatch: "" }, { ...validators, lastModified: dateIn(0) }, NOW),
      rangeApplies(text, validators, NOW),
      selects304(validators, validators),
      headMatches(validators, 5, validators, text),
    ]
  },
  range: text => [parseRange(text, 1000), parseRange(`bytes=${text}`, 1000)],
  contentRange: text => [parseContentRange(text), parseContentRange(`bytes ${text}`)],
  lines: text => {
    const lines = FieldLines.parse(text)
    return [lines.get("a"), lines.get("connection"), updatedFields(lines, FieldLines.parse(`Connection: ${text.replaceAll("\r\n", ",")}`)).render()]
  },
  hints: text => [earlyHintLines(text), earlyHintLines(`<a>;${text}`)],
  suffix: text => [contentFits(text, text), contentFits("/x.css", text)],
  invalidation: text => invalidatedTargets("POST", "http://a.example/", { status: 200, location: text, contentLocation: text }),
  storing: text => {
    const response = { ...responseOf({}), get: () => text }
    const policy = storingPolicyOf({}, { ttlMs: 1000 })
    return [
      judgeStoring(requestOf({ path: text, hasRange: true }), { ...response, status: 206 }, policy),
      judgeStoring(requestOf({ method: "POST" }), response, policy),
      freshnessOf(response, freshnessPolicyOf({ negativeTtlMs: {} }), false),
    ]
  },
}

const pieces: readonly string[] = [
  ",",
  " ",
  "\t",
  '"',
  "\\",
  "=",
  ";",
  ":",
  "-",
  "/",
  "*",
  "<",
  ">",
  "(",
  ")",
  "?",
  "a",
  "0",
  "9",
  "W/",
  '"a"',
  'a="',
  '\\"',
  '=\\"',
  "a=1",
  ", ",
  " ,",
  "\r\n",
  "a:",
  "max-age",
  "max-age=",
  "no-cache=",
  'private="',
  "no-store",
  "bytes=",
  "0-0,",
  "-1,",
  "gzip;q=0,",
  "*;q=0",
  "en;q=0.50,",
  "<a>;b,",
  "<a>;rel=preload,",
  "<a;",
  ";rel",
  "Connection: a,",
  "\u0000",
  "\u00ff",
  "a,b",
  ":aGk=:",
  "=(a b)",
  "?1",
  "x-gzip,",
  ".css",
  "%2f",
  "//",
  "http://a.example/",
  "Sun, 06 Nov 1994 08:49:37 GMT",
]

test("300 KB of anything is read in linear time", () => {
  // What is quadratic takes minutes here, not tenths of a second.
  const budgetMs = 2000
  for (const [name, read] of Object.entries(readers)) {
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(300_000 / piece.length))
      const begun = performance.now()
      read(text)
      const tookMs = performance.now() - begun
      expect({ name, piece, slow: tookMs > budgetMs ? Math.round(tookMs) : 0 }).toEqual({ name, piece, slow: 0 })
    }
  }
}, 120_000)

test("two pieces in turn, too", () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(readers)), fc.constantFrom(...pieces), fc.constantFrom(...pieces), (name, a, b) => {
      const text = (a + b).repeat(Math.ceil(200_000 / (a.length + b.length)))
      const begun = performance.now()
      readers[name]!(text)
      expect(performance.now() - begun).toBeLessThan(2000)
    }),
    { numRuns: 400, seed: 1 },
  )
}, 120_000)

test("no text makes a rule throw", () => {
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 20 })
  fc.assert(
    fc.property(text, parts => {
      for (const read of Object.values(readers)) read(parts.join(""))
    }),
    { numRuns: 2000, seed: 2 },
  )
})
