import { forwardPath, rulePath, rulePathResult } from "../../../http/index.ts"
import { patternTrouble, TextPattern } from "../../../base/index.ts"

export const PATH_EXACT = 0
/** The path itself and everything below it. */
export const PATH_PREFIX = 1
export const PATH_PATTERN = 2

export interface PathPattern {
  readonly kind: 0 | 1 | 2
  /** In the rule form; without the star and the slash before it for PATH_PREFIX; "" for PATH_PATTERN. */
  readonly path: string
  readonly pattern: TextPattern | null
}

/** Reads `/a`, `/a/*`, `~^/a`. Anything that `pathTrouble` finds nothing wrong with. */
export function parsePath(text: string): PathPattern {
  if (text.startsWith("~")) return { kind: PATH_PATTERN, path: "", pattern: new TextPattern(text.slice(1)) }
  if (text.endsWith("/*")) return { kind: PATH_PREFIX, path: text === "/*" ? "" : rulePath(octetsOf(text.slice(0, -2))), pattern: null }
  return { kind: PATH_EXACT, path: rulePath(octetsOf(text)), pattern: null }
}

/** The octets that a browser would send, one character each. */
function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1")
}

const expected = 'expected "/a" for that path alone, "/a/*" for /a and all below it, or "~" and an RE2 pattern'

/** What is wrong with a path in the config, "" when nothing is. A rule that could never match, because rules see another form, is wrong. */
export function pathTrouble(text: string): string {
  if (text.startsWith("~")) {
    if (/[^\0-\x7f]/.test(text)) return `"${text}" has characters that are no ASCII; rules see them as %XX in upper case`
    return patternTrouble(text.slice(1))
  }
  if (!text.startsWith("/")) return `"${text}" does not start with a slash; ${expected}`
  const plain = text.endsWith("/*") ? text.slice(0, -2) : text
  if (plain.includes("*")) return `"${text}" has a star that is not a whole last segment; ${expected} (%2A is a star that is meant)`
  if (plain.includes("?")) return `"${text}" has a query; ${expected}, and \`query\` for the query`
  if (plain === "") return ""
  const octets = octetsOf(plain)
  rulePath(octets)
  if (rulePathResult.refused) return `"${text}" is a path that is always refused: ${rulePathResult.reason}; ${expected}`
  if (forwardPath(octets) !== octets) return `"${text}" has dot segments, which rules never see; ${expected}`
  if (/;|%3b/i.test(plain)) return `"${text}" has parameters, which rules never see; ${expected}`
  if (plain.includes("//") || (plain.endsWith("/") && plain !== text)) return `"${text}" has an empty segment, which rules never see; ${expected}`
  return ""
}

export function pathMatches(pattern: PathPattern, path: string): boolean {
  if (pattern.kind === PATH_EXACT) return path === pattern.path
  if (pattern.kind === PATH_PATTERN) return pattern.pattern!.test(path)
  const { length } = pattern.path
  return path.startsWith(pattern.path) && (path.length === length ? length > 0 : path.charCodeAt(length) === 0x2f)
}
