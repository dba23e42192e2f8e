import { expect, test } from "bun:test"
import { ageValueMs, clockSkewMs, type Freshness, type FreshnessPolicy, freshnessOf } from "./freshness.ts"
import { dateIn, freshnessPolicyOf, NOW, responseOf } from "./response-of.fixture.ts"

function judge(fields: Record<string, string>, policy: Partial<FreshnessPolicy> = {}, status = 200): Freshness {
  return freshnessOf(responseOf(fields, status), freshnessPolicyOf(policy), false)
}

/** Lifetime in seconds and where it comes from. */
function lifetime(fields: Record<string, string>, policy: Partial<FreshnessPolicy> = {}, status = 200): string {
  const { lifetimeMs, source } = judge(fields, policy, status)
  return `${lifetimeMs / 1000} ${source}`
}

const day = 86_400
const date = { date: dateIn(0) }
const modified = { ...date, "last-modified": dateIn(-10 * 3600) }

test("the first of s-maxage, max-age, Expires (section 4.2.1)", () => {
  const cases: readonly [Record<string, string>, string][] = [
    [{}, "0 none"],
    [{ "cache-control": "max-age=3600" }, "3600 max-age"],
    [{ "cache-control": "max-age=3600, s-maxage=1" }, "1 s-maxage"],
    [{ "cache-control": "max-age=0, s-maxage=3600", expires: dateIn(-10) }, "3600 s-maxage"],
    [{ ...date, "cache-control": "max-age=0", expires: dateIn(3600) }, "0 max-age"],
    [{ ...date, "cache-control": "max-age=60", expires: "0" }, "60 max-age"],
    [{ "cache-control": "max-age=99999999999" }, "2147483648 max-age"],
    [{ ...date, expires: dateIn(30 * day) }, `${30 * day} expires`],
    [{ ...date, expires: dateIn(0) }, "0 expires"],
    [{ ...date, expires: dateIn(-30 * day) }, "0 expires"],
    [{ date: dateIn(400), expires: dateIn(300) }, "0 expires"],
    [{ date: dateIn(-10), expires: dateIn(10) }, "20 expires"],
    [{ expires: dateIn(10) }, "10 expires"],
    [{ date: "foo", expires: dateIn(10) }, "10 expires"],
    [{ ...date, expires: "0" }, "0 expires"],
    [{ ...date, expires: "Thu, 18 Aug 2050 2:01:18 GMT" }, "0 expires"],
    [{ ...date, expires: `${dateIn(60)}, ${dateIn(60)}` }, "0 expires"],
    [{ ...date, expires: "Sun, 21 Nov 9986 04:46:39 GMT" }, "2147483648 expires"],
    [{ ...date, expires: "Thursday, 18-Aug-50 02:01:18 GMT" }, `${(Date.UTC(2050, 7, 18, 2, 1, 18) - NOW) / 1000} expires`],
    [{ "cache-control": "no-cache, max-age=60" }, "0 max-age"],
    [{ "cdn-cache-control": "max-age=5", "cache-control": "max-age=9", expires: dateIn(7) }, "5 max-age"],
    [{ "cdn-cache-control": "none", "cache-control": "max-age=9", expires: dateIn(7) }, "0 none"],
  ]
  for (const [fields, expected] of cases) expect({ fields, is: lifetime(fields) }).toEqual({ fields, is: expected })
})

test("a part of the time since Last-Modified, where the status allows it (section 4.2.2)", () => {
  expect(lifetime(modified)).toBe("3600 heuristic")
  expect(lifetime(modified, { heuristicShare: 0.5 })).toBe("18000 heuristic")
  expect(lifetime(modified, { heuristicShare: 0 })).toBe("0 none")
  expect(lifetime({ ...date, "last-modified": dateIn(-3650 * day) })).toBe(`${day} heuristic`)
  expect(lifetime({ ...date, "last-modified": dateIn(-3650 * day) }, { heuristicMaxMs: 7000 })).toBe("7 heuristic")
  expect(lifetime({ ...date, "last-modified": dateIn(10) })).toBe("0 none")
  expect(lifetime({ ...date, "last-modified": "never" })).toBe("0 none")
  expect(lifetime({ ...modified, pragma: "no-cache" })).toBe("0 none")
  expect(lifetime({ ...modified, "cache-control": "no-cache" })).toBe("0 none")
  expect(lifetime({ ...modified, "cache-control": 'no-cache="x"' })).toBe("3600 heuristic")
  for (const status of [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]) expect(lifetime(modified, {}, status)).toBe("3600 heuristic")
  for (const status of [201, 202, 302, 307, 403, 500, 502, 503, 504, 599]) expect(lifetime(modified, {}, status)).toBe("0 none")
  expect(lifetime({ ...modified, "cache-control": "public" }, {}, 599)).toBe("3600 heuristic")
})

