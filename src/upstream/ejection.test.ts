import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeClock } from "../base/index.ts"
import { EJECTED, Ejection, type EjectionOptions, RETURNED, UNCHANGED } from "./ejection.ts"
import { Peer } from "./peer.ts"
import { HEALTH_DOWN, PeerStates } from "./peer-states.ts"

const defaults: EjectionOptions = { failures: 5, eject: 10_000, ejectMax: 300_000, ejectedShareMax: 0.5 }

function makePeers(states: PeerStates, weights: readonly number[], backups: readonly number[] = []): Peer[] {
  return weights.map(
    (weight, slot) =>
      new Peer({ address: `127.0.0.${slot + 1}`, port: 80, path: "", host: "a.test", weight, backup: backups.includes(slot) }, slot, states),
  )
}

function make(count: number, options: Partial<EjectionOptions> = {}, weights = new Array<number>(count).fill(1), backups: readonly number[] = []) {
  const clock = new FakeClock()
  const states = PeerStates.create(32, 4, clock)
  const peers = makePeers(states, weights, backups)
  const ejection = new Ejection({ ...defaults, ...options })
  ejection.peersChanged(peers)
  const fail = (peer: Peer, times: number) => {
    let change = UNCHANGED as number
    for (let time = 0; time < times; time++) change = ejection.report(peer, false)
    return change
  }
  return { clock, states, peers, ejection, fail }
}

