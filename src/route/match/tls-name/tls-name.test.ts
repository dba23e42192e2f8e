import { expect, test } from "bun:test"
import { Notes } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import tlsName from "./tls-name.ts"

function hello(change: Partial<Notes>) {
  return Object.assign(exchangeOf({}), { notes: Object.assign(new Notes(), change) })
}

test("the name, with patterns; nothing where none was read", () => {
  const match = tlsName.compile(["a.test", "*.b.test"])
  expect(["a.test", "x.b.test", "b.test", ""].map(name => match(hello({ tlsName: name })))).toEqual([true, true, false, false])
  expect(match(exchangeOf({ host: "a.test" }))).toBe(false)
  expect(tlsName.describe("a.test", exchangeOf({}))).toBe("the TLS name is not known, not a.test")
})
