import { expect, test } from "bun:test"
import { type Reason, REASONS } from "./reasons.ts"
import { dateIn, requestOf, responseOf, storingPolicyOf } from "./response-of.fixture.ts"
import { judgeStoring, type StoringPolicy, type StoringVerdict } from "./storing.ts"

type Fields = Record<string, string>

/** A plain GET, a response with these fields, the default policy with changes. */
function judge(fields: Fields, status = 200, policy: Partial<StoringPolicy> = {}): StoringVerdict {
  return judgeStoring(requestOf(), responseOf(fields, status), storingPolicyOf(policy))
}

function reasonOf(value: string, changes: Parameters<typeof requestOf>[0] = {}, status = 200): Reason {
  return judgeStoring(requestOf(changes), responseOf({ "cache-control": value }, status), storingPolicyOf()).reason
}

const withTtl = storingPolicyOf({}, { ttlMs: 60_000, negativeTtlMs: { 404: 5_000 } })
const fresh: Fields = { "cache-control": "max-age=60" }

test("something must say that it may be stored, and something make it worth it (end of section 3)", () => {
  const cases: readonly [Fields, number, Reason][] = [
    [fresh, 200, "stored"],
    [{ "cache-control": "s-maxage=60" }, 200, "stored"],
    [{ expires: dateIn(60) }, 200, "stored"],
    [{}, 200, "no-freshness"],
    [{ "cache-control": "max-age=0" }, 200, "no-freshness"],
    [{ "cache-control": "max-age=60", age: "61" }, 200, "no-freshness"],
    [{ "cache-control": "max-age=60, stale-if-error=9", age: "61" }, 200, "stored"],
    [{ "cache-control": "max-age=0", etag: '"a"' }, 200, "stored"],
    [{ "cache-control": "no-cache" }, 200, "no-freshness"],
    [{ "cache-control": "no-cache", etag: '"a"' }, 200, "stored"],
    [{ "cache-control": "no-cache, max-age=60", "last-modified": dateIn(-60) }, 200, "stored"],
    [{ etag: '"a"' }, 200, "stored"],
    [{ etag: '"a"' }, 403, "no-freshness"],
    [{ "last-modified": dateIn(-60) }, 599, "no-freshness"],
    [{ "last-modified": dateIn(-60), "cache-control": "public" }, 599, "stored"],
    [{ expires: "0" }, 200, "no-freshness"],
    [{ "cache-control": "public" }, 200, "no-freshness"],
  ]
  for (const [fields, status, reason] of cases) expect({ fields, status, is: judge(fields, status).reason }).toEqual({ fields, status, is: reason })
})

test("with a lifetime any final status is stored, except those that cannot be (RFC 9110, RFC 6585)", () => {
  for (const status of [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 401, 404, 410, 499, 500, 502, 503, 504, 599]) {
    expect(`${status} ${judge(fresh, status).reason}`).toBe(`${status} stored`)
  }
  for (const status of [100, 101, 103, 304, 407, 412, 416, 428, 429, 431, 511])
    expect(`${status} ${judge(fresh, status).reason}`).toBe(`${status} status`)
})

test("must-understand takes the place of no-store (section 5.2.2.3)", () => {
  const fields = { "cache-control": "max-age=3600, no-store, must-understand" }
  expect(judge(fields, 200).reason).toBe("stored")
  expect(judge(fields, 599).reason).toBe("status")
  expect(judge({ "cache-control": "max-age=3600, must-understand" }, 599).reason).toBe("status")
  expect(judge({ "cache-control": "max-age=3600, no-store" }, 200).reason).toBe("no-store")
})

