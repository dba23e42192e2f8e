import { type Fields, NAME } from "../../../http/index.ts"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { sliceIs, valueEnd, valueStart } from "../../field-value.ts"
import { patternsMatch, type ValueOptions, type ValueRule, valueRules, valuesByName, wantedText } from "../../value-rule.ts"

function nameTrouble(name: string): string {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
    ? ""
    : `"${name}" is not a cookie name; expected a token such as "session" (RFC 6265 section 4.1.1)`
}

/** Where the scan of the Cookie lines stands; one object, good until the next call. */
const cursor = { seen: false }

/** One of the cookies of that name has a wanted value. Clients may send several lines (RFC 9113 section 8.2.3) and the same name for several paths. */
function holds(rule: ValueRule, fields: Fields): boolean {
  cursor.seen = false
  for (let index = fields.indexOf(NAME.cookie); index >= 0; index = fields.indexOf(NAME.cookie, index + 1)) {
    if (lineHolds(rule, fields.raw, valueStart(fields, index), valueEnd(fields, index))) return true
  }
  return !cursor.seen && rule.absent
}

/** raw[start, end) is `name=value; name=value` (RFC 6265 section 4.2.1). */
function lineHolds(rule: ValueRule, raw: string, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    const semicolon = raw.indexOf(";", at)
    const next = semicolon < 0 || semicolon > end ? end : semicolon
    while (at < next && isBlank(raw.charCodeAt(at))) at++
    let last = next
    while (last > at && isBlank(raw.charCodeAt(last - 1))) last--
    if (raw.charCodeAt(at + rule.name.length) === 0x3d && at + rule.name.length < last && raw.startsWith(rule.name, at)) {
      if (valueHolds(rule, raw, at + rule.name.length + 1, last)) return true
      cursor.seen = true
    }
    at = next + 1
  }
  return false
}

function valueHolds(rule: ValueRule, raw: string, start: number, end: number): boolean {
  if (rule.present) return true
  for (const wanted of rule.exact) if (sliceIs(raw, start, end, wanted)) return true
  return rule.patterns.length > 0 && patternsMatch(rule, raw.substring(start, end))
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function compile(options: ValueOptions): Match {
  const rules = valueRules(options)
  return x => {
    for (const rule of rules) if (!holds(rule, x.request)) return false
    return true
  }
}

/** Names the first condition that fails; what the client sent is a secret and stays one. */
function describe(options: ValueOptions, x: { request: Fields }): string {
  for (const rule of valueRules(options)) {
    if (!holds(rule, x.request))
      return `cookie ${wantedText(rule.name, options[rule.name]!)} wanted, ${cursor.seen ? "another value is there" : "it is absent"}`
  }
  return "every cookie is as wanted"
}

export default defineMatcher<ValueOptions>({
  name: "cookie",
  summary: "Cookies by name: a value, `~` and an RE2 pattern, true (present) or false (absent), or a list.",
  options: valuesByName("cookies", nameTrouble),
  compile,
  describe,
})
