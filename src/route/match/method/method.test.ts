import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import method from "./method.ts"

test("one method and a list, with case (RFC 9110 section 9.1)", () => {
  expect(method.compile("GET")(exchangeOf({}))).toBe(true)
  expect(method.compile("GET")(exchangeOf({ method: "HEAD" }))).toBe(false)
  expect(method.compile("GET")(exchangeOf({ method: "get" }))).toBe(false)
  expect(method.compile(["GET", "HEAD"])(exchangeOf({ method: "HEAD" }))).toBe(true)
  expect(method.compile(["GET", "HEAD"])(exchangeOf({ method: "POST" }))).toBe(false)
})

test("says what it expected", () => {
  const trouble = (value: unknown) => method.options.safeParse(value).error?.issues[0]?.message
  expect(trouble("get")).toBe('"get" never matches, methods are compared with case; expected "GET"')
  expect(trouble("GE T")).toBe('"GE T" is not a method; expected a token such as "GET"')
  expect(trouble("")).toBe('"" is not a method; expected a token such as "GET"')
  expect(trouble(7)).toBe('expected method such as "GET", or a list of them')
  expect(trouble("M-SEARCH")).toBeUndefined()
  expect(method.describe("GET", exchangeOf({ method: "PUT" }))).toBe("method is PUT, not GET")
})