test("directives and fields that forbid", () => {
  expect(reasonOf("no-store, max-age=60")).toBe("no-store")
  expect(reasonOf("private, max-age=60")).toBe("private")
  expect(reasonOf('private="x-user", max-age=60')).toBe("stored")
  expect(judge({ ...fresh, vary: "*" }).reason).toBe("vary-star")
  expect(judge({ ...fresh, vary: "Accept, *" }).reason).toBe("vary-star")
  expect(judge({ ...fresh, vary: "a b" }).reason).toBe("vary-star")
  expect(judge({ ...fresh, vary: "Accept, Foo" }).reason).toBe("stored")
  expect(judge({ ...fresh, "content-length": "1000000" }).reason).toBe("stored")
  expect(judge({ ...fresh, "content-length": "1000001" }).reason).toBe("too-large")
})

test("what the request asks and is", () => {
  const directives = requestOf({}, "no-store").directives
  expect(reasonOf("max-age=60", { directives })).toBe("request-no-store")
  expect(reasonOf("max-age=60", { hasBody: true })).toBe("request-body")
  for (const method of ["HEAD", "PUT", "DELETE", "OPTIONS", "get", "FOO"]) expect(reasonOf("max-age=60", { method })).toBe("method")
  expect(reasonOf("max-age=60", { method: "QUERY", hasBody: true })).toBe("request-body")
  expect(reasonOf("max-age=60", { method: "QUERY", hasBody: true, keyedByBody: true })).toBe("stored")
})

test("an answer to POST that says it is the page itself (RFC 9110 section 9.3.3)", () => {
  const post = (fields: Fields, changes: object = {}, status = 200): Reason =>
    judgeStoring(requestOf({ method: "POST", hasBody: true, ...changes }), responseOf(fields, status), storingPolicyOf()).reason
  const own = { ...fresh, "content-location": "/page" }
  expect(post(own)).toBe("stored")
  expect(post({ ...own, "content-location": "http://origin.example/page" })).toBe("stored")
  expect(post({ ...own, "content-location": "" })).toBe("method")
  expect(post({ ...own, "content-location": "/other" })).toBe("method")
  expect(post({ ...own, "content-location": "http://[" })).toBe("method")
  expect(post({ etag: '"a"', "content-location": "/page" })).toBe("method")
  expect(post(own, {}, 201)).toBe("method")
  expect(post(own, { targetUri: "" })).toBe("method")
  expect(post({ ...own, "cache-control": "no-store, max-age=60" })).toBe("no-store")
})

test("Authorization: only what says that others may have it (section 3.5)", () => {
  const changes = { hasAuthorization: true }
  expect(reasonOf("max-age=60", changes)).toBe("authorization")
  for (const allowing of ["public", "must-revalidate", "s-maxage=5"]) expect(reasonOf(`max-age=60, ${allowing}`, changes)).toBe("stored")
  expect(reasonOf("max-age=60, proxy-revalidate", changes)).toBe("authorization")
})

test("O-22: a request with credentials never gets a lifetime that the response does not give", () => {
  const judgeCookie = (fields: Fields, status = 200): string => {
    const { reason, freshness } = judgeStoring(requestOf({ hasCookie: true, path: "/account/x.css" }), responseOf(fields, status), withTtl)
    return `${reason} ${freshness.lifetimeMs}`
  }
  expect(judgeCookie({})).toBe("cookie 0")
  expect(judgeCookie({ "content-type": "text/css" })).toBe("cookie 0")
  expect(judgeCookie({ "last-modified": dateIn(-86_400), etag: '"a"' })).toBe("cookie 0")
  expect(judgeCookie({}, 404)).toBe("cookie 0")
  expect(judgeCookie(fresh)).toBe("stored 60000")
  expect(judgeCookie({ "cache-control": "no-cache", etag: '"a"' })).toBe("stored 0")
  expect(judgeCookie({ "cache-control": "public", "last-modified": dateIn(-86_400) })).toBe("stored 0")
})

