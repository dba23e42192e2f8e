import { parseContentRange, readDigits } from "../../http/index.ts"
import type { RequestDirectives } from "./cache-control.ts"
import { contentFits } from "./content-fits.ts"
import { hasExplicitLifetime, isHeuristicallyCacheable, type ResponseFacts } from "./facts.ts"
import { type Freshness, type FreshnessPolicy, freshnessOf } from "./freshness.ts"
import type { Reason } from "./reasons.ts"
import { varyNames } from "./vary.ts"

export interface StoringRequest {
  readonly method: string
  /** Path and query as forwarded. */
  readonly path: string
  /** Absolute, for Content-Location of an answer to POST; "" = such answers are not stored. */
  readonly targetUri: string
  readonly directives: RequestDirectives
  readonly hasAuthorization: boolean
  readonly hasCookie: boolean
  readonly hasRange: boolean
  /** It has content. A GET with content is not stored, a QUERY only when the key covers the content. */
  readonly hasBody: boolean
  readonly keyedByBody: boolean
}

/** Responses with Set-Cookie: never; only `public` ones (default), and all, without the field; all, with it. */
export type SetCookiePolicy = "refuse" | "public" | "strip" | "keep"

export interface StoringPolicy {
  readonly freshness: FreshnessPolicy
  readonly setCookie: SetCookiePolicy
  /** Whether a part (206) may be stored. */
  readonly storePartial: boolean
  /** By Content-Length; what has none is for the one that fills to watch. */
  readonly bodyBytesMax: number
}

export interface StoringVerdict {
  readonly store: boolean
  /** "stored", or why not. */
  readonly reason: Reason
  /** The reason lies in the response and will last, so that it holds for other clients' requests, too. */
  readonly remember: boolean
  /** Fields that are not stored, lower case. */
  readonly withoutFields: readonly string[]
  /** As it counts for this pair of request and response. */
  readonly freshness: Freshness
}

/** Whether a response to this request may be stored (RFC 9111 section 3), and with which lifetime. */
export function judgeStoring(request: StoringRequest, response: ResponseFacts, policy: StoringPolicy): StoringVerdict {
  const explicitOnly = request.hasAuthorization || request.hasCookie
  const freshness = freshnessOf(response, policy.freshness, explicitOnly)
  const reason =
    refusalOfRequest(request, response) ??
    refusalOfStatus(request, response, policy) ??
    refusalOfDirectives(request, response) ??
    refusalOfFields(response, policy) ??
    refusalOfFreshness(request, response, freshness) ??
    "stored"
  return {
    store: reason === "stored",
    reason,
    remember: isLasting(reason, response.status),
    withoutFields: unstoredFields(response, policy),
    freshness,
  }
}

/** Reasons that lie in the request alone, and failures, which may be over soon, are not remembered. */
function isLasting(reason: Reason, status: number): boolean {
  switch (reason) {
    case "no-store":
    case "private":
    case "vary-star":
    case "set-cookie":
    case "too-large":
    case "content-mismatch":
      return true
    case "no-freshness":
      return status < 500
    default:
      return false
  }
}

/** Section 3: the method is understood, section 5.2.1.5: no-store; RFC 9110 section 9.3.1: content of a GET has no meaning that a key could have. */
function refusalOfRequest(request: StoringRequest, response: ResponseFacts): Reason | null {
  const { method } = request
  if (method === "POST") {
    if (!isOwnAnswer(request, response)) return "method"
  } else if (method !== "GET" && method !== "QUERY") return "method"
  else if (method === "QUERY" ? !request.keyedByBody : request.hasBody) return "request-body"
  return request.directives.noStore ? "request-no-store" : null
}

/** An answer to POST is the target's own representation when it says so and has a lifetime (RFC 9110 section 9.3.3). */
function isOwnAnswer(request: StoringRequest, response: ResponseFacts): boolean {
  const location = response.get("content-location")
  if (request.targetUri === "" || location === "" || response.status !== 200 || !hasExplicitLifetime(response)) return false
  return URL.canParse(location, request.targetUri) && new URL(location, request.targetUri).href === new URL(request.targetUri).href
}

/** Never stored: what answers conditions, ranges or this hop only, and what its definition forbids to store (RFC 9110, RFC 6585). */
const UNSTORABLE: ReadonlySet<number> = new Set([304, 407, 412, 416, 428, 429, 431, 511])

