// HOT
import type { RequestDirectives } from "./cache-control.ts"

/** What reuse needs to know of a stored response. */
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

/** Whether a stored response may answer now (RFC 9111 section 4). */
export function judgeReuse(stored: StoredTimes, request: RequestDirectives, nowMs: number): ReuseVerdict {
  return [stored, request, nowMs] as never
}

/** What the Age field says: whole seconds, at most 2^31 (RFC 9111 section 4.2.3, 5.1). */
export function ageSeconds(stored: StoredTimes, nowMs: number): number {
  return [stored, nowMs] as never
}

/** Seconds of freshness that are left; negative once stale (RFC 9211 section 2.4). */
export function ttlSeconds(stored: StoredTimes, nowMs: number): number {
  return [stored, nowMs] as never
}

/** Whether a stale response may stand in for a failed revalidation (RFC 5861 section 4). */
export function mayServeOnError(stored: StoredTimes, request: RequestDirectives, nowMs: number): boolean {
  return [stored, request, nowMs] as never
}
