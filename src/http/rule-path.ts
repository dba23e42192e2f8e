// HOT
import { assert } from "../base/index.ts"
import {
  BACKSLASH,
  BOUNDARY,
  bare,
  DOT,
  ENCODED,
  ESCAPE,
  escapes,
  isOverlong,
  isOverlongLead,
  isUpper,
  kinds,
  MALFORMED,
  octetAt,
  PERCENT,
  PLAIN,
  SEMICOLON,
  SLASH,
  SPECIAL,
  WIDE,
} from "./path-octets.ts"

/** What the last `rulePath` found besides the rule form. There is one object of this kind: read it before the next call. */
export interface RulePathResult {
  /** An encoded slash or backslash is left, which some servers decode before they split the path and some after. */
  encodedSlash: boolean
  /** There were dot segments: `forwardPath` differs from what came and must be sent, so that decision and request stay the same path. */
  dotSegments: boolean
  /** What is sent upstream: see the function of that name. */
  forwardPath: string
  /** Servers read this path in different ways and no rule could be trusted with it: FAULT.ambiguousPath. */
  refused: boolean
  /** Why it is refused, for explain and tests; "" otherwise. */
  reason: string
}

export const rulePathResult: RulePathResult = { encodedSlash: false, dotSegments: false, forwardPath: "", refused: false, reason: "" }

/**
 * Returns the path of a request (no query) in the form that rules see (RFC 3986 section 6.2.2) and fills `rulePathResult`.
 * Costs one scan and no allocation for a path that is in that form already. "" and "*" are left alone.
 *
 *   as it came      /pub/%2E./%61dmin;v=1//x%2fy
 *   forwarded       /%61dmin;v=1//x%2fy            dot segments removed, nothing else
 *   seen by rules   /admin/x%2Fy                   one spelling for all that servers read alike
 *
 * In this order: dot segments are resolved over the segments as they came, also when written %2e; `;parameters` of each segment are cut;
 * each escape is decoded once when it is printable and no delimiter, else written %XX in upper case; repeated slashes are merged.
 * The result has no meaning when `rulePathResult.refused`.
 */
export function rulePath(path: string): string {
  const found = rulePathResult
  found.encodedSlash = false
  found.dotSegments = false
  found.forwardPath = path
  found.refused = false
  found.reason = ""
  if (path.charCodeAt(0) !== SLASH) {
    if (path !== "" && path !== "*") refuse("it does not start with a slash")
    return path
  }
  if (isCanonical(path)) return path
  inspect(path)
  if (found.refused) return path
  if (found.dotSegments) found.forwardPath = removeDotSegments(path)
  return canonical(found.forwardPath)
}

/**
 * What is sent upstream for a path that was not refused: octet for octet what came, unless it has dot segments; then they alone are
 * removed (RFC 3986 section 5.2.4), so that no server behind resolves them in its own way.
 */
export function forwardPath(path: string): string {
  if (path.indexOf("/.") < 0 && path.indexOf("/%2") < 0) return path
  for (let start = 0; start >= 0; start = path.indexOf("/", start + 1)) {
    const next = path.indexOf("/", start + 1)
    if (dotsOf(path, start + 1, next < 0 ? path.length : next) > 0) return removeDotSegments(path)
  }
  return path
}

function refuse(reason: string): void {
  rulePathResult.refused = true
  rulePathResult.reason = reason
}

function isCanonical(path: string): boolean {
  const length = path.length
  for (let i = 0; i < length; i++) {
    const code = path.charCodeAt(i)
    const kind = code < 256 ? kinds[code]! : SPECIAL
    if (kind === PLAIN) continue
    if (kind === BOUNDARY && isPlainSegmentStart(path, i + 1)) continue
    if (kind !== ESCAPE || !isCanonicalEscape(path, i)) return false
    i += 2
  }
  return true
}

/** False when the segment at `at` is empty and another follows, or may be a dot segment. */
function isPlainSegmentStart(path: string, at: number): boolean {
  if (at >= path.length) return true
  const code = path.charCodeAt(at)
  if (code === SLASH) return false
  if (code !== DOT) return true
  let end = at + 1
  if (end < path.length && path.charCodeAt(end) === DOT) end++
  if (end >= path.length) return false
  const after = path.charCodeAt(end)
  return after !== SLASH && after !== SEMICOLON && after !== PERCENT
}

/** True for an escape that the rule form keeps as it is: upper case, and neither printable nor a delimiter nor a control octet. */
function isCanonicalEscape(path: string, at: number): boolean {
  const token = octetAt(path, at)
  if (token < ENCODED || token >= MALFORMED) return false
  const octet = token - ENCODED
  if (octet < 0x20 || octet === 0x7f || bare[octet] === 1) return false
  if (octet === SLASH || octet === BACKSLASH || octet === SEMICOLON) return false
  return !isOverlongLead(octet) && isUpper(path, at)
}

