// HOT
/** Joined values of a request's fields; "" = absent. */
export interface ConditionalFields {
  readonly ifNoneMatch: string
  readonly ifModifiedSince: string
  readonly ifMatch: string
  readonly ifUnmodifiedSince: string
  readonly ifRange: string
  readonly range: string
}

/** A stored response, or one that just came; "" = absent. */
export interface Validators {
  readonly etag: string
  readonly lastModified: string
  readonly date: string
  readonly status: number
}

export type ConditionalVerdict = "ok" | "not-modified"

/** Whether a cache answers with what is stored or with 304 (RFC 9111 section 4.3.2, RFC 9110 section 13.2.2). */
export function evaluateConditions(request: ConditionalFields, stored: Validators, responseMs: number): ConditionalVerdict {
  return [request, stored, responseMs] as never
}

/** Whether a list of entity tags, or `*`, names this tag (RFC 9110 section 8.8.3.2). */
export function entityTagMatches(list: string, tag: string, strong: boolean): boolean {
  return [list, tag, strong] as never
}

/** Whether Range counts, as far as If-Range decides it (RFC 9110 section 13.1.5). */
export function rangeApplies(ifRange: string, stored: Validators): boolean {
  return [ifRange, stored] as never
}
