import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { hostMatches, hostTrouble, parseHost } from "./host-pattern.ts"

function compile(options: OneOrMore<string>): Match {
  const patterns = listed(options).map(parseHost)
  const only = patterns[0]!
  if (patterns.length === 1) return x => hostMatches(only, x.host)
  return x => {
    for (const pattern of patterns) if (hostMatches(pattern, x.host)) return true
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "host",
  summary: "The host that the request names: `a.test`, `*.a.test` for every name below it, `*`, or a list.",
  options: oneOrMore(checkedText(hostTrouble), 'host such as "a.test" or "*.a.test"'),
  compile,
  describe: (options, x) => `host is ${x.host === "" ? "missing" : x.host}, not ${anyOf(listed(options))}`,
})
