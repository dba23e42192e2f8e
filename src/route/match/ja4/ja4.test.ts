import { expect, test } from "bun:test"
import { Notes } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import ja4 from "./ja4.ts"

const JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"

function hello(change: Partial<Notes>) {
  return Object.assign(exchangeOf({}), { notes: Object.assign(new Notes(), change) })
}

test("a fingerprint, whole or its first parts", () => {
  expect(ja4.compile(JA4)(hello({ ja4: JA4 }))).toBe(true)
  expect(ja4.compile("t13d1516h2_8daaf6152771_*")(hello({ ja4: JA4 }))).toBe(true)
  expect(ja4.compile("t12d1516h2_*")(hello({ ja4: JA4 }))).toBe(false)
  expect(ja4.compile(JA4)(exchangeOf({}))).toBe(false)
  const trouble = (value: string) => ja4.options.safeParse(value).error?.issues[0]?.message ?? ""
  expect(trouble("abc")).toContain('"abc" is no JA4 fingerprint')
  expect([trouble(JA4), trouble("t13d1516h2_*"), trouble("t13d1516h2*")]).toEqual(["", "", ""])
})
