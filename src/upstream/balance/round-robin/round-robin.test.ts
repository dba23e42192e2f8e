import { describe, expect, test } from "bun:test"
import { describeBalancer, makePeers, nothingTried, seededRandom, tally } from "../contract.ts"
import roundRobin from "./round-robin.ts"

const build = (random: () => number) => roundRobin.build(roundRobin.options.parse({}), random)

describeBalancer({ name: "round-robin", build, tolerance: 0.001 })

describe("round-robin", () => {
  test("the short form is the schema's default", () => {
    expect(roundRobin.options.parse(undefined)).toEqual({})
    expect(roundRobin.options.safeParse({ key: "client" }).success).toBe(false)
  })

  test("weights 5, 1, 1 give the sequence that nginx documents", () => {
    const balancer = build(() => 0)
    balancer.peersChanged(makePeers([5, 1, 1]))
    const sequence = Array.from({ length: 14 }, () => "abc"[balancer.select(0, nothingTried)]).join("")
    expect(sequence).toBe("aabacaaaabacaa")
  })

  test("equal weights take strict turns, also around a lost peer", () => {
    const peers = makePeers([2, 2, 2, 2])
    const balancer = build(() => 0)
    balancer.peersChanged(peers)
    peers[1]!.available = false
    const sequence = Array.from({ length: 9 }, () => balancer.select(0, nothingTried))
    expect(sequence).toEqual([0, 2, 3, 0, 2, 3, 0, 2, 3])
  })

  test("workers do not all start with the first peer", () => {
    const random = seededRandom(5)
    const starts = new Set<number>()
    for (let worker = 0; worker < 32; worker++) {
      const balancer = build(random)
      balancer.peersChanged(makePeers([1, 1, 1, 1]))
      starts.add(balancer.select(0, nothingTried))
    }
    expect(starts.size).toBe(4)
  })

  test("a peer that was away does not come back with a debt or a windfall", () => {
    const peers = makePeers([3, 2, 1])
    const balancer = build(() => 0)
    balancer.peersChanged(peers)
    peers[0]!.available = false
    tally(balancer, peers, 1_001, () => 0)
    peers[0]!.available = true
    expect(tally(balancer, peers, 600, () => 0).map(count => Math.round(count / 100))).toEqual([3, 2, 1])
  })
})
