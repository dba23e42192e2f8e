import { COMMA, parseHttpDate, readDigits, SECONDS_MAX, skipSpace, trimEnd } from "../../http/index.ts"
import { saysNoCache } from "./cache-control.ts"
import { hasExplicitLifetime, isHeuristicallyCacheable, type ResponseFacts } from "./facts.ts"

export type FreshnessSource = "s-maxage" | "max-age" | "expires" | "heuristic" | "policy" | "none"

export interface Freshness {
  readonly lifetimeMs: number
  readonly source: FreshnessSource
  /** corrected_initial_age: how old the response was when it came (RFC 9111 section 4.2.3). */
  readonly initialAgeMs: number
  /** How long past its lifetime it may be used while it is revalidated, 0 = not. What forbids stale use is already taken into account. */
  readonly staleWhileRevalidateMs: number
  /** How long past its lifetime it may be used when revalidation fails, 0 = not. What forbids stale use is already taken into account. */
  readonly staleIfErrorMs: number
  /** Never stale without validation, whatever the client accepts: must-revalidate, proxy-revalidate, s-maxage. */
  readonly mustRevalidate: boolean
  /** Never without validation. Not where the operator's lifetime replaces what the response says. */
  readonly noCache: boolean
}

/** What the operator says. Times in ms. */
export interface FreshnessPolicy {
  /** Lifetime of successful responses that say nothing themselves, -1 = none. */
  readonly ttlMs: number
  /** Lifetime of successful responses instead of what they say, -1 = none. */
  readonly forceTtlMs: number
  /** Part of the time since Last-Modified; 0 = no heuristic freshness. Default 0.1. */
  readonly heuristicShare: number
  /** Default 24 h. */
  readonly heuristicMaxMs: number
  /** By status: lifetime where the response says nothing itself. */
  readonly negativeTtlMs: Readonly<Record<number, number>>
  /** Where the response says nothing itself; 0 = not. */
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

export const DEFAULT_FRESHNESS_POLICY: FreshnessPolicy = Object.freeze({
  ttlMs: -1,
  forceTtlMs: -1,
  heuristicShare: 0.1,
  heuristicMaxMs: 86_400_000,
  negativeTtlMs: Object.freeze({}),
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
})

/** A Date that is older than this when it comes shows the age of the response; up to there it may be the clocks that differ (RFC 9111 section 4.2.3). */
export const clockSkewMs = 60_000

interface Lifetime {
  readonly ms: number
  readonly source: FreshnessSource
}

const NO_LIFETIME: Lifetime = Object.freeze({ ms: 0, source: "none" })

/**
 * How long a response is fresh and why (RFC 9111 section 4.2). `explicitOnly`: no heuristic and no lifetime of the operator's, because the request carried
 * credentials and the response may be one user's.
 */
export function freshnessOf(response: ResponseFacts, policy: FreshnessPolicy, explicitOnly: boolean): Freshness {
  const { directives } = response
  const forced = isForced(response.status, policy, explicitOnly)
  const noCache = directives.noCache && !forced
  const lifetime = forced ? { ms: policy.forceTtlMs, source: "policy" as const } : lifetimeOf(response, policy, explicitOnly)
  const strict = directives.mustRevalidate || directives.proxyRevalidate || noCache
  return {
    lifetimeMs: noCache ? 0 : lifetime.ms,
    source: lifetime.source,
    initialAgeMs: initialAgeOf(response),
    staleWhileRevalidateMs: strict ? 0 : staleWhileRevalidateOf(response, policy),
    staleIfErrorMs: strict || directives.sMaxage >= 0 ? 0 : windowOf(directives.staleIfError, policy.staleIfErrorMs),
    mustRevalidate: directives.mustRevalidate || directives.proxyRevalidate || directives.sMaxage >= 0,
    noCache,
  }
}

/** Whether the operator's lifetime takes the place of what the response says: of a good answer, to a request that nothing shows to be one user's. */
export function isForced(status: number, policy: FreshnessPolicy, explicitOnly: boolean): boolean {
  return !explicitOnly && policy.forceTtlMs >= 0 && isPlainSuccess(status)
}

/** Section 4.2.1: the first that applies. */
function lifetimeOf(response: ResponseFacts, policy: FreshnessPolicy, explicitOnly: boolean): Lifetime {
  const { directives } = response
  if (directives.sMaxage >= 0) return { ms: directives.sMaxage * 1000, source: "s-maxage" }
  if (directives.maxAge >= 0) return { ms: directives.maxAge * 1000, source: "max-age" }
  if (hasExplicitLifetime(response)) return { ms: untilExpires(response), source: "expires" }
  if (explicitOnly || directives.noCache || saysNoCache(response.get("pragma"))) return NO_LIFETIME
  const policyMs = policyLifetime(response.status, policy)
  return policyMs >= 0 ? { ms: policyMs, source: "policy" } : heuristicLifetime(response, policy)
}

/** Expires minus Date, both of the origin's clock; a date that is none has passed (section 5.3). */
function untilExpires(response: ResponseFacts): number {
  const expires = parseHttpDate(response.get("expires"), response.responseMs)
  if (Number.isNaN(expires)) return 0
  return Math.min(Math.max(0, expires - dateOf(response)), SECONDS_MAX * 1000)
}

/** When the response was made, by its own clock; when it came where it does not say (RFC 9110 section 6.6.1). */
function dateOf(response: ResponseFacts): number {
  const date = parseHttpDate(response.get("date"), response.responseMs)
  return Number.isNaN(date) ? response.responseMs : date
}

function policyLifetime(status: number, policy: FreshnessPolicy): number {
  const byStatus = policy.negativeTtlMs[status]
  if (byStatus !== undefined) return byStatus
  return isPlainSuccess(status) ? policy.ttlMs : -1
}

/** Of these an operator's lifetime is meant: what may be stored without being asked to, failures aside (RFC 9110 section 15.1). */
function isPlainSuccess(status: number): boolean {
  return status < 400 && isHeuristicallyCacheable(status)
}

/** Section 4.2.2: a part of the time since it was last changed. */
function heuristicLifetime(response: ResponseFacts, policy: FreshnessPolicy): Lifetime {
  if (policy.heuristicShare <= 0) return NO_LIFETIME
  if (!isHeuristicallyCacheable(response.status) && !response.directives.isPublic) return NO_LIFETIME
  const modified = parseHttpDate(response.get("last-modified"), response.responseMs)
  const unchangedMs = dateOf(response) - modified
  if (!(unchangedMs > 0)) return NO_LIFETIME
  return { ms: Math.min(Math.floor(unchangedMs * policy.heuristicShare), policy.heuristicMaxMs), source: "heuristic" }
}

/**
 * Section 4.2.3: what Age says, plus how long the answer took. A Date that is much older counts instead, for caches on the way that sent no Age; one that is a
 * little older does not, or a lifetime of seconds would be none wherever clocks differ by as much.
 */
function initialAgeOf(response: ResponseFacts): number {
  const corrected = ageValueMs(response.get("age")) + Math.max(0, response.responseMs - response.requestMs)
  const apparent = response.responseMs - dateOf(response)
  return apparent > clockSkewMs && apparent > corrected ? apparent : corrected
}

/** The first member of a joined Age, 0 when it is no number (section 5.1). */
export function ageValueMs(age: string): number {
  if (age === "") return 0
  let comma = 0
  while (comma < age.length && age.charCodeAt(comma) !== COMMA) comma++
  const start = skipSpace(age, 0, comma)
  return Math.max(0, readDigits(age, start, trimEnd(age, start, comma), SECONDS_MAX)) * 1000
}

/**
 * RFC 5861 section 3. s-maxage alone forbids stale use (RFC 9111 section 5.2.2.10), so an operator's default does not count beside it; a response that has
 * both has asked for it itself.
 */
function staleWhileRevalidateOf(response: ResponseFacts, policy: FreshnessPolicy): number {
  const { staleWhileRevalidate, sMaxage } = response.directives
  return windowOf(staleWhileRevalidate, sMaxage >= 0 ? 0 : policy.staleWhileRevalidateMs)
}

function windowOf(seconds: number, defaultMs: number): number {
  return seconds >= 0 ? seconds * 1000 : defaultMs
}
