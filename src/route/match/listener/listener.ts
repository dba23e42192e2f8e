import { type Match, defineMatcher } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

const options = oneOrMore(
  checkedText(text => (text === "" ? 'the name is empty; expected the name of a listener, such as "web"' : "")),
  "name of a listener",
)

function compile(options: OneOrMore<string>): Match {
  const names = listed(options)
  const only = names[0]
  if (names.length === 1) return x => x.listener !== null && x.listener.name === only
  return x => x.listener !== null && names.includes(x.listener.name)
}

export default defineMatcher<OneOrMore<string>>({
  name: "listener",
  summary: "The listener that the request came in by: its name, or a list of names.",
  options,
  compile,
  describe: (options, x) => `listener is ${x.listener?.name ?? "unknown"}, not ${anyOf(listed(options))}`,
})
