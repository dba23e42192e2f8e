import { expect, test } from "bun:test"
import { Exchange } from "../flow/index.ts"
import { LastSecrets } from "./last-secrets.ts"

function on(info: object): Exchange {
  const x = new Exchange()
  x.down = { info } as NonNullable<Exchange["down"]>
  return x
}

test("each connection has its own last secret, and a shared one is given up", () => {
  const last = new LastSecrets<string>()
  const [one, two] = [on({}), on({})]
  last.keep(one, "a", "A")
  expect([last.recall(one, "a"), last.recall(one, "b"), last.recall(two, "a"), last.recall(new Exchange(), "a")]).toEqual([
    "A",
    undefined,
    undefined,
    undefined,
  ])
  last.keep(one, "b", "B")
  expect([last.recall(one, "a"), last.recall(one, "b")]).toEqual([undefined, "B"])
  for (const text of ["c", "d", "e", "f", "g"]) last.keep(one, text, text)
  expect([last.recall(one, "g"), last.recall(one, "e")]).toEqual([undefined, "e"])
  last.keep(new Exchange(), "a", "A")
  last.clear()
  expect(last.recall(one, "e")).toBeUndefined()
})
