// HOT
import { SECONDS_MAX } from "../../http/index.ts"
import type { RequestDirectives } from "./cache-control.ts"

/** What reuse needs to know of a stored response: its `Freshness`, and what happened since. */
export interface StoredTimes {
  readonly responseMs: number
  readonly initialAgeMs: number
  readonly lifetimeMs: number
  readonly swrMs: number
  readonly sieMs: number
  readonly mustRevalidate: boolean
  readonly noCache: boolean
  readonly immutable: boolean
  /** A soft purge: stale from now on. */
  readonly marked: boolean
}

export const FRESH = 0
/** Stale, and the client takes it (max-stale). */
export const STALE_OK = 1
/** Stale: serve it and revalidate in the background. */
export const STALE_WHILE_REVALIDATE = 2
export const REVALIDATE = 3
export type ReuseVerdict = 0 | 1 | 2 | 3

/** Whether a stored response may answer now (RFC 9111 sections 4, 4.2, 5.2.1). */
export function judgeReuse(stored: StoredTimes, request: RequestDirectives, nowMs: number): ReuseVerdict {
  if (stored.noCache || request.noCache) return REVALIDATE
  const age = currentAgeMs(stored, nowMs)
  if (age < stored.lifetimeMs && !stored.marked) return isFreshEnough(stored, request, age) ? FRESH : REVALIDATE
  if (refusesStale(request, age)) return REVALIDATE
  const staleness = Math.max(0, age - stored.lifetimeMs)
  if (request.maxStale >= 0 && !stored.mustRevalidate && !stored.marked && staleness <= request.maxStale * 1000) return STALE_OK
  return staleness < stored.swrMs ? STALE_WHILE_REVALIDATE : REVALIDATE
}

/** Fresh, and what the client asks beyond that: max-age, which an immutable response answers at any age (RFC 8246 section 2), and min-fresh. */
function isFreshEnough(stored: StoredTimes, request: RequestDirectives, age: number): boolean {
  if (isTooOld(request, age) && !stored.immutable) return false
  return request.minFresh < 0 || stored.lifetimeMs - age >= request.minFresh * 1000
}

/** Who asks for min-fresh, or for max-age without max-stale, does not want a stale response (sections 5.2.1.1, 5.2.1.3). */
function refusesStale(request: RequestDirectives, age: number): boolean {
  return request.minFresh >= 0 || isTooOld(request, age) || (request.maxAge >= 0 && request.maxStale < 0)
}

function isTooOld(request: RequestDirectives, age: number): boolean {
  return request.maxAge >= 0 && age > request.maxAge * 1000
}

/** current_age (section 4.2.3). A clock that was set back makes nothing younger. */
export function currentAgeMs(stored: StoredTimes, nowMs: number): number {
  const residentMs = nowMs - stored.responseMs
  return residentMs > 0 ? stored.initialAgeMs + residentMs : stored.initialAgeMs
}

/** What the Age field says: whole seconds, at most 2^31 (RFC 9111 sections 4, 5.1, 1.2.2). */
export function ageSeconds(stored: StoredTimes, nowMs: number): number {
  return Math.min(Math.floor(currentAgeMs(stored, nowMs) / 1000), SECONDS_MAX)
}

/** Seconds of freshness that are left; negative once stale, not positive once marked (RFC 9211 section 2.4). */
export function ttlSeconds(stored: StoredTimes, nowMs: number): number {
  const left = Math.floor((stored.lifetimeMs - currentAgeMs(stored, nowMs)) / 1000)
  return stored.marked && left > 0 ? 0 : left
}

/**
 * Whether a stored response may stand in for an answer that failed (RFC 5861 section 4; RFC 9111 sections 4.2.4, 4.3.3): within the time that it, the operator or
 * the client allows, and never against a directive that forbids it. A client's max-age does not stop it: a stale answer is better than an error.
 */
export function mayServeOnError(stored: StoredTimes, request: RequestDirectives, nowMs: number): boolean {
  if (stored.noCache || request.noCache) return false
  const age = currentAgeMs(stored, nowMs)
  if (age < stored.lifetimeMs && !stored.marked) return true
  if (stored.mustRevalidate) return false
  return Math.max(0, age - stored.lifetimeMs) < Math.max(stored.sieMs, request.staleIfError * 1000)
}
