import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import user from "./user.ts"

const held = (options: unknown, name: string): boolean => user.compile(user.options.parse(options))(Object.assign(exchangeOf({}), { user: name }))

test("names, stars, anybody and nobody", () => {
  expect([
    held("alice", "alice"),
    held("alice", "Alice"),
    held("alice", ""),
    held("*@a.test", "x@a.test"),
    held("*@a.test", "x@a.test.evil"),
  ]).toEqual([true, false, false, true, false])
  expect([held(true, "x"), held(true, ""), held(false, ""), held(false, "x"), held(["a", false], ""), held(["a", "b*"], "bob")]).toEqual([
    true,
    false,
    true,
    false,
    true,
    true,
  ])
})

test("a star alone is no nobody", () => {
  expect([held("*", "x"), held("*", "")]).toEqual([true, false])
})

test("says who it is", () => {
  expect(user.describe(["a", false], Object.assign(exchangeOf({}), { user: "bob" }))).toBe("the user is bob, not a or nobody")
  expect(user.describe("a", exchangeOf({}))).toBe("nobody is logged in, not a")
  expect(user.options.safeParse("").success).toBe(false)
})
