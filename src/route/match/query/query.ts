import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { octetsOf, patternsMatch, type ValueOptions, type ValueRule, valueRules, valuesByName, wantedText } from "../../value-rule.ts"
import { decoded, isDecoded, nextPair, pair } from "./query-scan.ts"

function nameTrouble(name: string): string {
  return name === "" ? 'the name is empty; expected the name of a parameter, such as { debug: "1" }' : ""
}

/** One of the parameters of that name has a wanted value; without "=" the value is empty. */
function holds(rule: ValueRule, name: string, query: string): boolean {
  let seen = false
  for (let at = 1; nextPair(query, at); at = pair.end + 1) {
    const { start, nameEnd, end } = pair
    if (!isDecoded(query, start, nameEnd, name)) continue
    if (rule.present) return true
    seen = true
    const valueStart = nameEnd < end ? nameEnd + 1 : end
    for (const wanted of rule.exact) if (isDecoded(query, valueStart, end, wanted)) return true
    if (rule.patterns.length > 0 && patternsMatch(rule, decoded(query, valueStart, end))) return true
  }
  return !seen && rule.absent
}

function compile(options: ValueOptions): Match {
  const rules = valueRules(options).map(rule => ({ rule, name: octetsOf(rule.name) }))
  return x => {
    for (const { rule, name } of rules) if (!holds(rule, name, x.query)) return false
    return true
  }
}

function describe(options: ValueOptions, x: { query: string }): string {
  for (const rule of valueRules(options)) {
    if (!holds(rule, octetsOf(rule.name), x.query))
      return `query ${wantedText(rule.name, options[rule.name]!)} wanted, query is ${x.query === "" ? "missing" : x.query}`
  }
  return "every parameter is as wanted"
}

export default defineMatcher<ValueOptions>({
  name: "query",
  summary: "Query parameters by name: a value, `~` and an RE2 pattern, true (present) or false (absent), or a list.",
  options: valuesByName("query parameters", nameTrouble),
  compile,
  describe,
})
