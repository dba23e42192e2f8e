import { CidrSet } from "../../../base/index.ts"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

function rangeTrouble(text: string): string {
  try {
    CidrSet.parse([text])
    return ""
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The set never allocates in `has`. A client of a Unix socket is in no range. */
function compile(options: OneOrMore<string>): Match {
  const ranges = CidrSet.parse(listed(options))
  return x => ranges.has(x.clientAddress)
}

export default defineMatcher<OneOrMore<string>>({
  name: "client",
  summary: "The client's address: a range such as `10.0.0.0/8`, one address, or a list. Behind trusted hops it is the address that they tell.",
  options: oneOrMore(checkedText(rangeTrouble), 'address or range such as "10.0.0.0/8"'),
  compile,
  describe: (options, x) => `client is ${x.clientAddress === "" ? "unknown" : x.clientAddress}, not in ${anyOf(listed(options))}`,
})
