// HOT
import { isToken, skipSpace, trimEnd } from "../../http/index.ts"
import { DirectiveCursor } from "./directive-cursor.ts"

/** What a response says about its storing (RFC 9111 section 5.2.2, RFC 5861, RFC 8246). Times in seconds, -1 = absent. */
export interface ResponseDirectives {
  readonly noStore: boolean
  /** Without field names: the whole response needs validation. */
  readonly noCache: boolean
  /** `no-cache="a, b"`: lower case. */
  readonly noCacheFields: readonly string[]
  /** Without field names: the whole response is for one user. */
  readonly isPrivate: boolean
  readonly privateFields: readonly string[]
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly immutable: boolean
  readonly noTransform: boolean
  readonly maxAge: number
  readonly sMaxage: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** They come from a targeted field (RFC 9213): Cache-Control and Expires do not count. */
  readonly targeted: boolean
}

/** What a request asks of caches (RFC 9111 section 5.2.1, RFC 5861 section 4). Times in seconds, -1 = absent. */
export interface RequestDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly noTransform: boolean
  readonly maxAge: number
  readonly minFresh: number
  /** Infinity = any age will do. */
  readonly maxStale: number
  readonly staleIfError: number
}

/** Field names that one qualified directive may have; with more it counts as without (the stricter reading). */
export const directiveFieldsMax = 32

const NO_FIELDS: readonly string[] = Object.freeze([])

/** Directives while they are read. */
export class ResponseDirectivesDraft implements ResponseDirectives {
  noStore = false
  noCache = false
  noCacheFields: readonly string[] = NO_FIELDS
  isPrivate = false
  privateFields: readonly string[] = NO_FIELDS
  isPublic = false
  mustRevalidate = false
  proxyRevalidate = false
  mustUnderstand = false
  immutable = false
  noTransform = false
  maxAge = -1
  sMaxage = -1
  staleWhileRevalidate = -1
  staleIfError = -1
  targeted = false
}

class RequestDirectivesDraft implements RequestDirectives {
  noStore = false
  noCache = false
  onlyIfCached = false
  noTransform = false
  maxAge = -1
  minFresh = -1
  maxStale = -1
  staleIfError = -1
}

/** Of a response that says nothing. */
export const NO_RESPONSE_DIRECTIVES: ResponseDirectives = Object.freeze(new ResponseDirectivesDraft())
/** Of a request that asks for nothing; also what counts where an operator does not let clients decide. */
export const NO_REQUEST_DIRECTIVES: RequestDirectives = Object.freeze(new RequestDirectivesDraft())

const cursor = new DirectiveCursor()

/**
 * The directives of a joined Cache-Control value of a response. Of what is said twice the stricter counts, and a lifetime that is no number is 0
 * (RFC 9111 section 4.2.1); directives it does not know are none (section 5.2.3).
 */
export function parseResponseDirectives(value: string): ResponseDirectives {
  if (value === "") return NO_RESPONSE_DIRECTIVES
  const found = new ResponseDirectivesDraft()
  cursor.start(value)
  while (cursor.next()) {
    if (!readLifetime(found)) readSwitch(found)
  }
  return found
}

function readLifetime(found: ResponseDirectivesDraft): boolean {
  if (cursor.is("max-age")) found.maxAge = stricter(found.maxAge)
  else if (cursor.is("s-maxage")) found.sMaxage = stricter(found.sMaxage)
  else if (cursor.is("stale-while-revalidate")) found.staleWhileRevalidate = stricter(found.staleWhileRevalidate)
  else if (cursor.is("stale-if-error")) found.staleIfError = stricter(found.staleIfError)
  else return false
  return true
}

/** The shorter of what was found before (-1 = nothing) and the current argument, which is 0 when it is no number. */
function stricter(before: number): number {
  const seconds = Math.max(0, cursor.seconds())
  return before < 0 || seconds < before ? seconds : before
}

