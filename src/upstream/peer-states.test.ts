import { describe, expect, test } from "bun:test"
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { AssertionError, FakeClock } from "../base/index.ts"
import { TALLY } from "./slot-words.ts"
import { HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP, PeerStates } from "./peer-states.ts"

function make(slotsMax = 8) {
  const clock = new FakeClock()
  return { clock, states: PeerStates.create(slotsMax, 4, clock) }
}

describe("PeerStates", () => {
  test("slots are whole cache lines and do not touch one another", () => {
    const { states } = make()
    expect(((states.wordOf(1) - states.wordOf(0)) * 4) % 64).toBe(0)
    expect((states.wordOf(0) * 4) % 64).toBe(0)
    states.begin(3)
    states.setHealth(3, HEALTH_DOWN)
    states.addFailure(3)
    expect([states.inFlight(2), states.health(2), states.failures(2)]).toEqual([0, HEALTH_UNKNOWN, 0])
    expect([states.inFlight(4), states.health(4), states.failures(4)]).toEqual([0, HEALTH_UNKNOWN, 0])
    expect([states.inFlight(3), states.health(3), states.failures(3)]).toEqual([1, HEALTH_DOWN, 1])
  })

  test("health and draining share a word and leave each other alone", () => {
    const { states } = make()
    expect(states.isAvailable(0)).toBe(true)
    states.setHealth(0, HEALTH_UP)
    states.setDraining(0, true)
    expect([states.health(0), states.isDraining(0), states.isAvailable(0)]).toEqual([HEALTH_UP, true, false])
    states.setHealth(0, HEALTH_DOWN)
    states.setDraining(0, false)
    expect([states.health(0), states.isDraining(0), states.isAvailable(0)]).toEqual([HEALTH_DOWN, false, false])
    states.setHealth(0, HEALTH_UNKNOWN)
    expect(states.isAvailable(0)).toBe(true)
  })

  test("a request that ends twice is a defect", () => {
    const { states } = make()
    states.begin(0)
    states.finish(0)
    expect(() => states.finish(0)).toThrow(AssertionError)
  })

  test("totals go on past 32 bits", () => {
    const { states } = make()
    const low = states.wordOf(0) + 7
    Atomics.store(states.words, low, -2)
    for (let request = 0; request < 3; request++) states.begin(0)
    expect(states.requestsTotal(0)).toBe(0x1_0000_0001)
  })

  test("of two that eject the same peer one wins", () => {
    const { states } = make()
    expect(states.eject(0, 0, 10)).toBe(true)
    expect(states.eject(0, 0, 10)).toBe(false)
    expect([states.ejections(0), states.isEjected(0), states.isAvailable(0)]).toEqual([1, true, false])
  })

  test("after the time has run out one trial is let through, and the next only when that one is done or lost", () => {
    const { states, clock } = make()
    states.eject(0, 0, 50)
    clock.advance(4_900)
    expect(states.isAvailable(0)).toBe(false)
    clock.advance(200)
    expect([states.isEjected(0), states.isAvailable(0)]).toEqual([false, true])
    states.begin(0)
    expect(states.isAvailable(0)).toBe(false)
    states.finish(0)
    expect(states.isAvailable(0)).toBe(true)
    states.begin(0)
    clock.advance(5_200)
    expect(states.isAvailable(0)).toBe(true)
  })

  test("a wall clock that is set back does not lengthen an ejection", () => {
    const { states, clock } = make()
    clock.advance(7_200_000)
    states.eject(0, 0, 100)
    expect(states.isAvailable(0)).toBe(false)
    clock.setWall(clock.wall() - 3_600_000)
    expect(states.isAvailable(0)).toBe(true)
  })

  test("what a dead worker had in flight is taken back, and nothing else", () => {
    const { states, clock } = make()
    const one = PeerStates.attach(states.buffer, 1, clock)
    const two = PeerStates.attach(states.buffer, 2, clock)
    for (let request = 0; request < 5; request++) one.begin(0)
    one.finish(0)
    two.begin(0)
    two.begin(7)
    states.forgetWorker(1)
    expect([states.inFlight(0), states.inFlight(7)]).toEqual([1, 1])
    states.forgetWorker(1)
    states.forgetWorker(2)
    expect([states.inFlight(0), states.inFlight(7)]).toEqual([0, 0])
  })

  test("refuses a buffer of something else and a worker number out of range", () => {
    expect(() => PeerStates.attach(new SharedArrayBuffer(256), 1)).toThrow("not a buffer of peer states")
    expect(() => PeerStates.attach(make().states.buffer, 4)).toThrow("worker number is out of range")
  })

  test("counts are exact over real threads", async () => {
    const states = PeerStates.create(4, 4)
    const source = `
      const { workerData, parentPort } = require("node:worker_threads")
      import(workerData.module).then(({ PeerStates }) => {
        const states = PeerStates.attach(workerData.buffer, workerData.worker)
        for (let i = 0; i < 20000; i++) { states.begin(1); states.begin(2); states.addFailure(2); states.finish(1); if (i % 2) states.finish(2) }
        parentPort.postMessage("done")
      })`
    const module = new URL("./peer-states.ts", import.meta.url).href
    const workers = [1, 2].map(worker => new Worker(source, { eval: true, workerData: { module, buffer: states.buffer, worker } }))
    await Promise.all(workers.map(worker => once(worker, "message")))
    await Promise.all(workers.map(worker => worker.terminate()))
    expect([states.inFlight(1), states.inFlight(2), states.failures(2), states.requestsTotal(1)]).toEqual([0, 20_000, 40_000, 40_000])
    states.forgetWorker(2)
    expect(states.inFlight(2)).toBe(10_000)
  })

  test("of a tally no more than its limit is taken, and what a dead worker held comes back", () => {
    const { states } = make()
    const first = PeerStates.attach(states.buffer, 1)
    const second = PeerStates.attach(states.buffer, 2)
    for (const kind of [TALLY.inFlight, TALLY.pending, TALLY.queued + 3]) {
      expect([first.tryTake(2, kind, 3), second.tryTake(2, kind, 3), first.tryTake(2, kind, 3), second.tryTake(2, kind, 3)]).toEqual([
        true,
        true,
        true,
        false,
      ])
      expect([states.tally(2, kind), first.own(2, kind), second.own(2, kind)]).toEqual([3, 2, 1])
    }
    states.forgetWorker(1)
    for (const kind of [TALLY.inFlight, TALLY.pending, TALLY.queued + 3]) expect(states.tally(2, kind)).toBe(1)
    second.give(2, TALLY.pending)
    expect(states.tally(2, TALLY.pending)).toBe(0)
    expect([states.tryBegin(2, 1), states.tryBegin(2, 2), states.inFlight(2)]).toEqual([false, true, 2])
  })
})
