import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import listener from "./listener.ts"

test("one name and a list", () => {
  expect(listener.compile("web")(exchangeOf({ listener: "web" }))).toBe(true)
  expect(listener.compile("web")(exchangeOf({ listener: "webs" }))).toBe(false)
  expect(listener.compile(["web", "egress"])(exchangeOf({ listener: "egress" }))).toBe(true)
  expect(listener.compile(["web", "egress"])(exchangeOf({ listener: "other" }))).toBe(false)
})

test("an exchange without a listener matches none", () => {
  const x = exchangeOf({})
  x.listener = null
  expect(listener.compile("web")(x)).toBe(false)
  expect(listener.compile(["web", "b"])(x)).toBe(false)
  expect(listener.describe("web", x)).toBe("listener is unknown, not web")
})

test("says what it expected", () => {
  expect(listener.describe(["a", "b"], exchangeOf({ listener: "web" }))).toBe("listener is web, not a or b")
  for (const [value, message] of [
    ["", 'the name is empty; expected the name of a listener, such as "web"'],
    [[], "the list is empty; expected at least one name of a listener"],
    [7, "expected name of a listener, or a list of them"],
  ] as const)
    expect(listener.options.safeParse(value).error?.issues[0]?.message).toBe(message)
})