test("O-22: an operator's lifetime is for files that are what their names say", () => {
  const type = (path: string, contentType: string, status = 200): Reason =>
    judgeStoring(requestOf({ path }), responseOf({ "content-type": contentType }, status), withTtl).reason
  expect(type("/account/x.css", "text/html; charset=utf-8")).toBe("content-mismatch")
  expect(type("/account;x.css", "text/html")).toBe("content-mismatch")
  expect(type("/account%2fx.css", "text/html")).toBe("content-mismatch")
  expect(type("/account%3fx.css", "")).toBe("content-mismatch")
  expect(type("/static/x.css?v=1", "text/css")).toBe("stored")
  expect(type("/account?x.css", "text/html")).toBe("stored")
  expect(type("/missing.css", "text/html", 404)).toBe("stored")
  // What the response says itself counts for any type.
  expect(judgeStoring(requestOf({ path: "/x.css" }), responseOf({ ...fresh, "content-type": "text/html" }), withTtl).reason).toBe("stored")
})

test("O-21: a cookie of one visitor", () => {
  const cookie = { "set-cookie": "sid=1" }
  const judgeCookie = (value: string, setCookie: StoringPolicy["setCookie"]): string => {
    const verdict = judge({ ...cookie, "cache-control": value }, 200, { setCookie })
    return `${verdict.reason} ${verdict.withoutFields.join()}`
  }
  expect(judgeCookie("max-age=60", "public")).toBe("set-cookie ")
  expect(judgeCookie("max-age=60, public", "public")).toBe("stored set-cookie,set-cookie2")
  expect(judgeCookie("max-age=60, public", "refuse")).toBe("set-cookie ")
  expect(judgeCookie("max-age=60", "strip")).toBe("stored set-cookie,set-cookie2")
  expect(judgeCookie("max-age=60", "keep")).toBe("stored ")
  expect(judgeCookie('max-age=60, no-cache="Set-Cookie"', "public")).toBe("stored set-cookie")
  expect(judgeCookie('max-age=60, private="set-cookie"', "refuse")).toBe("stored set-cookie")
  expect(judgeStoring(requestOf(), responseOf(cookie), withTtl).reason).toBe("set-cookie")
})

test("O-25: a part is a part (sections 3.3, 3.4)", () => {
  const part = (fields: Fields, changes: object = { hasRange: true }, policy: Partial<StoringPolicy> = {}): Reason =>
    judgeStoring(requestOf(changes), responseOf({ ...fresh, ...fields }, 206), storingPolicyOf(policy)).reason
  const range = { "content-range": "bytes 0-9/100" }
  expect(part({ ...range, "content-length": "10" })).toBe("stored")
  expect(part(range)).toBe("stored")
  expect(part(range, {})).toBe("partial")
  expect(part(range, { hasRange: true }, { storePartial: false })).toBe("partial")
  expect(part({ ...range, "content-length": "9" })).toBe("partial")
  expect(part({})).toBe("partial")
  expect(part({ "content-type": "multipart/byteranges; boundary=x" })).toBe("partial")
  expect(part({ "content-range": "bytes 0-9/100, bytes 20-29/100" })).toBe("partial")
  expect(part({ "content-range": "bytes 9-0/100" })).toBe("partial")
  // On a 200 it means nothing.
  expect(judge({ ...fresh, ...range }).reason).toBe("stored")
})

test("reasons of the response are remembered, those of the request and failures are not", () => {
  expect(judge({ "cache-control": "private" }).remember).toBe(true)
  expect(judge({ ...fresh, vary: "*" }).remember).toBe(true)
  expect(judge({}).remember).toBe(true)
  expect(judge({}, 503).remember).toBe(false)
  expect(judge(fresh, 416).remember).toBe(false)
  expect(judge(fresh).remember).toBe(false)
  expect(judgeStoring(requestOf({ hasCookie: true }), responseOf({}), withTtl).remember).toBe(false)
  expect(judgeStoring(requestOf({ hasAuthorization: true }), responseOf(fresh), withTtl).remember).toBe(false)
})

test("every reason says what it means and what to do", () => {
  for (const [word, { meaning, remedy }] of Object.entries(REASONS)) {
    expect(word).toMatch(/^[a-z]+(?:-[a-z]+)*$/)
    expect(meaning.endsWith(".") && remedy.endsWith(".")).toBe(true)
  }
})
