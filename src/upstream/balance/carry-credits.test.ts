import { expect, test } from "bun:test"
import { carryCredits, totalWeight } from "./carry-credits.ts"
import { makePeers } from "./contract.ts"

test("what a peer has saved up goes with it, in the measure of the new weights", () => {
  const peers = makePeers([1, 2, 3])
  expect(totalWeight(peers)).toBe(6)
  const credits = Float64Array.of(-3, 1, 2)
  expect([...carryCredits(peers, credits, [peers[2]!, peers[0]!], 2)]).toEqual([4, -6])
  expect([...carryCredits([], new Float64Array(0), peers, 1)]).toEqual([0, 0, 0])
})
