import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { PeerStates } from "../peer-states.ts"
import { Breaker, CLOSED, CLOSED_AGAIN, HALF_OPEN, NO_CHANGE, OPEN, OPENED, PASSES, REFUSED, TRIAL } from "./breaker.ts"

const OPTIONS = { failureShare: 0.5, windowMs: 10_000, requestsMin: 10, openMs: 5000, trials: 2 }

function make() {
  const clock = new FakeClock()
  const states = PeerStates.create(4, 3, clock)
  const other = PeerStates.attach(states.buffer, 1, clock)
  return { clock, breaker: new Breaker(states, 1, OPTIONS), second: new Breaker(other, 1, OPTIONS) }
}

function opened() {
  const made = make()
  for (let i = 0; i < 10; i++) made.breaker.report(false, false)
  return made
}

describe("breaker", () => {
  test("opens at the share of failures, counted over workers, and not before the least number of attempts", () => {
    const { breaker, second } = make()
    for (let i = 0; i < 4; i++) expect(breaker.report(false, false)).toBe(NO_CHANGE)
    for (let i = 0; i < 5; i++) second.report(true, false)
    expect([breaker.state, breaker.admit()]).toEqual([CLOSED, PASSES])
    expect(second.report(false, false)).toBe(OPENED)
    expect([breaker.state, second.state, breaker.admit(), second.lets()]).toEqual([OPEN, OPEN, REFUSED, false])
  })

  test("what is older than the window does not count", () => {
    const { clock, breaker } = make()
    for (let i = 0; i < 9; i++) breaker.report(false, false)
    clock.advance(12_000)
    for (let i = 0; i < 9; i++) expect(breaker.report(false, false)).toBe(NO_CHANGE)
    expect(breaker.report(false, false)).toBe(OPENED)
  })

  test("lets as many trials through as it wants to see, and closes when all went well", () => {
    const { clock, breaker, second } = opened()
    clock.advance(5000)
    expect(breaker.state).toBe(HALF_OPEN)
    expect([breaker.lets(), breaker.admit(), second.admit(), breaker.admit(), second.lets()]).toEqual([true, TRIAL, TRIAL, REFUSED, false])
    expect(breaker.report(true, true)).toBe(NO_CHANGE)
    expect(second.report(true, true)).toBe(CLOSED_AGAIN)
    expect([breaker.state, breaker.admit()]).toEqual([CLOSED, PASSES])
    // with a clean window
    for (let i = 0; i < 9; i++) expect(breaker.report(false, false)).toBe(NO_CHANGE)
  })

  test("a trial that fails opens it again; what was sent before it opened says nothing", () => {
    const { clock, breaker } = opened()
    clock.advance(5000)
    expect(breaker.admit()).toBe(TRIAL)
    expect(breaker.report(true, false)).toBe(NO_CHANGE)
    expect(breaker.report(false, false)).toBe(NO_CHANGE)
    expect(breaker.report(false, true)).toBe(OPENED)
    expect(breaker.state).toBe(OPEN)
    clock.advance(4900)
    expect(breaker.admit()).toBe(REFUSED)
    clock.advance(100)
    expect(breaker.admit()).toBe(TRIAL)
  })

  test("trials that nothing is heard of are given to others", () => {
    const { clock, breaker } = opened()
    clock.advance(5000)
    expect([breaker.admit(), breaker.admit(), breaker.admit()]).toEqual([TRIAL, TRIAL, REFUSED])
    breaker.report(true, true)
    clock.advance(5000)
    expect([breaker.admit(), breaker.admit()]).toEqual([TRIAL, REFUSED])
    expect(breaker.report(true, true)).toBe(CLOSED_AGAIN)
  })

  test("a wall clock that is set back does not keep it open", () => {
    const { clock, breaker } = make()
    clock.advance(3_600_000)
    for (let i = 0; i < 10; i++) breaker.report(false, false)
    expect(breaker.state).toBe(OPEN)
    clock.setWall(clock.wall() - 1_800_000)
    expect(breaker.state).toBe(HALF_OPEN)
  })
})
