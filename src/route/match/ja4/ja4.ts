import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

/** A whole fingerprint, or its first parts and `*`. */
const SHAPE = /^[tqd][0-9a-z]{2}[di][0-9]{2}[0-9]{2}[0-9A-Za-z]{2}(?:_[0-9a-f]{12}_[0-9a-f]{12}|_[0-9a-f]{12}_\*|_\*|\*)$/

function trouble(text: string): string {
  return SHAPE.test(text)
    ? ""
    : `"${text}" is no JA4 fingerprint; expected one such as t13d1516h2_8daaf6152771_e5627efa2ab1, or its first parts and *`
}

function compile(options: OneOrMore<string>): Match {
  const whole = listed(options).filter(text => !text.endsWith("*"))
  const starts = listed(options).flatMap(text => (text.endsWith("*") ? [text.slice(0, -1)] : []))
  return x => {
    const ja4 = x.notes === null ? "" : x.notes.ja4
    if (ja4 === "") return false
    if (whole.includes(ja4)) return true
    for (const start of starts) if (ja4.startsWith(start)) return true
    return false
  }
}

export default defineMatcher<OneOrMore<string>>({
  name: "ja4",
  summary: "The JA4 fingerprint of the client's TLS inside a tunnel, where we have read it (`forward.inspect`): whole, or its first parts and `*`.",
  options: oneOrMore(checkedText(trouble), 'fingerprint such as "t13d1516h2_8daaf6152771_*"'),
  compile,
  describe: (options, x) => `the fingerprint is ${x.notes?.ja4 || "not known"}, not ${anyOf(listed(options))}`,
})
