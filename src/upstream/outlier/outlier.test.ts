import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { Ejection, reasonWords } from "../ejection.ts"
import { Peer } from "../peer.ts"
import { PeerStates } from "../peer-states.ts"
import { Outlier, type OutlierOptions } from "./outlier.ts"

const NONE: OutlierOptions = { intervalMs: 10_000, successRate: null, failureShare: null, latency: null }
const EJECTION = { failures: 5, eject: 10_000, ejectMax: 300_000, ejectedShareMax: 0.5 }

function make(count: number, options: Partial<OutlierOptions>) {
  const clock = new FakeClock()
  const states = PeerStates.create(16, 2, clock)
  const peers = Array.from(
    { length: count },
    (_, i) => new Peer({ address: `10.0.0.${i + 1}`, port: 80, path: "", host: "", weight: 1, backup: false }, i + 1, states),
  )
  const ejection = new Ejection(EJECTION)
  ejection.peersChanged(peers)
  const outlier = new Outlier(states, 0, { ...NONE, ...options }, ejection)
  const told: string[] = []
  const look = () => outlier.look(peers, (peer, reason, detail) => void told.push(`${peer.name} ${reasonWords[reason]}: ${detail}`))
  look()
  const interval = (feed: (peer: Peer, index: number) => void) => {
    clock.advance(10_000)
    peers.forEach(feed)
    look()
  }
  const fails = (peer: Peer, requests: number, failed: number) => {
    for (let i = 0; i < requests; i++) outlier.outcome(peer, i < failed)
  }
  const takes = (peer: Peer, requests: number, ms: number) => {
    for (let i = 0; i < requests; i++) outlier.latency(peer, ms)
  }
  return { clock, states, peers, told, interval, fails, takes, ejection }
}

describe("outlier", () => {
  test("by an absolute share of failures", () => {
    const of = make(3, { failureShare: { share: 0.5, requestsMin: 20, hostsMin: 2 } })
    of.interval((peer, index) => of.fails(peer, 40, index === 1 ? 20 : 1))
    expect(of.told).toEqual(["10.0.0.2:80 share of failures: 20 of 40 requests failed"])
    expect(of.peers.map(peer => peer.isAvailable())).toEqual([true, false, true])
  })

  test("by the success rate beside the cluster's", () => {
    const of = make(6, { successRate: { stdevs: 1.9, requestsMin: 100, hostsMin: 5 } })
    of.interval((peer, index) => of.fails(peer, 200, index === 4 ? 20 : 2))
    expect(of.told).toHaveLength(1)
    expect(of.told[0]).toStartWith("10.0.0.5:80 success rate: success rate 90.0%, the cluster's 97.5%")
  })

  test("by latency beside the median peer, two peers included, and never below the floor", () => {
    const rule = { latency: { times: 3, floorMs: 50, requestsMin: 10, hostsMin: 2 } }
    const of = make(2, rule)
    of.interval((peer, index) => of.takes(peer, 20, index === 0 ? 400 : 20))
    expect(of.told).toEqual([expect.stringMatching(/^10.0.0.1:80 latency: answers take (399|400)ms, the median peer.s 20ms$/)])
    const fast = make(2, rule)
    fast.interval((peer, index) => fast.takes(peer, 20, index === 0 ? 40 : 1))
    expect(fast.told).toEqual([])
  })

  test("one very slow answer does not make a peer slow", () => {
    const of = make(3, { latency: { times: 3, floorMs: 10, requestsMin: 10, hostsMin: 3 } })
    of.interval((peer, index) => {
      of.takes(peer, 50, 20)
      if (index === 0) of.takes(peer, 1, 60_000)
    })
    expect(of.told).toEqual([])
  })

  test("a peer that all wait for is compared with what was usual for the others", () => {
    const of = make(3, { latency: { times: 3, floorMs: 50, requestsMin: 10, hostsMin: 3 } })
    of.interval(peer => of.takes(peer, 20, 20))
    of.interval((peer, index) => of.takes(peer, index === 0 ? 12 : 1, index === 0 ? 800 : 20))
    expect(of.told).toHaveLength(1)
    expect(of.told[0]).toStartWith("10.0.0.1:80 latency")
  })

  test("nothing is concluded from too few requests or peers, nor from what was before the interval", () => {
    const of = make(3, { failureShare: { share: 0.5, requestsMin: 20, hostsMin: 3 } })
    of.interval((peer, index) => of.fails(peer, index === 2 ? 19 : 50, index === 1 ? 50 : 0))
    expect(of.told).toEqual([])
    of.interval((peer, index) => of.fails(peer, index === 2 ? 1 : 50, 0))
    expect(of.told).toEqual([])
  })

  test("never more than the share that may be out", () => {
    const of = make(4, { failureShare: { share: 0.5, requestsMin: 20, hostsMin: 2 } })
    of.interval((peer, index) => of.fails(peer, 40, index < 3 ? 40 : 0))
    expect(of.peers.filter(peer => peer.isAvailable())).toHaveLength(2)
    expect(of.told).toHaveLength(2)
  })

  test("is out twice as long the second time, though a request went well between; and once again after a whole good interval", () => {
    const of = make(3, { latency: { times: 3, floorMs: 50, requestsMin: 10, hostsMin: 3 } })
    const slow = of.peers[2]!
    const bad = () => of.interval((peer, index) => of.takes(peer, 20, index === 2 ? 900 : 20))
    const leftAfterReturn = (ms: number) => {
      of.clock.advance(ms)
      of.ejection.report(slow, true)
      expect(slow.states.ejectedUntil(slow.slot)).toBe(0)
    }
    bad()
    expect(slow.isAvailable()).toBe(false)
    leftAfterReturn(10_000)
    bad()
    of.clock.advance(15_000)
    expect(slow.states.isEjected(slow.slot)).toBe(true)
    leftAfterReturn(5000)
    of.interval(peer => {
      of.takes(peer, 20, 20)
      of.fails(peer, 20, 0)
    })
    expect(slow.states.ejections(slow.slot)).toBe(0)
  })
})
