/** Links that one 103 may carry; the first ones do. */
export const hintLinksMax = 16
/** A longer link is none that a browser needs early. */
export const hintLinkLengthMax = 1024

const LESS = 60
const GREATER = 62
const RELATIONS: ReadonlySet<string> = new Set(["preload", "preconnect", "modulepreload"])

/**
 * The links of a joined Link value that may go out early in a 103, before the response itself (RFC 8297, RFC 8288 section 3): those whose `rel` is preload, preconnect or
 * modulepreload, which change nothing but what is fetched when. As field lines; "" = none.
 */
export function earlyHintLines(link: string): string {
  let lines = ""
  let count = 0
  let at = 0
  while (at < link.length && count < hintLinksMax) {
    const end = endOfLink(link, at)
    const start = skipSpace(link, at, end)
    const stop = trimEnd(link, start, end)
    if (isHint(link, start, stop)) {
      lines += "Link: " + link.slice(start, stop) + "\r\n"
      count++
    }
    at = end + 1
  }
  return lines
}

/** Where the comma behind the link at `at` stands: outside of <> and of quotes. */
function endOfLink(link: string, at: number): number {
  let inTarget = false
  let quoted = false
  for (; at < link.length; at++) {
    const code = link.charCodeAt(at)
    if (quoted) {
      if (code === BACKSLASH) at++
      else if (code === QUOTE) quoted = false
    } else if (inTarget) inTarget = code !== GREATER
    else if (code === LESS) inTarget = true
    else if (code === QUOTE) quoted = true
    else if (code === COMMA) return at
  }
  return link.length
}

function isHint(link: string, start: number, end: number): boolean {
  if (end - start > hintLinkLengthMax || link.charCodeAt(start) !== LESS) return false
  const close = link.indexOf(">", start)
  if (close < 0 || close >= end) return false
  const relation = relationOf(link, close + 1, end)
  return relation.split(/[ \t]+/).some(word => RELATIONS.has(word.toLowerCase()))
}

/** The value of the first `rel`, which is the one that counts (RFC 8288 section 3.3); "" = none. */
function relationOf(link: string, at: number, end: number): string {
  while (at < end) {
    const next = endOfParameter(link, at, end)
    const start = skipSpace(link, at, next)
    const equals = equalsBefore(link, start, next)
    if (equals < next && link.slice(start, trimEnd(link, start, equals)).toLowerCase() === "rel") {
      return unquoted(link, skipSpace(link, equals + 1, next), trimEnd(link, equals + 1, next))
    }
    at = next + 1
  }
  return ""
}

/** Where the first "=" stands, `end` = nowhere before. */
function equalsBefore(link: string, at: number, end: number): number {
  while (at < end && link.charCodeAt(at) !== EQUALS) at++
  return at
}

function endOfParameter(link: string, at: number, end: number): number {
  let quoted = false
  for (; at < end; at++) {
    const code = link.charCodeAt(at)
    if (quoted && code === BACKSLASH) at++
    else if (code === QUOTE) quoted = !quoted
    else if (code === SEMICOLON && !quoted) return at
  }
  return end
}

function unquoted(link: string, start: number, end: number): string {
  const isQuoted = link.charCodeAt(start) === QUOTE && link.charCodeAt(end - 1) === QUOTE && end - start > 1
  return isQuoted ? link.slice(start + 1, end - 1) : link.slice(start, end)
}
import { BACKSLASH, COMMA, EQUALS, QUOTE, SEMICOLON, skipSpace, trimEnd } from "../../http/index.ts"