test("the operator's lifetime where the response says nothing", () => {
  const policy = { ttlMs: 60_000, negativeTtlMs: { 404: 5_000, 302: 2_000 } }
  expect(lifetime({}, policy)).toBe("60 policy")
  expect(lifetime(modified, policy)).toBe("60 policy")
  expect(lifetime({}, policy, 301)).toBe("60 policy")
  expect(lifetime({}, policy, 302)).toBe("2 policy")
  expect(lifetime({}, policy, 404)).toBe("5 policy")
  expect(lifetime({}, policy, 500)).toBe("0 none")
  expect(lifetime({ "cache-control": "max-age=1" }, policy)).toBe("1 max-age")
  expect(lifetime({ "cache-control": "max-age=1" }, policy, 404)).toBe("1 max-age")
  expect(lifetime({ expires: "0" }, policy)).toBe("0 expires")
  expect(lifetime({ pragma: "no-cache" }, policy)).toBe("0 none")
  expect(lifetime({ "cache-control": "no-cache" }, policy)).toBe("0 none")
})

test("the operator's lifetime instead of what the response says", () => {
  const policy = { forceTtlMs: 30_000 }
  expect(lifetime({ "cache-control": "max-age=3600" }, policy)).toBe("30 policy")
  expect(lifetime({ "cache-control": "no-cache" }, policy)).toBe("30 policy")
  expect(judge({ "cache-control": "no-cache" }, policy).noCache).toBe(false)
  expect(judge({ "cache-control": "no-cache" }).noCache).toBe(true)
  expect(lifetime({ "cache-control": "max-age=7" }, policy, 500)).toBe("7 max-age")
})

test("requests with credentials: only what the response says itself", () => {
  const policy = freshnessPolicyOf({ ttlMs: 60_000, forceTtlMs: 60_000, negativeTtlMs: { 404: 5_000 } })
  expect(freshnessOf(responseOf(modified), policy, true)).toMatchObject({ lifetimeMs: 0, source: "none" })
  expect(freshnessOf(responseOf({}, 404), policy, true)).toMatchObject({ lifetimeMs: 0, source: "none" })
  expect(freshnessOf(responseOf({ "cache-control": "max-age=7" }), policy, true)).toMatchObject({ lifetimeMs: 7000, source: "max-age" })
})

test("Age: the first member, if it is a number (section 5.1)", () => {
  const cases: readonly [string, number][] = [
    ["", 0],
    ["0", 0],
    ["30", 30],
    [" 30 ", 30],
    ["7200, 0", 7200],
    ["0, 7200", 0],
    ["0,0", 0],
    ["abc", 0],
    ["-7200", 0],
    ["7200.0", 0],
    ["7200;foo=bar", 0],
    [", 5", 0],
    ["2147483647", 2147483647],
    ["2147483648", 2147483648],
    ["99999999999999999999", 2147483648],
    ["1 2", 0],
  ]
  for (const [age, seconds] of cases) expect(`${age}: ${ageValueMs(age)}`).toBe(`${age}: ${seconds * 1000}`)
})

test("how old a response is when it comes (section 4.2.3)", () => {
  const age = (fields: Record<string, string>, tookMs = 0): number =>
    freshnessOf({ ...responseOf(fields), requestMs: NOW - tookMs }, freshnessPolicyOf(), false).initialAgeMs
  expect(age({})).toBe(0)
  expect(age({ age: "30" }, 1500)).toBe(31_500)
  expect(age({}, -50)).toBe(0)
  expect(age({ date: dateIn(-7200) })).toBe(7_200_000)
  expect(age({ date: dateIn(-7200), age: "7300" })).toBe(7_300_000)
  expect(age({ date: dateIn(-7200), age: "10" })).toBe(7_200_000)
  expect(age({ date: dateIn(500) })).toBe(0)
  // Clocks differ.
  expect(age({ date: dateIn(-clockSkewMs / 1000) })).toBe(0)
  expect(age({ date: dateIn(-clockSkewMs / 1000 - 1) })).toBe(clockSkewMs + 1000)
})

test("stale use: what allows it and what forbids it (section 4.2.4, RFC 5861)", () => {
  const windows = (value: string, policy: Partial<FreshnessPolicy> = {}): readonly number[] => {
    const { staleWhileRevalidateMs, staleIfErrorMs } = judge({ "cache-control": value }, policy)
    return [staleWhileRevalidateMs, staleIfErrorMs]
  }
  const defaults = { staleWhileRevalidateMs: 3_000, staleIfErrorMs: 4_000 }
  const both = "stale-while-revalidate=1, stale-if-error=2"
  expect(windows("max-age=1")).toEqual([0, 0])
  expect(windows("max-age=1", defaults)).toEqual([3000, 4000])
  expect(windows(`max-age=1, ${both}`, defaults)).toEqual([1000, 2000])
  expect(windows("max-age=1, stale-while-revalidate=0, stale-if-error=0", defaults)).toEqual([0, 0])
  for (const forbidding of ["must-revalidate", "proxy-revalidate", "no-cache"]) {
    expect(windows(`max-age=1, ${both}, ${forbidding}`, defaults)).toEqual([0, 0])
  }
  // s-maxage forbids too, unless the response itself asks for revalidation in the background.
  expect(windows("s-maxage=1", defaults)).toEqual([0, 0])
  expect(windows(`s-maxage=1, ${both}`, defaults)).toEqual([1000, 0])
})

test("what makes revalidation a must", () => {
  const must = (value: string): boolean => judge({ "cache-control": value }).mustRevalidate
  expect(must("max-age=1")).toBe(false)
  for (const value of ["max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "s-maxage=1"]) expect(must(value)).toBe(true)
})
