import { expect, test } from "bun:test"
import type { Exchange } from "../../../flow/index.ts"
import { notesOf } from "../../../flow/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import group from "./group.ts"

function userIn(...groups: string[]): Exchange {
  const x = exchangeOf({})
  if (groups.length > 0) notesOf(x).groups = groups
  return x
}

test("one of the user's groups is one of the rule's", () => {
  const match = group.compile(group.options.parse(["pupils", "staff-*"]))
  expect([match(userIn("pupils")), match(userIn("a", "staff-b")), match(userIn("staff")), match(userIn("Pupils")), match(userIn())]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})

test("says which groups there are", () => {
  expect(group.describe(["a", "b"], userIn("c", "d"))).toBe("the user is in c, d, not in a or b")
  expect(group.describe("a", userIn())).toBe("the user is in no group, not in a")
})
