import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { PeerStates } from "../../upstream/index.ts"
import { Drains } from "./drains.ts"

function make() {
  const clock = new FakeClock()
  const states = PeerStates.create(8, 2, clock)
  const told: string[] = []
  const logged: string[] = []
  let due: { at: number; run: () => void } | null = null
  const drains = new Drains({
    states,
    log: { debug() {}, info: text => void logged.push(text), warn: text => void logged.push(text), error() {} },
    timers: {
      after(ms, run) {
        due = { at: clock.now() + ms, run }
        return () => {
          due = null
        }
      },
    },
    now: () => clock.wall(),
    leave: (cluster, slot, cut) => void told.push(`${cluster} ${slot}${cut ? " cut" : ""}`),
  })
  const pass = (ms: number): void => {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      clock.advance(10)
      if (due === null || due.at > clock.now()) continue
      const { run } = due
      due = null
      run()
    }
  }
  return { drains, states, told, logged, pass }
}

const peer = { cluster: "shop", peer: "a:1", slot: 3 }

describe("Drains", () => {
  test("waits for what is in flight, and is over then", () => {
    const { drains, states, told, pass } = make()
    states.begin(3)
    let done = 0
    drains.begin(peer, { timeoutMs: 5000, sessions: false }, () => done++)
    expect([states.isDraining(3), told]).toEqual([true, ["shop 3"]])
    pass(3000)
    expect([drains.of(3)?.state, done]).toEqual(["draining", 0])
    states.finish(3)
    pass(100)
    expect([drains.of(3)?.state, drains.of(3)?.cut, done, told]).toEqual(["drained", 0, 1, ["shop 3", "shop 3"]])
    expect(states.isDraining(3)).toBe(true)
  })

  test("cuts at the limit, once, and says how many", () => {
    const { drains, states, told, pass } = make()
    states.begin(3)
    states.begin(3)
    drains.begin(peer, { timeoutMs: 1000, sessions: false })
    pass(1200)
    expect(told).toEqual(["shop 3", "shop 3 cut"])
    states.finish(3)
    states.finish(3)
    pass(100)
    expect(drains.of(3)).toMatchObject({ state: "drained", cut: 2 })
  })

  test("does not wait for ever for what cannot be cut", () => {
    const { drains, states, pass } = make()
    states.begin(3)
    drains.begin(peer, { timeoutMs: 0, sessions: false })
    pass(5000)
    expect(drains.of(3)).toMatchObject({ state: "drained", cut: 1 })
  })

  test("with sessions: lasts its time although nothing is in flight; then the last requests may end", () => {
    const { drains, states, pass } = make()
    drains.begin(peer, { timeoutMs: 2000, sessions: true })
    pass(1500)
    expect([drains.of(3)?.state, states.takesSessions(3), states.isAvailable(3)]).toEqual(["draining", true, false])
    states.begin(3)
    pass(1000)
    expect([drains.of(3)?.state, states.takesSessions(3)]).toEqual(["draining", false])
    states.finish(3)
    pass(100)
    expect(drains.of(3)).toMatchObject({ state: "drained", cut: 0 })
  })

  test("another word changes the limit; a drain that is called off does nothing more", () => {
    const { drains, states, told, pass } = make()
    states.begin(3)
    drains.begin(peer, { timeoutMs: 60_000, sessions: false })
    drains.begin(peer, { timeoutMs: 500, sessions: false })
    pass(700)
    expect(told.filter(text => text.endsWith("cut"))).toHaveLength(1)
    drains.begin({ ...peer, slot: 4 }, { timeoutMs: 500, sessions: false })
    drains.forget(4)
    states.begin(4)
    pass(2000)
    expect([drains.of(4), told.filter(text => text.startsWith("shop 4"))]).toEqual([undefined, ["shop 4"]])
  })
})
