// @ts-expect-error it has no types
import CachePolicy from "http-cache-semantics"
import { parseRequestDirectives } from "./cache-control.ts"
import { dateIn, getterOf, NOW, responseOf, storingPolicyOf } from "./response-of.fixture.ts"
import { FRESH, judgeReuse, REVALIDATE, STALE_OK, STALE_WHILE_REVALIDATE, type StoredTimes } from "./reuse.ts"
import { judgeStoring, type StoringVerdict } from "./storing.ts"

export type Fields = Record<string, string>

/** A response that came to a request, and a second request some seconds later. */
export interface Case {
  readonly method: string
  readonly request: Fields
  readonly status: number
  readonly response: Fields
  readonly laterSeconds: number
  readonly later: Fields
}

/** What one of the two implementations says of a case. Times in seconds. */
export interface Opinion {
  readonly store: boolean
  readonly lifetime: number
  readonly age: number
  readonly reuse: "hit" | "while" | "revalidate"
}

interface Oracle {
  storable(): boolean
  maxAge(): number
  age(): number
  evaluateRequest(request: { method: string; url: string; headers: Fields }): { response?: unknown; revalidation?: { synchronous: boolean } }
}

const Policy = CachePolicy as new (request: object, response: object, options: object) => Oracle

let now = NOW

class PolicyAtNow extends Policy {
  now(): number {
    return now
  }
}

/** http-cache-semantics as a shared cache. */
export function oracleOpinion(each: Case): Opinion {
  now = NOW
  const host = { host: "a.example" }
  const request = { method: each.method, url: "/", headers: { ...host, ...each.request } }
  const policy = new PolicyAtNow(request, { status: each.status, headers: each.response }, { shared: true })
  const store = policy.storable()
  const lifetime = policy.maxAge()
  const age = policy.age()
  now = NOW + each.laterSeconds * 1000
  const { response, revalidation } = policy.evaluateRequest({ method: each.method, url: "/", headers: { ...host, ...each.later } })
  return { store, lifetime, age, reuse: response === undefined ? "revalidate" : revalidation === undefined ? "hit" : "while" }
}

const WORDS = { [FRESH]: "hit", [STALE_OK]: "hit", [STALE_WHILE_REVALIDATE]: "while", [REVALIDATE]: "revalidate" } as const

export function verdictOf(each: Case): StoringVerdict {
  const get = getterOf(each.request)
  const request = {
    method: each.method,
    path: "/",
    targetUri: "http://a.example/",
    directives: parseRequestDirectives(get("cache-control"), get("pragma")),
    hasAuthorization: get("authorization") !== "",
    hasCookie: get("cookie") !== "",
    hasRange: false,
    hasBody: false,
    keyedByBody: false,
  }
  return judgeStoring(request, responseOf(each.response, each.status), storingPolicyOf())
}

/** Our own rules. */
export function ownOpinion(each: Case): Opinion {
  const { store, freshness } = verdictOf(each)
  const stored: StoredTimes = {
    responseMs: NOW,
    initialAgeMs: freshness.initialAgeMs,
    lifetimeMs: freshness.lifetimeMs,
    swrMs: freshness.staleWhileRevalidateMs,
    sieMs: freshness.staleIfErrorMs,
    mustRevalidate: freshness.mustRevalidate,
    noCache: freshness.noCache,
    immutable: responseOf(each.response).directives.immutable,
    marked: false,
  }
  const get = getterOf(each.later)
  const directives = parseRequestDirectives(get("cache-control"), get("pragma"))
  const reuse = WORDS[judgeReuse(stored, directives, NOW + each.laterSeconds * 1000)]
  return { store, lifetime: freshness.lifetimeMs / 1000, age: freshness.initialAgeMs / 1000, reuse }
}

/** Values of the parts of a case, the usual one first; "" = the field is absent. */
export const choices = {
  method: ["GET", "POST"],
  authorization: ["", "Basic x", "Basic x"],
  cookie: ["", "a=b"],
  requestCacheControl: ["", "no-store", "max-age=5"],
  status: [200, 203, 204, 299, 301, 302, 307, 403, 404, 410, 500, 503],
  lifetime: [
    ...[
      "max-age=100",
      "",
      "",
      "",
      "",
      "",
      "max-age=0",
      "s-maxage=50",
      "max-age=1, max-age=70",
      "max-age=70, max-age=1",
      "MAX-AGE=100",
      "max-age=100a",
      'max-age="100"',
    ],
    ...["max-age=99999999999", "max-age=10, s-maxage=100"],
  ],
  directive: [
    ...[
      "",
      "public",
      "must-revalidate",
      "proxy-revalidate",
      "no-cache",
      "no-store",
      "private",
      "immutable",
      "must-understand, no-store",
      "no-transform",
    ],
    ...["stale-while-revalidate=40", 'private="x"', 'no-cache="x"', 'x="a, no-store, b"', "NO-STORE", "foo=bar", "stale-if-error=40"],
  ],
  expires: ["", dateIn(90), dateIn(-90), "0", "Thu, 18 Aug 2050 02:01:18 UTC", "Thu, 18 Aug 50 02:01:18 GMT"],
  date: [dateIn(0), "", dateIn(-30), dateIn(-600)],
  age: ["", "20", "200", "20;x", "-5", "3, 9"],
  etag: ["", '"a"'],
  lastModified: ["", dateIn(-1000), dateIn(-100 * 86_400), dateIn(-1000), dateIn(-1000), dateIn(60)],
  vary: ["", "*", "accept"],
  setCookie: ["", "a=b"],
  pragma: ["", "no-cache"],
  laterCacheControl: [
    ...[
      "",
      "no-cache",
      "max-age=0",
      "max-age=60",
      "max-age=500",
      "min-fresh=10",
      "max-stale",
      "max-stale=30",
      "max-age=30, max-stale=100",
      "only-if-cached",
    ],
  ],
  laterPragma: ["", "no-cache"],
  laterSeconds: [0, 1, 29, 30, 49, 50, 51, 70, 79, 80, 89, 99, 100, 120, 129, 130, 131, 139, 140, 200, 90_000],
}
