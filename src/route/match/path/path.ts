import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { parsePath, pathMatches, pathTrouble } from "./path-pattern.ts"

function compile(options: OneOrMore<string>): Match {
  const patterns = listed(options).map(parsePath)
  const only = patterns[0]!
  if (patterns.length === 1) return x => pathMatches(only, x.rulePath)
  return x => {
    for (const pattern of patterns) if (pathMatches(pattern, x.rulePath)) return true
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "path",
  summary: "The path: `/a` alone, `/a/*` with all below it, `~` and an RE2 pattern, or a list.",
  options: oneOrMore(checkedText(pathTrouble), 'path such as "/a", "/a/*" or "~^/a"'),
  compile,
  describe: (options, x) => `path is ${x.rulePath === "" ? "missing" : x.rulePath}, not ${anyOf(listed(options))}`,
})
