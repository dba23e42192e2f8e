// HOT
import { SECONDS_MAX } from "../../http/index.ts"
import { directiveFields, parseResponseDirectives, type ResponseDirectives, ResponseDirectivesDraft } from "./cache-control.ts"
import { DictionaryCursor, SF_END, SF_FALSE, SF_INTEGER, SF_INVALID, SF_MEMBER, SF_STRING } from "./dictionary-cursor.ts"
import type { GetField } from "./facts.ts"

/** The fields that are for us (RFC 9213 section 2.2), lower case, the most specific first. */
export const TARGETED_NAMES: readonly string[] = Object.freeze(["bothways-cache-control", "cdn-cache-control"])

const cursor = new DictionaryCursor()

/**
 * The directives of the first targeted field that is there, valid and not empty (RFC 9213 section 2.2); then Cache-Control and Expires do not count.
 * null = there is none, so they do.
 */
export function targetedDirectives(get: GetField): ResponseDirectives | null {
  for (let i = 0; i < TARGETED_NAMES.length; i++) {
    const value = get(TARGETED_NAMES[i]!)
    const found = value === "" ? null : parseTargeted(value)
    if (found !== null) return found
  }
  return null
}

/** What holds for this cache: the targeted directives or else those of Cache-Control. */
export function directivesOf(get: GetField): ResponseDirectives {
  return targetedDirectives(get) ?? parseResponseDirectives(get("cache-control"))
}

/**
 * The directives of one targeted value, null = empty or not a dictionary (RFC 9213 section 2.1). Of what is said twice the last counts, as in all dictionaries.
 * A lifetime of another type than integer is 0; a switch of another type than boolean is on, the stricter reading.
 */
function parseTargeted(value: string): ResponseDirectives | null {
  const found = new ResponseDirectivesDraft()
  found.targeted = true
  cursor.start(value)
  let count = 0
  for (;;) {
    const step = cursor.next()
    if (step === SF_INVALID) return null
    if (step === SF_END) return count === 0 ? null : found
    count++
    if (step === SF_MEMBER && !readLifetime(found)) readSwitch(found)
  }
}

function readLifetime(found: ResponseDirectivesDraft): boolean {
  if (cursor.is("max-age")) found.maxAge = seconds()
  else if (cursor.is("s-maxage")) found.sMaxage = seconds()
  else if (cursor.is("stale-while-revalidate")) found.staleWhileRevalidate = seconds()
  else if (cursor.is("stale-if-error")) found.staleIfError = seconds()
  else return false
  return true
}

function seconds(): number {
  return cursor.kind === SF_INTEGER ? Math.max(0, Math.min(cursor.integer, SECONDS_MAX)) : 0
}

function readSwitch(found: ResponseDirectivesDraft): void {
  const on = cursor.kind !== SF_FALSE
  if (cursor.is("public")) found.isPublic = on
  else if (cursor.is("no-cache")) readNoCache(found, on)
  else if (cursor.is("private")) readPrivate(found, on)
  else if (cursor.is("no-store")) found.noStore = on
  else if (cursor.is("must-revalidate")) found.mustRevalidate = on
  else if (cursor.is("immutable")) found.immutable = on
  else if (cursor.is("proxy-revalidate")) found.proxyRevalidate = on
  else if (cursor.is("must-understand")) found.mustUnderstand = on
  else if (cursor.is("no-transform")) found.noTransform = on
}

function readNoCache(found: ResponseDirectivesDraft, on: boolean): void {
  const fields = listedFields()
  found.noCache = on && fields === null
  found.noCacheFields = fields ?? []
}

function readPrivate(found: ResponseDirectivesDraft, on: boolean): void {
  const fields = listedFields()
  found.isPrivate = on && fields === null
  found.privateFields = fields ?? []
}

function listedFields(): readonly string[] | null {
  return cursor.kind === SF_STRING ? directiveFields(cursor.text.slice(cursor.valueStart, cursor.valueEnd), []) : null
}
