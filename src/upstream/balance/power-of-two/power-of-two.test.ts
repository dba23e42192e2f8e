import { describe, expect, test } from "bun:test"
import { describeBalancer, makePeers, nothingTried, seededRandom } from "../contract.ts"
import powerOfTwo from "./power-of-two.ts"

const build = (random: () => number) => powerOfTwo.build(powerOfTwo.options.parse(undefined), random)

describeBalancer({ name: "power-of-two", build, tolerance: 0.05 })

/** Requests that never end, placed one by one: how full the peers get. */
function place(weights: readonly number[], requests: number): number[] {
  const peers = makePeers(weights)
  const balancer = build(seededRandom(2))
  balancer.peersChanged(peers)
  for (let request = 0; request < requests; request++) peers[balancer.select(0, nothingTried)]!.load++
  return peers.map(peer => peer.load)
}

describe("power-of-two", () => {
  test("keeps the fullest peer within a few requests of the mean", () => {
    const loads = place(new Array<number>(100).fill(1), 10_000)
    expect(Math.max(...loads)).toBeLessThanOrEqual(104)
    expect(Math.min(...loads)).toBeGreaterThanOrEqual(92)
  })

  test("fills in proportion to the weights", () => {
    const loads = place([1, 2, 4], 7_000)
    for (const [index, wanted] of [1_000, 2_000, 4_000].entries()) expect(Math.abs(loads[index]! - wanted)).toBeLessThan(wanted * 0.02)
  })

  test("of two peers the busy one waits", () => {
    const peers = makePeers([1, 1])
    peers[0]!.load = 5
    peers[1]!.load = 4
    const balancer = build(seededRandom(3))
    balancer.peersChanged(peers)
    for (let round = 0; round < 100; round++) expect(balancer.select(0, nothingTried)).toBe(1)
  })
})
