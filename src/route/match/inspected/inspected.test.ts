import { expect, test } from "bun:test"
import { notesOf } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import inspected from "./inspected.ts"

test("tells what came inside an opened tunnel from all else", () => {
  const inside = exchangeOf({})
  notesOf(inside).inside = true
  const noted = exchangeOf({})
  notesOf(noted).rule = "a"
  expect([inside, noted, exchangeOf({})].map(inspected.compile(true))).toEqual([true, false, false])
  expect([inside, noted, exchangeOf({})].map(inspected.compile(false))).toEqual([false, true, true])
  expect(inspected.describe(true, exchangeOf({}))).toContain("did not come inside")
})