describe("Ejection", () => {
  test("failures in a row eject, once", () => {
    const { peers, fail } = make(3)
    expect(fail(peers[0]!, 4)).toBe(UNCHANGED)
    expect(peers[0]!.isAvailable()).toBe(true)
    expect(fail(peers[0]!, 1)).toBe(EJECTED)
    expect(peers[0]!.isAvailable()).toBe(false)
    expect(fail(peers[0]!, 20)).toBe(UNCHANGED)
  })

  test("a success between starts the count anew: one error in five never ejects", () => {
    const { peers, ejection, fail } = make(3, { failures: 3 })
    for (let round = 0; round < 100; round++) {
      expect(fail(peers[0]!, 2)).toBe(UNCHANGED)
      expect(ejection.report(peers[0]!, true)).toBe(UNCHANGED)
    }
    expect(peers[0]!.isAvailable()).toBe(true)
  })

  test("the failures of all workers count together", () => {
    const { clock, states, peers, fail } = make(3)
    const others = makePeers(PeerStates.attach(states.buffer, 1, clock), [1, 1, 1])
    const there = new Ejection(defaults)
    there.peersChanged(others)
    fail(peers[1]!, 3)
    expect(there.report(others[1]!, false)).toBe(UNCHANGED)
    expect(there.report(others[1]!, false)).toBe(EJECTED)
    expect(peers[1]!.isAvailable()).toBe(false)
  })

  test("one trial after the time is up; its success brings the peer back for good", () => {
    const { clock, peers, ejection, fail } = make(3)
    const [peer] = peers as [Peer]
    fail(peer, 5)
    clock.advance(10_100)
    expect(peer.isAvailable()).toBe(true)
    peer.begin()
    expect(peer.isAvailable()).toBe(false)
    expect(ejection.report(peer, true)).toBe(RETURNED)
    peer.finish()
    expect(peer.isAvailable()).toBe(true)
    expect(fail(peer, 4)).toBe(UNCHANGED)
    expect(fail(peer, 1)).toBe(EJECTED)
    clock.advance(10_100)
    expect(peer.isAvailable()).toBe(true)
  })

  test("a trial that fails doubles the time, up to ejectMax", () => {
    const { clock, peers, fail } = make(3, { eject: 1_000, ejectMax: 5_000 })
    const [peer] = peers as [Peer]
    fail(peer, 5)
    for (const seconds of [1, 2, 4, 5, 5]) {
      clock.advance(seconds * 1_000 - 200)
      expect(peer.isAvailable()).toBe(false)
      clock.advance(300)
      expect(peer.isAvailable()).toBe(true)
      expect(fail(peer, 1)).toBe(EJECTED)
    }
  })

  test("a success from before the ejection does not shorten it", () => {
    const { clock, peers, ejection, fail } = make(3)
    fail(peers[0]!, 5)
    clock.advance(1_000)
    expect(ejection.report(peers[0]!, true)).toBe(UNCHANGED)
    expect(peers[0]!.isAvailable()).toBe(false)
  })

  test("O-33 c: the only peer stays in whatever it does", () => {
    const { peers, fail } = make(1, { ejectedShareMax: 1 })
    expect(fail(peers[0]!, 100)).toBe(UNCHANGED)
    expect(peers[0]!.isAvailable()).toBe(true)
  })

  test("O-33 c: nor does the last one go that is left by health checks, draining or weight", () => {
    const { states, peers, fail } = make(4, { ejectedShareMax: 1 }, [1, 1, 1, 0])
    states.setHealth(1, HEALTH_DOWN)
    states.setDraining(2, true)
    expect(fail(peers[0]!, 50)).toBe(UNCHANGED)
    states.setDraining(2, false)
    expect(fail(peers[0]!, 1)).toBe(EJECTED)
  })

  test("with a backup the last primary may go", () => {
    const { peers, fail } = make(2, {}, [1, 1], [1])
    expect(fail(peers[0]!, 5)).toBe(EJECTED)
  })

  test("no more than the share is out at the same time", () => {
    const { clock, peers, fail } = make(5, { ejectedShareMax: 0.5 })
    expect(fail(peers[0]!, 5)).toBe(EJECTED)
    expect(fail(peers[1]!, 5)).toBe(EJECTED)
    expect(fail(peers[2]!, 50)).toBe(UNCHANGED)
    clock.advance(10_100)
    expect(fail(peers[2]!, 1)).toBe(EJECTED)
  })

  test("a refused second ejection lets the next trial through at once", () => {
    const { clock, states, peers, fail } = make(2)
    fail(peers[0]!, 5)
    clock.advance(10_100)
    states.setHealth(1, HEALTH_DOWN)
    peers[0]!.begin()
    peers[0]!.begin()
    expect(fail(peers[0]!, 1)).toBe(UNCHANGED)
    expect(peers[0]!.isAvailable()).toBe(true)
  })

  test("two workers that eject the last two peers in the same moment leave one in", () => {
    const { clock, states, peers, ejection, fail } = make(2, { ejectedShareMax: 1 })
    const there = PeerStates.attach(states.buffer, 1, clock)
    fail(peers[0]!, 4)
    const eject = states.eject.bind(states)
    // The other worker has looked before us and acts between our look and our act.
    states.eject = (slot, seen, tenths) => {
      there.eject(1, 0, 100)
      return eject(slot, seen, tenths)
    }
    expect(ejection.report(peers[0]!, false)).toBe(UNCHANGED)
    expect([peers[0]!.isAvailable(), peers[1]!.isAvailable()]).toEqual([true, false])
    expect([states.ejections(0), states.ejectionsTotal(0)]).toEqual([0, 0])
  })

  test("whatever two workers report in whatever order, the bounds hold and somebody is left", () => {
    const step = fc.record({ worker: fc.nat(1), peer: fc.nat(5), ok: fc.boolean(), wait: fc.constantFrom(0, 0, 0, 500, 3_000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.constantFrom(0.2, 0.5, 0.7, 1), (steps, ejectedShareMax) => {
        const clock = new FakeClock()
        const states = PeerStates.create(8, 3, clock)
        const workers = [1, 2].map(worker => {
          const peers = makePeers(PeerStates.attach(states.buffer, worker, clock), [1, 1, 1, 1, 1, 1])
          const ejection = new Ejection({ failures: 2, eject: 1_000, ejectMax: 4_000, ejectedShareMax })
          ejection.peersChanged(peers)
          return { peers, ejection }
        })
        for (const { worker, peer, ok, wait } of steps) {
          clock.advance(wait)
          const { peers, ejection } = workers[worker]!
          ejection.report(peers[peer]!, ok)
          const out = peers.filter(one => states.isEjected(one.slot)).length
          expect(out).toBeLessThanOrEqual(Math.floor(6 * ejectedShareMax + 1e-9))
          expect(peers.some(one => one.isAvailable())).toBe(true)
        }
      }),
      { seed: 33, numRuns: 60 },
    )
  })
})
