import { describe, expect, test } from "bun:test"
import { z } from "zod"
import { Random } from "../../base/index.ts"
import { defineHealthCheck } from "../../plugin/index.ts"
import { nothingTried } from "../balance/contract.ts"
import roundRobin from "../balance/round-robin/round-robin.ts"
import { FakeTimers } from "../fake-timers.ts"
import { Peer } from "../peer.ts"
import { HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP, PeerStates } from "../peer-states.ts"
import { type HealthChange, HealthMonitor, type HealthPeer, type HealthPlan } from "./monitor.ts"

/** Answers of the peers, by address: a reason, null, or a promise that the test settles. */
function make(probesMax?: number) {
  const timers = new FakeTimers()
  const states = PeerStates.create(64, 2, timers.clock)
  const changes: HealthChange[] = []
  const probes: { at: number; address: string }[] = []
  const answers = new Map<string, () => string | null | Promise<string | null>>()
  const check = defineHealthCheck({
    name: "fake",
    summary: "",
    options: z.unknown(),
    async probe(target) {
      probes.push({ at: timers.clock.now() - 1_000, address: target.address })
      return (answers.get(target.address) ?? (() => null))()
    },
  })
  const plan: HealthPlan = { check, options: {}, every: 200, timeout: 100, rise: 2, fall: 3, jitter: 0 }
  const monitor = new HealthMonitor({
    states,
    clock: timers.clock,
    timers,
    random: new Random(1),
    onChange: change => changes.push(change),
    probesMax,
  })
  const peers = (...addresses: string[]): HealthPeer[] =>
    addresses.map(address => ({ name: `${address}:80`, slot: Number(address.split(".")[3]), target: { address, port: 80, tls: null } }))
  return { timers, states, changes, probes, answers, plan, monitor, peers }
}

const u1 = "127.0.0.1"
const u2 = "127.0.0.2"

