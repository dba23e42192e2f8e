import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import type { BalancerDefinition } from "../../plugin/index.ts"
import { seededRandom } from "../balance/contract.ts"
import consistentHash from "../balance/consistent-hash/consistent-hash.ts"
import leastRequests from "../balance/least-requests/least-requests.ts"
import powerOfTwo from "../balance/power-of-two/power-of-two.ts"
import random from "../balance/random/random.ts"
import roundRobin from "../balance/round-robin/round-robin.ts"
import { Peer } from "../peer.ts"
import { HEALTH_DOWN, HEALTH_UP, PeerStates } from "../peer-states.ts"
import { Tried } from "../tried.ts"
import { SlowStart } from "./slow-start.ts"
import { slowStartSchema } from "./slow-start-options.ts"

const RAMP_MS = 30_000
const nothing = new Tried()

function make(weights: readonly number[], from = 0.1) {
  const clock = new FakeClock()
  const states = PeerStates.create(16, 2, clock)
  const peers = weights.map(
    (weight, slot) => new Peer({ address: "127.0.0.1", port: 9000 + slot, path: "", host: "", weight, backup: false }, slot, states),
  )
  const slow = new SlowStart({ duration: RAMP_MS, from })
  slow.peersChanged(peers)
  return { clock, states, peers, slow }
}

const balancers: readonly (readonly [BalancerDefinition<never>, object])[] = [
  [roundRobin, {}],
  [leastRequests, {}],
  [random, {}],
  [powerOfTwo, {}],
  [consistentHash, { algorithm: "ring" }],
  [consistentHash, { algorithm: "maglev" }],
] as never

describe("slow start", () => {
  for (const [definition, options] of balancers)
    test(`${definition.name} ${JSON.stringify(options)}: the share of a peer that came back grows evenly, and it costs the others nothing at the end`, () => {
      const { clock, states, peers, slow } = make([1, 1, 1])
      const balancer = definition.build(definition.options.parse(options), seededRandom(7))
      balancer.peersChanged(peers)
      states.cameBack(2)
      const rng = seededRandom(11)
      // Each tenth of the ramp: 2,000 requests, spread over its time; each is under way for a moment.
      for (let tenth = 0; tenth < 10; tenth++) {
        let chosen = 0
        let wanted = 0
        const running: Peer[] = []
        for (let request = 0; request < 2_000; request++) {
          clock.advance(RAMP_MS / 10 / 2_000)
          if (slow.look(clock.now())) balancer.peersChanged(peers)
          const peer = peers[balancer.select(Math.floor(rng() * 2 ** 32), nothing)]!
          peer.begin()
          running.push(peer)
          // Whole requests are all that least-requests can tell apart: with few under way a starting peer has one of them.
          if (running.length > 60) running.shift()!.finish()
          if (peer === peers[2]) chosen++
          const part = 0.1 + (0.9 * (tenth * 2_000 + request)) / 20_000
          wanted += part / (2 + part)
        }
        for (const peer of running) peer.finish()
        // A ring's points are as they fall.
        expect([tenth, Math.abs(chosen - wanted) / 2_000 < 0.06]).toEqual([tenth, true])
      }
      clock.advance(1000)
      slow.look(clock.now())
      expect(peers.map(peer => peer.weight)).toEqual([1, 1, 1])
    })

  test("few requests in all that time: nobody is passed over", () => {
    const { clock, states, peers, slow } = make([1, 1, 1], 0.2)
    const balancer = roundRobin.build({}, seededRandom(3))
    balancer.peersChanged(peers)
    states.cameBack(2)
    let chosen = 0
    for (let request = 0; request < 120; request++) {
      clock.advance(RAMP_MS / 120)
      if (slow.look(clock.now())) balancer.peersChanged(peers)
      if (balancer.select(0, nothing) === 2) chosen++
    }
    // The share is 1/11 at first and 1/3 at last, 0.23 on the average.
    expect(chosen).toBeGreaterThan(20)
    expect(chosen).toBeLessThan(36)
  })

  test("weights keep their proportion; weight 0 stays 0", () => {
    const { clock, states, peers, slow } = make([4, 2, 0], 0)
    states.cameBack(1)
    states.cameBack(2)
    clock.advance(RAMP_MS / 2)
    slow.look(clock.now())
    expect(peers.map(peer => peer.weight)).toEqual([400, 100, 0])
  })

  test("when all come back at once they share as their weights say", () => {
    const { clock, states, peers, slow } = make([3, 1])
    states.cameBack(0)
    states.cameBack(1)
    clock.advance(3000)
    slow.look(clock.now())
    expect(peers[0]!.weight / peers[1]!.weight).toBe(3)
  })

  test("begins when a probe brings a peer up, an ejection ends or a drain is undone; a peer that is out has the smallest share already", () => {
    for (const [out, back] of [
      [(states: PeerStates) => states.setHealth(1, HEALTH_DOWN), (states: PeerStates) => states.setHealth(1, HEALTH_UP)],
      [(states: PeerStates) => states.eject(1, 0, 10), (states: PeerStates) => states.restore(1)],
      [(states: PeerStates) => states.setDraining(1, true), (states: PeerStates) => states.setDraining(1, false)],
    ] as const) {
      const { clock, states, peers, slow } = make([1, 1])
      out(states)
      clock.advance(100)
      expect([slow.look(clock.now()), peers[1]!.weight / peers[0]!.weight]).toEqual([true, 0.1])
      clock.advance(20_000)
      back(states)
      expect([slow.look(clock.now()), peers[1]!.weight / peers[0]!.weight]).toEqual([false, 0.1])
      clock.advance(RAMP_MS / 2)
      slow.look(clock.now())
      expect(peers[1]!.weight / peers[0]!.weight).toBeCloseTo(0.55, 1)
      clock.advance(RAMP_MS)
      slow.look(clock.now())
      expect(peers.map(peer => peer.weight)).toEqual([1, 1])
    }
  })

  test("a first success of a peer of which nothing was known is no coming back", () => {
    const { states } = make([1, 1])
    states.setHealth(1, HEALTH_UP)
    expect(states.cameBackAt(1)).toBe(0)
  })

  test("a clock that was set back ends it", () => {
    const { clock, states, peers, slow } = make([1, 1])
    states.cameBack(1)
    clock.setWall(clock.wall() + 20_000)
    states.cameBack(1)
    clock.setWall(clock.wall() - 15_000)
    clock.advance(200)
    slow.look(clock.now())
    expect(peers.map(peer => peer.weight)).toEqual([1, 1])
  })

  test("options: a duration, or with the share", () => {
    expect(slowStartSchema.parse("30s")).toEqual({ duration: 30_000, from: 0.1 })
    expect(slowStartSchema.parse({ duration: "1m", from: 0 })).toEqual({ duration: 60_000, from: 0 })
    for (const wrong of ["0s", { duration: "1m", from: 2 }, { from: 0.1 }, { duration: "30s", form: 1 }])
      expect(slowStartSchema.safeParse(wrong).success).toBe(false)
  })
})
