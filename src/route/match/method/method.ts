import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

const usual = /^(?:get|head|post|put|delete|connect|options|trace|patch)$/

/** Methods are tokens and compared with case (RFC 9110 section 9.1). */
function methodTrouble(text: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)) return `"${text}" is not a method; expected a token such as "GET"`
  return usual.test(text) ? `"${text}" never matches, methods are compared with case; expected "${text.toUpperCase()}"` : ""
}

function compile(options: OneOrMore<string>): Match {
  const methods = listed(options)
  const only = methods[0]
  if (methods.length === 1) return x => x.method === only
  return x => methods.includes(x.method)
}

export default defineMatcher<OneOrMore<string>>({
  name: "method",
  summary: "The method: `GET`, or a list.",
  options: oneOrMore(checkedText(methodTrouble), 'method such as "GET"'),
  compile,
  describe: (options, x) => `method is ${x.method}, not ${anyOf(listed(options))}`,
})
