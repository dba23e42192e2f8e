import { describe, expect, test } from "bun:test"
import { Tried } from "../../tried.ts"
import { describeBalancer, makePeers, nothingTried, seededRandom } from "../contract.ts"
import leastRequests from "./least-requests.ts"

const build = (random: () => number) => leastRequests.build(leastRequests.options.parse(undefined), random)

describeBalancer({ name: "least-requests", build, tolerance: 0.001 })

function start(weights: readonly number[], loads: readonly number[], seed = 1) {
  const peers = makePeers(weights)
  for (const [index, load] of loads.entries()) peers[index]!.load = load
  const balancer = build(seededRandom(seed))
  balancer.peersChanged(peers)
  return { peers, balancer }
}

describe("least-requests", () => {
  test("takes the least busy", () => {
    const { balancer } = start([1, 1, 1], [3, 2, 7])
    for (let round = 0; round < 5; round++) expect(balancer.select(0, nothingTried)).toBe(1)
  })

  test("a peer of twice the weight may be twice as busy", () => {
    const { balancer, peers } = start([1, 2], [2, 3])
    expect(balancer.select(0, nothingTried)).toBe(1)
    peers[1]!.load = 5
    expect(balancer.select(0, nothingTried)).toBe(0)
  })

  test("peers that tie take turns, the busy one aside", () => {
    const { balancer } = start([1, 1, 1, 1], [2, 9, 2, 2])
    const counts = [0, 0, 0, 0]
    for (let round = 0; round < 300; round++) counts[balancer.select(0, nothingTried)]!++
    expect(counts).toEqual([100, 0, 100, 100])
  })

  test("weighted peers that tie take turns by weight", () => {
    const { balancer } = start([1, 3, 2], [1, 3, 9])
    const counts = [0, 0, 0]
    for (let round = 0; round < 400; round++) counts[balancer.select(0, nothingTried)]!++
    expect(counts).toEqual([100, 300, 0])
  })

  test("the next attempt takes the next least busy", () => {
    const { balancer } = start([1, 1, 1], [3, 1, 2])
    const tried = new Tried()
    const order: number[] = []
    for (let attempt = 0; attempt < 3; attempt++) {
      const index = balancer.select(0, tried)
      order.push(index)
      tried.add(index)
    }
    expect(order).toEqual([1, 2, 0])
  })

  test("many open requests fill the peers by weight, to the request", () => {
    const { balancer, peers } = start([1, 2, 3, 4], [])
    for (let request = 0; request < 1_000; request++) peers[balancer.select(0, nothingTried)]!.load++
    expect(peers.map(peer => peer.load)).toEqual([100, 200, 300, 400])
  })
})