describe("HealthMonitor", () => {
  test("O-33 a: one failed probe in five takes nobody out", async () => {
    const { timers, states, changes, answers, plan, monitor, peers } = make()
    let count = 0
    answers.set(u1, () => (++count % 5 === 0 ? "timeout" : null))
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(10_000)
    expect(count).toBeGreaterThan(45)
    expect(states.health(1)).toBe(HEALTH_UP)
    expect(changes.filter(change => change.to === HEALTH_DOWN)).toEqual([])
  })

  test("O-33 b: out after three failures, in after two successes, each told once", async () => {
    const { timers, states, changes, probes, answers, plan, monitor, peers } = make()
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(1)
    answers.set(u1, () => "refused")
    await timers.advance(399)
    expect(states.isAvailable(1)).toBe(true)
    await timers.advance(201)
    expect(states.isAvailable(1)).toBe(false)
    await timers.advance(5_000)
    probes.length = 0
    answers.delete(u1)
    await timers.advance(400)
    expect(states.isAvailable(1)).toBe(true)
    await timers.advance(5_000)
    expect(changes.filter(change => change.peer === "127.0.0.1:80")).toEqual([
      { cluster: "shop", peer: "127.0.0.1:80", from: HEALTH_UNKNOWN, to: HEALTH_UP, reason: null },
      { cluster: "shop", peer: "127.0.0.1:80", from: HEALTH_UP, to: HEALTH_DOWN, reason: "refused" },
      { cluster: "shop", peer: "127.0.0.1:80", from: HEALTH_DOWN, to: HEALTH_UP, reason: null },
    ])
  })

  test("O-33 b: one success between failures does not bring it back", async () => {
    const { timers, states, answers, plan, monitor, peers } = make()
    let count = 0
    answers.set(u1, () => (++count > 3 && count % 2 === 0 ? null : "refused"))
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(10_000)
    expect(states.health(1)).toBe(HEALTH_DOWN)
  })

  test("O-33 d: when all are down nobody is chosen, and recovery takes one interval", async () => {
    const { timers, states, answers, plan, monitor, peers } = make()
    const balancer = roundRobin.build(roundRobin.options.parse({}), () => 0)
    balancer.peersChanged(
      [1, 2].map(slot => new Peer({ address: `127.0.0.${slot}`, port: 80, path: "", host: "", weight: 1, backup: false }, slot, states)),
    )
    answers.set(u1, () => "status 500").set(u2, () => "status 500")
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(700)
    expect(balancer.select(0, nothingTried)).toBe(-1)
    await timers.advance(60_000)
    answers.clear()
    await timers.advance(plan.every)
    expect(balancer.select(0, nothingTried)).toBeGreaterThanOrEqual(0)
    expect([states.health(1), states.health(2)]).toEqual([HEALTH_UP, HEALTH_UP])
  })

  test("the first probe starts at once and an unknown peer is available until it is proven down", async () => {
    const { timers, states, probes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => "refused")
    monitor.watch("shop", peers(u1), plan)
    expect(probes).toEqual([{ at: 0, address: u1 }])
    await timers.advance(10)
    expect([states.health(1), states.isAvailable(1)]).toEqual([HEALTH_UNKNOWN, true])
    await timers.advance(400)
    expect([states.health(1), states.isAvailable(1)]).toEqual([HEALTH_DOWN, false])
  })

  test("a peer that comes up has its ejection forgiven", async () => {
    const { timers, states, answers, plan, monitor, peers } = make()
    answers.set(u1, () => "refused")
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(700)
    states.eject(1, 0, 36_000)
    answers.clear()
    await timers.advance(400)
    expect(states.isAvailable(1)).toBe(true)
  })

  test("an update of the list leaves unchanged peers alone, probes new ones at once and forgets the gone", async () => {
    const { timers, states, probes, changes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => "refused")
    monitor.watch("shop", peers(u1, u2), plan)
    await timers.advance(450)
    expect(states.health(1)).toBe(HEALTH_DOWN)
    probes.length = 0
    monitor.watch("shop", peers("127.0.0.3", u1), plan)
    expect(probes.map(probe => probe.address)).toEqual(["127.0.0.3"])
    await timers.advance(1_000)
    expect(states.health(1)).toBe(HEALTH_DOWN)
    expect(probes.filter(probe => probe.address === u2)).toEqual([])
    expect(changes.filter(change => change.peer === "127.0.0.1:80").length).toBe(1)
  })

  test("another plan probes anew but keeps what is known", async () => {
    const { timers, states, probes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => "refused")
    monitor.watch("shop", peers(u1), plan)
    await timers.advance(450)
    probes.length = 0
    monitor.watch("shop", peers(u1), { ...plan, options: { path: "/other" } })
    expect(probes.length).toBe(1)
    expect(states.health(1)).toBe(HEALTH_DOWN)
  })

  test("checks switched off make the peers available", async () => {
    const { timers, states, probes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => "refused")
    monitor.watch("shop", peers(u1), plan)
    await timers.advance(450)
    monitor.watch("shop", peers(u1), null)
    expect([states.health(1), timers.size]).toEqual([HEALTH_UNKNOWN, 0])
    probes.length = 0
    await timers.advance(1_000)
    expect(probes).toEqual([])
  })

  test("a probe that settles after its watch ended changes nothing", async () => {
    const { timers, states, changes, answers, plan, monitor, peers } = make()
    const { promise, resolve } = Promise.withResolvers<string | null>()
    answers.set(u1, () => promise)
    monitor.watch("shop", peers(u1), { ...plan, fall: 1 })
    monitor.stop()
    resolve("late")
    await timers.advance(1_000)
    expect([states.health(1), changes.length, timers.size]).toEqual([HEALTH_UNKNOWN, 0, 0])
  })

  test("probes are spread by the jitter and keep their pace whatever they take", async () => {
    const { timers, probes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => new Promise(resolve => timers.after(90, () => resolve(null))))
    monitor.watch("shop", peers(u1), { ...plan, jitter: 0.5 })
    await timers.advance(20_000)
    const gaps = probes.slice(1).map((probe, index) => probe.at - probes[index]!.at)
    for (const gap of gaps) expect(gap).toBeWithin(100, 301)
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(100)
    expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeWithin(180, 220)
  })

  test("no more probes at a time than the bound, and all get their turn", async () => {
    const { timers, probes, answers, plan, monitor, peers } = make(4)
    let open = 0
    let most = 0
    const addresses = Array.from({ length: 20 }, (_, index) => `127.0.0.${index + 1}`)
    for (const address of addresses) {
      answers.set(address, () => {
        most = Math.max(most, ++open)
        return new Promise(resolve => {
          timers.after(30, () => {
            open--
            resolve(null)
          })
        })
      })
    }
    monitor.watch("big", peers(...addresses), { ...plan, every: 1_000 })
    await timers.advance(400)
    expect(most).toBe(4)
    expect(new Set(probes.map(probe => probe.address)).size).toBe(20)
  })

  test("a list that changes while probes wait for their turn does not stop the others", async () => {
    const { timers, probes, answers, plan, monitor, peers } = make(1)
    answers.set(u1, () => new Promise(resolve => timers.after(50, () => resolve(null))))
    monitor.watch("a", peers(u1), plan)
    monitor.watch("b", peers("127.0.0.3"), plan)
    monitor.watch("c", peers("127.0.0.4"), plan)
    monitor.watch("b", [], null)
    await timers.advance(60)
    expect(probes.map(probe => probe.address)).toEqual([u1, "127.0.0.4"])
  })

  test("a check that throws has failed and goes on", async () => {
    const { timers, changes, answers, plan, monitor, peers } = make()
    answers.set(u1, () => {
      throw new Error("defect")
    })
    monitor.watch("shop", peers(u1), plan)
    await timers.advance(1_000)
    expect(changes.map(change => change.reason)).toEqual(["the check itself failed: defect"])
  })
})
