import { expect, test } from "bun:test"
import fc from "fast-check"
import { Exchange } from "../flow/index.ts"
import { Fields } from "../http/index.ts"
import { cookiesOf, dropCookies, dropParameter, parameterCount } from "./request-edit.ts"
import { DOUBLED, tokenSource } from "./token-source.ts"

const name = fc.constantFrom("t", "tt", "x", "t.1", "T", "")
const value = fc.constantFrom("", "1", "t", "t=2", "a b")

test("parameters: what is left is the others, in order, and what is counted is what goes", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.option(fc.constantFrom("", "1", "t", "t=2")))), pairs => {
      const parts = pairs.map(([key, text]) => (text === null ? key : `${key}=${text}`))
      const x = Object.assign(new Exchange(), { query: parts.length === 0 ? "" : `?${parts.join("&")}` })
      const wanted = parts.filter(part => part.split("=", 1)[0] === "t")
      expect(parameterCount(x.query, "t")).toBe(wanted.length)
      const read = tokenSource("parameter:t", "").read(x)
      if (wanted.length > 1) expect(read).toBe(DOUBLED)
      else expect(read).toBe(wanted[0]?.includes("=") ? wanted[0].slice(2) : "")
      dropParameter(x, "t")
      const left = parts.filter(part => part.split("=", 1)[0] !== "t")
      const said = x.query.slice(1).split("&")
      expect(said.filter(part => part !== "")).toEqual(left.filter(part => part !== ""))
    }),
  )
})

test("cookies: in one field or in several, what is left is the others", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 4 }), { maxLength: 3 }), fc.boolean(), (lines, parts) => {
      const x = new Exchange()
      x.request = Fields.of(lines.map(pairs => ["Cookie", pairs.map(([key, text]) => `${key}=${text}`).join("; ")] as const))
      const all = lines.flat()
      const isOurs = (key: string) => key === "t" || (parts && key.startsWith("t."))
      const read = tokenSource("cookie:t", "").read(x)
      const own = all.filter(([key]) => key === "t").map(([, text]) => text)
      if (own.filter(text => text !== "").length > 1) expect(read).toBe(DOUBLED)
      dropCookies(x, "t", parts)
      const after = new Exchange()
      after.request = Fields.of([...x.request.render().matchAll(/^([^:]+): (.*)\r\n/gm)].map(match => [match[1]!, match[2]!] as const))
      const left = all.filter(([key]) => !isOurs(key)).map(([key, text]) => `${key}=${text}`)
      expect(cookiesOf(after).split("; ").filter(Boolean)).toEqual(left)
    }),
  )
})
