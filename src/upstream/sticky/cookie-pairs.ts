// HOT
import { type Fields, NAME } from "../../http/index.ts"

const SPACE = 32
const SEMICOLON = 59
const EQUALS = 61
const LINE = 4

/**
 * Takes the pairs of one name out of Cookie (RFC 6265 section 4.2) and gives their values in order; null = there was none, and nothing has changed.
 * With `keep` they stay where they are. A field of nothing else goes as a whole. Cuts in `raw` itself, so that whoever looks for cookies later finds the rest as it came.
 */
export function takeCookie(fields: Fields, name: string, keep: boolean): string[] | null {
  if (!fields.has(NAME.cookie)) return null
  let found: string[] | null = null
  let left = 0
  for (let at = fields.indexOf(NAME.cookie); at >= 0; at = fields.indexOf(NAME.cookie, at + 1)) {
    const value = fields.valueAt(at)
    // Most requests have other cookies, or none: one search says so.
    if (!value.includes(name)) {
      left++
      continue
    }
    const rest = withoutPairs(value, name, (found ??= []))
    if (keep || rest === value) left++
    else if (rest === "") fields.removeAt(at)
    else {
      replaceValue(fields, at, rest)
      left++
    }
  }
  if (found === null || found.length === 0) return null
  // Its presence bit goes, too, so that a cache sees a request without cookies.
  if (left === 0) fields.remove(NAME.cookie)
  return found
}

function withoutPairs(value: string, name: string, found: string[]): string {
  const before = found.length
  let rest = ""
  for (let at = 0; at < value.length; ) {
    while (at < value.length && (value.charCodeAt(at) === SPACE || value.charCodeAt(at) === SEMICOLON)) at++
    let end = value.indexOf(";", at)
    if (end < 0) end = value.length
    if (value.startsWith(name, at) && value.charCodeAt(at + name.length) === EQUALS) found.push(value.substring(at + name.length + 1, end).trim())
    else if (end > at) rest = rest === "" ? value.substring(at, end) : `${rest}; ${value.substring(at, end)}`
    at = end + 1
  }
  return found.length === before ? value : rest
}

/** A shorter value in place of the one at `index`: everything behind it moves up. */
function replaceValue(fields: Fields, index: number, value: string): void {
  const { spans } = fields
  const start = fields.valueStart(index)
  const end = fields.valueEnd(index)
  const gone = end - start - value.length
  fields.raw = fields.raw.substring(0, start) + value + fields.raw.substring(end)
  spans[index * LINE + 3]! -= gone
  for (let i = (index + 1) * LINE; i < fields.count * LINE; i++) spans[i]! -= gone
  fields.end -= gone
}