/** Statuses whose meaning for caches is known and kept (must-understand, section 5.2.2.3): those of RFC 9110 section 15. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...[200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411],
  ...[413, 414, 415, 417, 421, 422, 426, 451, 500, 501, 502, 503, 504, 505],
])

/** Section 3: the status is final, and understood where that is asked for; section 3.3: parts. */
function refusalOfStatus(request: StoringRequest, response: ResponseFacts, policy: StoringPolicy): Reason | null {
  const { status, directives } = response
  if (status < 200 || UNSTORABLE.has(status)) return "status"
  if (directives.mustUnderstand && !UNDERSTOOD.has(status)) return "status"
  if (status !== 206) return null
  return policy.storePartial && request.hasRange && isWellMarkedPart(response) ? null : "partial"
}

/** One range, as long as Content-Length says if it says so (RFC 9110 section 14.4). */
function isWellMarkedPart(response: ResponseFacts): boolean {
  const range = parseContentRange(response.get("content-range"))
  if (range === null) return false
  const length = response.get("content-length")
  return length === "" || contentLengthOf(length) === range.last - range.first + 1
}

/** -1 = not known. */
function contentLengthOf(value: string): number {
  return readDigits(value, 0, value.length, Number.MAX_SAFE_INTEGER)
}

/** Sections 5.2.2.5, 5.2.2.7 and 3.5. must-understand takes no-store's place where the status is understood (section 5.2.2.3). */
function refusalOfDirectives(request: StoringRequest, response: ResponseFacts): Reason | null {
  const { directives } = response
  if (directives.noStore && !directives.mustUnderstand) return "no-store"
  if (directives.isPrivate) return "private"
  if (!request.hasAuthorization || directives.isPublic || directives.mustRevalidate || directives.sMaxage >= 0) return null
  return "authorization"
}

/** Section 4.1: Vary; section 7.3: cookies of one user; the operator's limit. */
function refusalOfFields(response: ResponseFacts, policy: StoringPolicy): Reason | null {
  if (varyNames(response.get("vary")) === null) return "vary-star"
  if (refusesCookie(response, policy.setCookie)) return "set-cookie"
  return contentLengthOf(response.get("content-length")) > policy.bodyBytesMax ? "too-large" : null
}

function refusesCookie(response: ResponseFacts, policy: SetCookiePolicy): boolean {
  if (policy === "strip" || policy === "keep" || response.get("set-cookie") === "") return false
  const { isPublic, noCacheFields, privateFields } = response.directives
  if (noCacheFields.includes("set-cookie") || privateFields.includes("set-cookie")) return false
  return policy === "refuse" || !isPublic
}

/** The end of section 3: something makes it storable, and something makes it worth it. */
function refusalOfFreshness(request: StoringRequest, response: ResponseFacts, freshness: Freshness): Reason | null {
  const { status, directives } = response
  const isAllowed = hasExplicitLifetime(response) || directives.isPublic || isHeuristicallyCacheable(status) || freshness.source === "policy"
  if (!isAllowed) return "no-freshness"
  if (freshness.source === "policy" && status < 300 && !contentFits(request.path, response.get("content-type"))) return "content-mismatch"
  const saysNothing = freshness.source === "none" && !directives.noCache && !directives.isPublic
  if (saysNothing && request.hasCookie) return "cookie"
  return isUseful(response, freshness) ? null : "no-freshness"
}

/** It is fresh for a while, may be served stale, or can be asked about. */
function isUseful(response: ResponseFacts, freshness: Freshness): boolean {
  if (freshness.lifetimeMs > freshness.initialAgeMs) return true
  if (freshness.staleWhileRevalidateMs > 0 || freshness.staleIfErrorMs > 0) return true
  return response.get("etag") !== "" || response.get("last-modified") !== ""
}

/** Sections 5.2.2.4 and 5.2.2.7: fields that are named; and Set-Cookie, unless the operator wants everybody to have it. */
function unstoredFields(response: ResponseFacts, policy: StoringPolicy): readonly string[] {
  const { noCacheFields, privateFields } = response.directives
  // One that is not public is not stored for its cookie in the first place.
  const strips = policy.setCookie === "strip" || (policy.setCookie === "public" && response.directives.isPublic)
  if (noCacheFields.length === 0 && privateFields.length === 0 && !strips) return NO_FIELDS
  return [...new Set([...noCacheFields, ...privateFields, ...(strips ? ["set-cookie", "set-cookie2"] : [])])]
}

const NO_FIELDS: readonly string[] = Object.freeze([])
