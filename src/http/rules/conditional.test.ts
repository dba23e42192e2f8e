import { expect, test } from "bun:test"
import { type ConditionalFields, entityTagMatches, evaluateConditions, isStrongTag, rangeApplies, type Validators } from "./conditional.ts"

const NOW = Date.UTC(2026, 10, 26, 8, 0, 0)

/** An HTTP-date so many seconds from now. */
function dateIn(seconds: number): string {
  return new Date(NOW + seconds * 1000).toUTCString()
}

const nothing: ConditionalFields = { ifNoneMatch: "", ifModifiedSince: "", ifMatch: "", ifUnmodifiedSince: "", ifRange: "", range: "" }
const bare: Validators = { etag: "", lastModified: "", date: "", status: 200 }

test("entity tags: the four examples of RFC 9110 section 8.8.3.2", () => {
  const both = (a: string, b: string): readonly boolean[] => [entityTagMatches(a, b, true), entityTagMatches(a, b, false)]
  expect(both('W/"1"', 'W/"1"')).toEqual([false, true])
  expect(both('W/"1"', 'W/"2"')).toEqual([false, false])
  expect(both('W/"1"', '"1"')).toEqual([false, true])
  expect(both('"1"', 'W/"1"')).toEqual([false, true])
  expect(both('"1"', '"1"')).toEqual([true, true])
})

test("lists of entity tags", () => {
  const tag = '"abcdef"'
  for (const list of [
    '"abcdef", "1234", "5678"',
    '"1234", "abcdef", "5678"',
    '"1234","5678","abcdef"',
    ' , "abcdef" ,',
    'W/"x" ,W/"abcdef"',
    "*",
    " * ",
    'x, "abcdef"',
  ]) {
    expect(`${list} ${entityTagMatches(list, tag, false)}`).toBe(`${list} true`)
  }
  for (const list of [
    "",
    ",",
    '"1234"',
    '"abcde"',
    '"abcdefg"',
    '"x, "abcdef"',
    "abcdef",
    '*, "1"',
    '"ABCDEF"',
    'w/"abcdef"',
    'W\\"abcdef"',
    '"abcdef"x',
  ]) {
    expect(`${list} ${entityTagMatches(list, tag, false)}`).toBe(`${list} false`)
  }
  expect(entityTagMatches('"a, b", "c"', '"a, b"', true)).toBe(true)
  expect(entityTagMatches('"a, b", "c"', '"b"', false)).toBe(false)
  expect(entityTagMatches('"abcdef\u00fc"', '"abcdef\u00fc"', true)).toBe(true)
  expect(entityTagMatches('""', '""', true)).toBe(true)
  // No entity tags, and the same all the same: weakly only.
  for (const tag of ["abcdef", 'w/"abcdef"', 'W\\"abcdef"', 'W"abcdef"']) {
    expect([entityTagMatches(tag, tag, false), entityTagMatches(tag, tag, true)]).toEqual([true, false])
  }
  expect(entityTagMatches('"1"', "", false)).toBe(false)
  expect(entityTagMatches("*", "", false)).toBe(true)
})

test("one strong tag", () => {
  for (const tag of ['"a"', '""', '"a,b"']) expect(`${tag} ${isStrongTag(tag)}`).toBe(`${tag} true`)
  for (const tag of ['W/"a"', '"', "a", '"a", "b"', 'w/"a"', "", 'W/"']) expect(`${tag} ${isStrongTag(tag)}`).toBe(`${tag} false`)
})

function judge(fields: Partial<ConditionalFields>, stored: Partial<Validators>): string {
  return evaluateConditions({ ...nothing, ...fields }, { ...bare, ...stored }, NOW)
}

test("If-None-Match goes before If-Modified-Since; the origin's conditions are not ours (section 4.3.2)", () => {
  const stored = { etag: '"abcdef"', lastModified: dateIn(-5000) }
  expect(judge({}, stored)).toBe("ok")
  expect(judge({ ifNoneMatch: '"abcdef"' }, stored)).toBe("not-modified")
  expect(judge({ ifNoneMatch: 'W/"abcdef"' }, stored)).toBe("not-modified")
  expect(judge({ ifNoneMatch: '"abcdef"', ifModifiedSince: dateIn(-10000) }, stored)).toBe("not-modified")
  expect(judge({ ifNoneMatch: '"x"', ifModifiedSince: dateIn(0) }, stored)).toBe("ok")
  expect(judge({ ifNoneMatch: "*" }, {})).toBe("not-modified")
  expect(judge({ ifMatch: '"x"', ifUnmodifiedSince: dateIn(-99999) }, stored)).toBe("ok")
})

test("If-Modified-Since: Last-Modified, else Date, else when it came", () => {
  const stored = { lastModified: dateIn(-3000), date: dateIn(0) }
  expect(judge({ ifModifiedSince: dateIn(-3000) }, stored)).toBe("not-modified")
  expect(judge({ ifModifiedSince: dateIn(-2000) }, stored)).toBe("not-modified")
  expect(judge({ ifModifiedSince: dateIn(-3001) }, stored)).toBe("ok")
  expect(judge({ ifModifiedSince: "Thursday, 26-Nov-26 07:10:00 GMT" }, stored)).toBe("not-modified")
  expect(judge({ ifModifiedSince: dateIn(-10) }, { date: dateIn(-10) })).toBe("not-modified")
  expect(judge({ ifModifiedSince: dateIn(-11) }, { date: dateIn(-10) })).toBe("ok")
  expect(judge({ ifModifiedSince: dateIn(0) }, {})).toBe("not-modified")
  expect(judge({ ifModifiedSince: dateIn(-1) }, {})).toBe("ok")
  expect(judge({ ifModifiedSince: "yesterday" }, { lastModified: "yesterday" })).toBe("ok")
  expect(judge({ ifModifiedSince: dateIn(0) }, { lastModified: "yesterday" })).toBe("ok")
  expect(judge({ ifModifiedSince: `${dateIn(0)}, ${dateIn(0)}` }, stored)).toBe("ok")
})

test("only what would be 200 or 206 becomes 304", () => {
  for (const status of [200, 206]) expect(judge({ ifNoneMatch: "*" }, { status })).toBe("not-modified")
  for (const status of [203, 301, 404, 500]) expect(judge({ ifNoneMatch: "*" }, { status })).toBe("ok")
})

test("If-Range: exactly this one, by a strong validator (RFC 9110 section 13.1.5)", () => {
  const stored = { ...bare, etag: '"v1"', lastModified: dateIn(-100), date: dateIn(0) }
  const applies = (ifRange: string, changes: Partial<Validators> = {}): boolean => rangeApplies(ifRange, { ...stored, ...changes }, NOW)
  expect(applies("")).toBe(true)
  expect(applies('"v1"')).toBe(true)
  expect(applies('"v2"')).toBe(false)
  expect(applies('W/"v1"', { etag: 'W/"v1"' })).toBe(false)
  expect(applies('"v1"', { etag: 'W/"v1"' })).toBe(false)
  expect(applies('"v1", "v2"')).toBe(false)
  expect(applies(dateIn(-100))).toBe(true)
  expect(applies(dateIn(-99))).toBe(false)
  expect(applies(dateIn(-101))).toBe(false)
  expect(applies("Thursday, 26-Nov-26 07:58:20 GMT")).toBe(true)
  expect(applies(dateIn(0), { lastModified: dateIn(0) })).toBe(false)
  expect(applies(dateIn(-100), { date: "" })).toBe(false)
  expect(applies("garbage", { lastModified: "garbage" })).toBe(false)
  expect(applies(dateIn(-100), { lastModified: "" })).toBe(false)
})
