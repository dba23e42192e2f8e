// HOT
import { parseHttpDate } from "./http-date.ts"
import { COMMA, isSame, QUOTE, skipSpace, trimEnd } from "./scan.ts"

/** Joined values of a request's fields; "" = absent. */
export interface ConditionalFields {
  readonly ifNoneMatch: string
  readonly ifModifiedSince: string
  readonly ifMatch: string
  readonly ifUnmodifiedSince: string
  readonly ifRange: string
  readonly range: string
}

/** Of a stored response, or of one that just came; "" = absent. */
export interface Validators {
  readonly etag: string
  readonly lastModified: string
  readonly date: string
  readonly status: number
}

export type ConditionalVerdict = "ok" | "not-modified"

/**
 * Whether a cache answers with what is stored or with 304, for GET and HEAD (RFC 9111 section 4.3.2, RFC 9110 section 13.2.2). If-None-Match goes before
 * If-Modified-Since; If-Match and If-Unmodified-Since are the origin's.
 */
export function evaluateConditions(request: ConditionalFields, stored: Validators, responseMs: number): ConditionalVerdict {
  if (stored.status !== 200 && stored.status !== 206) return "ok"
  if (request.ifNoneMatch !== "") return entityTagMatches(request.ifNoneMatch, stored.etag, false) ? "not-modified" : "ok"
  if (request.ifModifiedSince === "") return "ok"
  return isUnmodifiedSince(request.ifModifiedSince, stored, responseMs) ? "not-modified" : "ok"
}

/** Without Last-Modified the Date counts, and without that the time it came (section 4.3.2). A date that is none makes the condition none. */
function isUnmodifiedSince(since: string, stored: Validators, responseMs: number): boolean {
  const sinceMs = parseHttpDate(since, responseMs)
  if (since === stored.lastModified) return !Number.isNaN(sinceMs)
  if (stored.lastModified !== "") return parseHttpDate(stored.lastModified, responseMs) <= sinceMs
  const dateMs = parseHttpDate(stored.date, responseMs)
  return (Number.isNaN(dateMs) ? responseMs : dateMs) <= sinceMs
}

/**
 * Whether a list of entity tags, or `*`, names this tag (RFC 9110 sections 8.8.3.2, 13.1.1, 13.1.2). `strong`: neither of them weak. Something that is no entity tag
 * matches what is the same, weakly. `*` matches a response without a tag, too.
 */
export function entityTagMatches(list: string, tag: string, strong: boolean): boolean {
  const { length } = list
  let at = skipSpace(list, 0, length)
  if (list.charCodeAt(at) === STAR && trimEnd(list, at, length) === at + 1) return true
  if (tag === "" || (strong && !isStrongTag(tag))) return false
  while (at < length) {
    const end = endOfMember(list, at)
    const stop = trimEnd(list, at, end)
    if (stop > at && (strong ? isSame(list, at, stop, tag) : isSameTag(list, at, stop, tag))) return true
    at = skipSpace(list, end + 1, length)
  }
  return false
}

const STAR = 42

/** Where the comma behind the member at `at` stands; an entity tag may have commas inside its quotes. */
function endOfMember(list: string, at: number): number {
  const { length } = list
  const quote = isWeak(list, at) ? at + 2 : at
  let from = at
  if (list.charCodeAt(quote) === QUOTE) {
    const closing = list.indexOf('"', quote + 1)
    if (closing < 0) return length
    from = closing
  }
  while (from < length && list.charCodeAt(from) !== COMMA) from++
  return from
}

/** Weakly: without regard to `W/`. */
function isSameTag(list: string, start: number, end: number, tag: string): boolean {
  const opaque = isWeak(list, start) ? start + 2 : start
  if (!isWeak(tag, 0)) return isSame(list, opaque, end, tag)
  if (end - opaque !== tag.length - 2) return false
  for (let i = opaque; i < end; i++) if (list.charCodeAt(i) !== tag.charCodeAt(i - opaque + 2)) return false
  return true
}

/** `W/"`, in upper case only (RFC 9110 section 8.8.3). */
function isWeak(text: string, at: number): boolean {
  return text.charCodeAt(at) === 87 && text.charCodeAt(at + 1) === 47 && text.charCodeAt(at + 2) === QUOTE
}

/** Whether it is one entity tag that is not weak. */
export function isStrongTag(tag: string): boolean {
  const last = tag.length - 1
  return last > 0 && tag.charCodeAt(0) === QUOTE && tag.indexOf('"', 1) === last
}

/** A Last-Modified is a strong validator when its response was made this much later, at least: by then another change would have shown (RFC 9110 section 8.8.2.2). */
const strongDateMs = 1000

export function hasStrongDate(stored: Validators, nowMs: number): boolean {
  return parseHttpDate(stored.date, nowMs) - parseHttpDate(stored.lastModified, nowMs) >= strongDateMs
}

/** Whether Range counts, as far as If-Range decides it (RFC 9110 section 13.1.5): exactly this representation, by a strong validator. */
export function rangeApplies(ifRange: string, stored: Validators, nowMs: number): boolean {
  if (ifRange === "") return true
  if (isStrongTag(ifRange)) return ifRange === stored.etag
  if (stored.lastModified === "" || !hasStrongDate(stored, nowMs)) return false
  return ifRange === stored.lastModified || parseHttpDate(ifRange, nowMs) === parseHttpDate(stored.lastModified, nowMs)
}
