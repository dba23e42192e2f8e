// HOT
import { BACKSLASH, COMMA, isSpace, isToken, QUOTE, SEMICOLON, skipSpace, trimEnd } from "../../http/index.ts"
import { normaliseCodings } from "./accept-encoding.ts"
import type { GetField } from "./facts.ts"

/** Names that a Vary may have. */
export const varyNamesMax = 16

const NO_NAMES: readonly string[] = Object.freeze([])

/** The field names of a joined Vary value: lower case, sorted, each once. null = never matches (`*`), not valid, or too many (RFC 9110 section 12.5.5). */
export function varyNames(value: string): readonly string[] | null {
  if (value === "") return NO_NAMES
  const names: string[] = []
  let at = 0
  while (at <= value.length) {
    const comma = value.indexOf(",", at)
    const end = comma < 0 ? value.length : comma
    const start = skipSpace(value, at, end)
    const stop = trimEnd(value, start, end)
    at = end + 1
    if (start === stop) continue
    if (!isToken(value, start, stop) || value.charCodeAt(start) === STAR) return null
    const name = value.slice(start, stop).toLowerCase()
    if (names.includes(name)) continue
    if (names.length === varyNamesMax) return null
    names.push(name)
  }
  return names.sort()
}

const STAR = 42

/**
 * What tells the variants of a URL apart: the normalised values of these fields of a request (RFC 9111 section 4.1). Every value stands behind its length, so that
 * none can look like the next name and value.
 */
export function variantKey(names: readonly string[], get: GetField): string {
  let key = ""
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    const value = normaliseValue(name, get(name))
    key += name + ":" + value.length + ":" + value + ";"
  }
  return key
}

/** Values longer than this are not kept ready. */
const keptValueLengthMax = 256
/** So many values of a field are kept ready; then it begins anew. */
const keptValuesMax = 256

const keptCodings = new Map<string, string>()
const keptLanguages = new Map<string, string>()

/** One of the forms that mean the same, as far as the field's definition allows (section 4.1). */
export function normaliseValue(name: string, value: string): string {
  if (value === "") return ""
  if (name === "accept-encoding") return kept(keptCodings, value) ?? keep(keptCodings, value, normaliseCodings(value))
  if (name === "accept-language") return kept(keptLanguages, value) ?? keep(keptLanguages, value, normaliseLanguages(value))
  if (name === "cookie" || name === "authorization" || name === "user-agent")
    return value.slice(skipSpace(value, 0, value.length), trimEnd(value, 0, value.length))
  return normaliseList(value)
}

function kept(values: Map<string, string>, value: string): string | undefined {
  return value.length <= keptValueLengthMax ? values.get(value) : undefined
}

function keep(values: Map<string, string>, value: string, normal: string): string {
  if (value.length > keptValueLengthMax) return normal
  if (values.size >= keptValuesMax) values.clear()
  values.set(value, normal)
  return normal
}

/** Lower case, no white space, sorted: the order says nothing, the weights do (RFC 9110 section 12.5.4). */
function normaliseLanguages(value: string): string {
  const parts: string[] = []
  let at = 0
  while (at <= value.length) {
    const comma = value.indexOf(",", at)
    const end = comma < 0 ? value.length : comma
    const part = withoutSpace(value, at, end).toLowerCase()
    if (part !== "") parts.push(plainWeight(part))
    at = end + 1
  }
  return parts.sort().join(",")
}

/** `en;q=1.0` = `en`, `en;q=0.50` = `en;q=0.5` (RFC 9110 section 12.4.2). */
function plainWeight(part: string): string {
  const weight = part.lastIndexOf(";q=")
  if (weight <= 0 || part.indexOf(";") !== weight) return part
  let end = part.length
  if (part.indexOf(".", weight) > 0) {
    while (part.charCodeAt(end - 1) === ZERO) end--
    if (part.charCodeAt(end - 1) === DOT) end--
  }
  const text = part.slice(weight + 3, end)
  return text === "1" ? part.slice(0, weight) : part.slice(0, end)
}

const ZERO = 48
const DOT = 46

function withoutSpace(text: string, start: number, end: number): string {
  let out = ""
  let from = start
  for (let at = start; at < end; at++) {
    if (!isSpace(text.charCodeAt(at))) continue
    out += text.slice(from, at)
    from = at + 1
  }
  return out + text.slice(from, end)
}

/** Without the white space that a list may have: at both ends and around commas and semicolons, outside quotes (RFC 9110 section 5.6.1). Case is kept. */
function normaliseList(value: string): string {
  const end = trimEnd(value, 0, value.length)
  let out = ""
  let from = skipSpace(value, 0, end)
  let quoted = false
  for (let at = from; at < end; at++) {
    const code = value.charCodeAt(at)
    if (code === QUOTE) quoted = !quoted
    else if (quoted && code === BACKSLASH) at++
    else if (!quoted && (code === COMMA || code === SEMICOLON)) {
      const next = skipSpace(value, at + 1, end)
      const stop = trimEnd(value, from, at)
      if (stop === at && next === at + 1) continue
      out += value.slice(from, stop) + (code === COMMA ? "," : ";")
      from = next
      at = next - 1
    }
  }
  return out === "" && from === 0 && end === value.length ? value : out + value.slice(from, end)
}