function readSwitch(found: ResponseDirectivesDraft): void {
  if (cursor.is("public")) found.isPublic = true
  else if (cursor.is("no-cache")) readNoCache(found)
  else if (cursor.is("private")) readPrivate(found)
  else if (cursor.is("no-store")) found.noStore = true
  else if (cursor.is("must-revalidate")) found.mustRevalidate = true
  else if (cursor.is("immutable")) found.immutable = true
  else if (cursor.is("proxy-revalidate")) found.proxyRevalidate = true
  else if (cursor.is("must-understand")) found.mustUnderstand = true
  else if (cursor.is("no-transform")) found.noTransform = true
}

function readNoCache(found: ResponseDirectivesDraft): void {
  const fields = cursorFields(found.noCacheFields)
  if (fields === null) found.noCache = true
  else found.noCacheFields = fields
}

function readPrivate(found: ResponseDirectivesDraft): void {
  const fields = cursorFields(found.privateFields)
  if (fields === null) found.isPrivate = true
  else found.privateFields = fields
}

function cursorFields(before: readonly string[]): readonly string[] | null {
  if (cursor.valueStart < 0 || cursor.malformed) return null
  return directiveFields(cursor.text.slice(cursor.valueStart, cursor.valueEnd), before)
}

/**
 * The field names of a qualified no-cache or private, behind those found before (RFC 9111 sections 5.2.2.4, 5.2.2.7). null = it names none, too many, or ones
 * without which the rest would mean something else: then it counts as without names.
 */
export function directiveFields(list: string, before: readonly string[]): readonly string[] | null {
  const names = before.slice()
  let at = 0
  while (at <= list.length) {
    const comma = list.indexOf(",", at)
    const end = comma < 0 ? list.length : comma
    const start = skipSpace(list, at, end)
    const stop = trimEnd(list, start, end)
    at = end + 1
    if (stop === start) continue
    const name = list.slice(start, stop).toLowerCase()
    if (!isToken(list, start, stop) || isVital(name) || names.length >= directiveFieldsMax) return null
    if (!names.includes(name)) names.push(name)
  }
  return names.length === 0 ? null : names
}

/** Whether a stored response without this field would be another one. */
function isVital(name: string): boolean {
  return name === "content-encoding" || name === "content-type" || name === "content-range" || name === "vary"
}

/**
 * The directives of a request: joined values of Cache-Control and Pragma, which counts only where the first is absent (RFC 9111 section 5.4).
 * A max-age that is no number is 0; other arguments that are none do not count.
 */
export function parseRequestDirectives(cacheControl: string, pragma: string): RequestDirectives {
  if (cacheControl === "") return pragma !== "" && saysNoCache(pragma) ? PRAGMA_NO_CACHE : NO_REQUEST_DIRECTIVES
  const found = new RequestDirectivesDraft()
  cursor.start(cacheControl)
  while (cursor.next()) readRequestDirective(found)
  return found
}

const PRAGMA_NO_CACHE: RequestDirectives = Object.freeze(Object.assign(new RequestDirectivesDraft(), { noCache: true }))

function readRequestDirective(found: RequestDirectivesDraft): void {
  if (cursor.is("max-age")) found.maxAge = stricter(found.maxAge)
  else if (cursor.is("no-cache")) found.noCache = true
  else if (cursor.is("no-store")) found.noStore = true
  else if (cursor.is("only-if-cached")) found.onlyIfCached = true
  else if (cursor.is("no-transform")) found.noTransform = true
  else if (cursor.is("min-fresh")) found.minFresh = Math.max(found.minFresh, cursor.seconds())
  else if (cursor.is("max-stale")) found.maxStale = shorterOf(found.maxStale, cursor.valueStart < 0 ? Number.POSITIVE_INFINITY : cursor.seconds())
  else if (cursor.is("stale-if-error")) found.staleIfError = shorterOf(found.staleIfError, cursor.seconds())
}

function shorterOf(before: number, seconds: number): number {
  if (seconds < 0) return before
  return before < 0 ? seconds : Math.min(before, seconds)
}

/** Whether a joined Pragma value holds no-cache (RFC 9111 section 5.4). */
export function saysNoCache(pragma: string): boolean {
  cursor.start(pragma)
  while (cursor.next()) if (cursor.is("no-cache")) return true
  return false
}
