import { z } from "zod"
import type { Exchange } from "../../../flow/index.ts"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { anyOf, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

const words = ["http", "https", "connect"] as const

type Word = (typeof words)[number]

function schemeOf(x: Exchange): string {
  return x.method === "CONNECT" ? "connect" : x.scheme
}

function compile(options: OneOrMore<Word>): Match {
  const wanted = listed(options)
  const only = wanted.length === 1 ? wanted[0]! : ""
  return only === "" ? x => wanted.includes(schemeOf(x) as Word) : x => schemeOf(x) === only
}

export default defineMatcher<OneOrMore<Word>>({
  name: "scheme",
  summary: "How the request asks: http, https, connect (a tunnel to a host and port, by whatever protocol the client asks for one), or a list.",
  options: oneOrMore(z.enum(words), "http, https or connect"),
  compile,
  describe: (options, x) => `scheme is ${schemeOf(x)}, not ${anyOf(listed(options))}`,
})
