import type { Fields } from "../../../http/index.ts"
import { nameId } from "../../../http/index.ts"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { sliceIs, valueEnd, valueStart } from "../../field-value.ts"
import { patternsMatch, type ValueOptions, type ValueRule, valueRules, valuesByName, wantedText } from "../../value-rule.ts"

function nameTrouble(name: string): string {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? "" : `"${name}" is not a header name; expected a token such as "x-tenant"`
}

class FieldRule {
  private readonly rule: ValueRule
  private readonly lower: string
  private readonly id: number

  constructor(rule: ValueRule) {
    this.rule = rule
    this.lower = rule.name.toLowerCase()
    this.id = nameId(this.lower, 0, this.lower.length)
  }

  holds(fields: Fields): boolean {
    let index = this.next(fields, 0)
    if (index < 0) return this.rule.absent
    if (this.rule.present) return true
    for (; index >= 0; index = this.next(fields, index + 1)) if (this.lineHolds(fields, index)) return true
    return false
  }

  private next(fields: Fields, from: number): number {
    return this.id === 0 ? fields.indexOfName(this.lower, from) : fields.indexOf(this.id, from)
  }

  /** Each line is a value of its own: joining them (RFC 9110 section 5.3) would let a second line spoil an exact match of the first. */
  private lineHolds(fields: Fields, index: number): boolean {
    for (const wanted of this.rule.exact) if (sliceIs(fields.raw, valueStart(fields, index), valueEnd(fields, index), wanted)) return true
    return this.rule.patterns.length > 0 && patternsMatch(this.rule, fields.valueAt(index))
  }
}

function compile(options: ValueOptions): Match {
  const rules = valueRules(options).map(rule => new FieldRule(rule))
  return x => {
    for (const rule of rules) if (!rule.holds(x.request)) return false
    return true
  }
}

/** Names the first condition that fails. Values may be secrets, so only the wanted ones are shown. */
function describe(options: ValueOptions, x: { request: Fields }): string {
  for (const rule of valueRules(options)) {
    if (new FieldRule(rule).holds(x.request)) continue
    const there = x.request.find(rule.name.toLowerCase()) !== undefined
    return `header ${wantedText(rule.name, options[rule.name]!)} wanted, ${there ? "another value is there" : "it is absent"}`
  }
  return "every header is as wanted"
}

export default defineMatcher<ValueOptions>({
  name: "header",
  summary: "Header fields by name: a value, `~` and an RE2 pattern, true (present) or false (absent), or a list.",
  options: valuesByName("header fields", nameTrouble),
  compile,
  describe,
})