/**
 * Fills the flags. Segments end at slashes and, for this pass, at encoded slashes too: a dot segment that only a decoding server
 * would see, or that only one with path parameters would see (`..;`), cannot be resolved for all of them, so it is refused.
 */
function inspect(path: string): void {
  const length = path.length
  let dots = 0 // octets of a segment that is dots so far, -1 = it is more than that
  let afterEncoded = false
  let i = 1
  while (i <= length && !rulePathResult.refused) {
    const token = i === length ? SLASH : octetAt(path, i)
    const octet = token & 0xff
    const isDots = dots === 1 || dots === 2
    if (token === SLASH) {
      if (isDots && afterEncoded) refuse("a dot segment stands beside an encoded slash")
      if (isDots) rulePathResult.dotSegments = true
      dots = 0
      afterEncoded = false
    } else if (token >= ENCODED && token < MALFORMED && (octet === SLASH || octet === BACKSLASH)) {
      if (isDots) refuse("a dot segment stands beside an encoded slash")
      rulePathResult.encodedSlash = true
      dots = 0
      afterEncoded = true
    } else if (token < MALFORMED && octet === DOT) dots = dots >= 0 && dots < 2 ? dots + 1 : -1
    else {
      inspectOctet(path, i, token, isDots)
      dots = -1
    }
    i += token >= ENCODED && token < MALFORMED ? 3 : 1
  }
}

function inspectOctet(path: string, at: number, token: number, afterDots: boolean): void {
  const octet = token & 0xff
  if (token === WIDE) refuse("it holds a %u escape, which some servers read as a character, or a character that is no octet")
  else if (token === MALFORMED) return
  else if (octet < 0x20 || octet === 0x7f) refuse("it holds a control octet")
  else if (token === BACKSLASH) refuse("a backslash is a slash for some servers")
  else if (token === 0x23) refuse("a fragment has no place in a request target")
  else if (octet === SEMICOLON && afterDots) refuse("a dot segment has parameters")
  else if (isOverlongLead(octet) && isOverlong(path, at, token)) refuse("it holds an overlong form of UTF-8")
}

/** 1 for `.`, 2 for `..` (each dot bare or %2e), 0 for any other segment. */
function dotsOf(path: string, start: number, end: number): number {
  if (end - start > 6) return 0
  let dots = 0
  let i = start
  while (i < end) {
    const token = octetAt(path, i)
    if (token !== DOT && token !== ENCODED + DOT) return 0
    dots++
    i += token === DOT ? 1 : 3
  }
  return dots > 2 ? 0 : dots
}

/**
 * RFC 3986 section 5.2.4, from the right: each `..` takes away the next segment to its left that is not taken away already.
 * So nothing is built that is cut again, and a long path costs its length once.
 */
function removeDotSegments(path: string): string {
  assert(path.charCodeAt(0) === SLASH, "a path with dot segments starts with a slash")
  let out = ""
  let toSkip = 0
  let end = path.length
  while (end > 0) {
    const slash = path.lastIndexOf("/", end - 1)
    const dots = dotsOf(path, slash + 1, end)
    if (dots > 0 && end === path.length) out = "/"
    if (dots === 2) toSkip++
    else if (dots === 0 && toSkip > 0) toSkip--
    else if (dots === 0) out = path.substring(slash, end) + out
    end = slash
  }
  return out
}

/** The rule form of a path without dot segments that `inspect` let through. */
function canonical(path: string): string {
  const length = path.length
  let out = ""
  let from = 0 // what lies in [from, i) is copied as it is
  let endsWithSlash = false
  let i = 0
  while (i < length) {
    const token = octetAt(path, i)
    const size = token >= ENCODED && token < MALFORMED ? 3 : 1
    const isParameters = (token & ~ENCODED) === SEMICOLON
    const isRepeated = token === SLASH && endsWithSlash
    const replaced = isParameters || isRepeated || !isKept(path, i, token)
    if (!isParameters) endsWithSlash = token === SLASH
    if (replaced) {
      out += path.substring(from, i)
      if (!isParameters && !isRepeated) out += spelling(token)
      from = isParameters ? segmentEnd(path, i) : i + size
      i = from
    } else i += size
  }
  return from === 0 ? path : out + path.substring(from)
}

function segmentEnd(path: string, at: number): number {
  const slash = path.indexOf("/", at)
  return slash < 0 ? path.length : slash
}

function isKept(path: string, at: number, token: number): boolean {
  if (token >= MALFORMED) return false
  if (token < ENCODED) return bare[token] === 1 || token === SLASH
  return bare[token - ENCODED] === 0 && isUpper(path, at)
}

/** How the rule form writes an octet that came in another spelling. A stray percent sign becomes %25: the form is then free of malformed escapes. */
function spelling(token: number): string {
  if (token === MALFORMED) return "%25"
  const octet = token & 0xff
  return bare[octet] === 1 ? String.fromCharCode(octet) : escapes[octet]!
}
