import { NO_REQUEST_DIRECTIVES, parseRequestDirectives } from "./cache-control.ts"
import type { GetField, ResponseFacts } from "./facts.ts"
import { DEFAULT_FRESHNESS_POLICY, type FreshnessPolicy } from "./freshness.ts"
import type { StoringPolicy, StoringRequest } from "./storing.ts"
import { directivesOf } from "./targeted.ts"

/** When responses of tests come: Thu, 26 Nov 2026 08:00:00 GMT. */
export const NOW = Date.UTC(2026, 10, 26, 8, 0, 0)

/** An HTTP-date so many seconds from NOW. */
export function dateIn(seconds: number): string {
  return new Date(NOW + seconds * 1000).toUTCString()
}

export function getterOf(fields: Readonly<Record<string, string>>): GetField {
  return name => fields[name] ?? ""
}

/** A response with these fields (lower-case names) that took no time and came at NOW. */
export function responseOf(fields: Readonly<Record<string, string>>, status = 200): ResponseFacts {
  const get = getterOf(fields)
  return { status, directives: directivesOf(get), get, requestMs: NOW, responseMs: NOW }
}

export function freshnessPolicyOf(changes: Partial<FreshnessPolicy> = {}): FreshnessPolicy {
  return { ...DEFAULT_FRESHNESS_POLICY, ...changes }
}

export function storingPolicyOf(changes: Partial<StoringPolicy> = {}, freshness: Partial<FreshnessPolicy> = {}): StoringPolicy {
  return { freshness: freshnessPolicyOf(freshness), setCookie: "public", storePartial: true, bodyBytesMax: 1_000_000, ...changes }
}

/** A plain GET of `/page`. */
export function requestOf(changes: Partial<StoringRequest> = {}, cacheControl = ""): StoringRequest {
  return {
    method: "GET",
    path: "/page",
    targetUri: "http://origin.example/page",
    directives: cacheControl === "" ? NO_REQUEST_DIRECTIVES : parseRequestDirectives(cacheControl, ""),
    hasAuthorization: false,
    hasCookie: false,
    hasRange: false,
    hasBody: false,
    keyedByBody: false,
    ...changes,
  }
}
