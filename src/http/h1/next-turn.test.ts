import { expect, test } from "bun:test"
import { inNextTurn } from "./next-turn.ts"

test("takers are called in their order; one that asks again while it is called comes after everybody, a turn later", async () => {
  const calls: string[] = []
  const taker = (name: string, times: number) => ({
    left: times,
    onTurn() {
      calls.push(name)
      if (--this.left > 0) inNextTurn(this)
    },
  })
  inNextTurn(taker("a", 3))
  inNextTurn(taker("b", 1))
  inNextTurn(taker("c", 2))
  expect(calls).toEqual([])
  const turns = () => new Promise(resolve => setImmediate(resolve))
  await turns()
  await turns()
  await turns()
  await turns()
  expect(calls).toEqual(["a", "b", "c", "a", "c", "a"])
})

test("a turn in which nobody waits is none", async () => {
  let turns = 0
  inNextTurn({ onTurn: () => void turns++ })
  await new Promise(resolve => setTimeout(resolve, 5))
  expect(turns).toBe(1)
  inNextTurn({ onTurn: () => void turns++ })
  await new Promise(resolve => setTimeout(resolve, 5))
  expect(turns).toBe(2)
})
