import type { ResponseFacts } from "./facts.ts"

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
}

/** What the operator says. Times in ms. */
export interface FreshnessPolicy {
  /** Lifetime of successful responses that say nothing themselves, -1 = none. */
  readonly ttlMs: number
  /** Lifetime instead of what the response says, -1 = none. */
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

/** How long a response is fresh and why (RFC 9111 section 4.2). `explicitOnly`: no heuristic and no lifetime of the operator's (the request carried credentials). */
export function freshnessOf(facts: ResponseFacts, policy: FreshnessPolicy, explicitOnly: boolean): Freshness {
  return [facts, policy, explicitOnly] as never
}
