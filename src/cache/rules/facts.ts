import type { ResponseDirectives } from "./cache-control.ts"

/** The joined value of a field, by its lower-case name; "" = absent. */
export type GetField = (name: string) => string

/** What the rules look at in a response. Times in ms since 1970. */
export interface ResponseFacts {
  readonly status: number
  readonly directives: ResponseDirectives
  readonly get: GetField
  /** When the request for it was sent. */
  readonly requestMs: number
  /** When its head was received. */
  readonly responseMs: number
}
