import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

function compile(options: OneOrMore<string>): Match {
  const wanted = listed(options)
  return x => {
    const { notes } = x
    if (notes === null) return false
    for (const protocol of notes.alpn) if (wanted.includes(protocol)) return true
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "alpn",
  summary: "A protocol that the client offers in TLS inside a tunnel, where we have read it (`forward.inspect`): `h2`, or a list.",
  options: oneOrMore(
    checkedText(text => (text.length > 0 && text.length < 256 ? "" : "expected the name of a protocol, such as h2")),
    'protocol such as "h2"',
  ),
  compile,
  describe: (options, x) =>
    `the client offers ${x.notes?.alpn.length ? x.notes.alpn.join(", ") : "no protocol in TLS"}, not ${anyOf(listed(options))}`,
})
