import { describe, expect, test } from "bun:test"
import { describeBalancer, makePeers, seededRandom, tally } from "../contract.ts"
import random from "./random.ts"

const build = (source: () => number) => random.build(random.options.parse(undefined), source)

describeBalancer({ name: "random", build, tolerance: 0.05 })

describe("random", () => {
  test("a choice does not depend on the one before", () => {
    const peers = makePeers([1, 1])
    const balancer = build(seededRandom(3))
    balancer.peersChanged(peers)
    const pairs = [0, 0, 0, 0]
    const none = { has: () => false, count: 0 }
    let before = balancer.select(0, none)
    for (let round = 0; round < 20_000; round++) {
      const now = balancer.select(0, none)
      pairs[before * 2 + now]!++
      before = now
    }
    for (const count of pairs) expect(Math.abs(count - 5_000)).toBeLessThan(300)
  })

  test("shares hold when nearly all peers are lost and the draws run out", () => {
    const peers = makePeers(new Array<number>(200).fill(50))
    for (const peer of peers) peer.available = false
    const rare = makePeers([1, 3])
    const all = [...peers, ...rare]
    const balancer = build(seededRandom(4))
    balancer.peersChanged(all)
    const counts = tally(balancer, all, 20_000, () => 0)
    expect(counts[200]! + counts[201]!).toBe(20_000)
    expect(Math.abs(counts[201]! / 20_000 - 0.75)).toBeLessThan(0.02)
  })
})
