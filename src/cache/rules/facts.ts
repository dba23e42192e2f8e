import type { ResponseDirectives } from "./cache-control.ts"

/** The joined value of a field, by its lower-case name; "" = absent. */
export type GetField = (name: string) => string

/** What the rules look at in a response. Times in ms since 1970. */
export interface ResponseFacts {
  readonly status: number
  /** Of `directivesOf`. */
  readonly directives: ResponseDirectives
  readonly get: GetField
  /** When the request for it was sent. */
  readonly requestMs: number
  /** When its head was received. */
  readonly responseMs: number
}

/** Whether a status may have a heuristic lifetime (RFC 9110 section 15.1). */
export function isHeuristicallyCacheable(status: number): boolean {
  return HEURISTIC.has(status)
}

const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])

/** Whether the response says itself how long it is fresh (RFC 9111 section 4.2.1). */
export function hasExplicitLifetime(response: ResponseFacts): boolean {
  const { directives } = response
  if (directives.sMaxage >= 0 || directives.maxAge >= 0) return true
  return !directives.targeted && response.get("expires") !== ""
}
