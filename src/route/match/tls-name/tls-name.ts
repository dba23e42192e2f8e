import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { hostMatches, hostTrouble, parseHost } from "../host/host-pattern.ts"

function compile(options: OneOrMore<string>): Match {
  const patterns = listed(options).map(parseHost)
  return x => {
    const name = x.notes === null ? "" : x.notes.tlsName
    if (name === "") return false
    for (const pattern of patterns) if (hostMatches(pattern, name)) return true
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "tlsName",
  summary: "The name that the client asks for in TLS inside a tunnel (SNI), where we have read it (`forward.inspect`): as for host.",
  options: oneOrMore(checkedText(hostTrouble), 'name such as "a.test" or "*.a.test"'),
  compile,
  describe: (options, x) => `the TLS name is ${x.notes?.tlsName || "not known"}, not ${anyOf(listed(options))}`,
})
