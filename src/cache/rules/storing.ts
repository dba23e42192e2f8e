import type { RequestDirectives } from "./cache-control.ts"
import type { ResponseFacts } from "./facts.ts"
import type { Freshness, FreshnessPolicy } from "./freshness.ts"
import type { Reason } from "./reasons.ts"

export interface StoringRequest {
  readonly method: string
  /** Path and query as forwarded. */
  readonly path: string
  readonly directives: RequestDirectives
  readonly hasAuthorization: boolean
  readonly hasCookie: boolean
  /** It has content. A GET with content is not stored, a QUERY only when the key holds a digest of the content. */
  readonly hasBody: boolean
  readonly keyedByBody: boolean
}

/** Responses with Set-Cookie: never; only `public` ones (default); all, without the field; all, with it. */
export type SetCookiePolicy = "refuse" | "public" | "strip" | "keep"

export interface StoringPolicy {
  readonly freshness: FreshnessPolicy
  readonly setCookie: SetCookiePolicy
  /** Whether a part (206) may be stored. */
  readonly storePartial: boolean
  /** By Content-Length; what has none is the engine's to watch. */
  readonly bodyBytesMax: number
}

export interface StoringVerdict {
  readonly store: boolean
  /** "stored" or why not. */
  readonly reason: Reason
  /** The reason lies in the response, so that it holds for other clients' requests, too. */
  readonly remember: boolean
  /** Fields that are not stored, lower case. */
  readonly withoutFields: readonly string[]
  /** As it counts for this pair of request and response. */
  readonly freshness: Freshness
}

/** Whether a response to this request may be stored (RFC 9111 section 3). */
export function judgeStoring(request: StoringRequest, response: ResponseFacts, policy: StoringPolicy): StoringVerdict {
  return [request, response, policy] as never
}
