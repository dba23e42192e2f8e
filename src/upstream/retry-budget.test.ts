import { describe, expect, test } from "bun:test"
import { FakeClock } from "../base/index.ts"
import { PeerStates } from "./peer-states.ts"
import { RetryBudget } from "./retry-budget.ts"

function make(share: number) {
  const clock = new FakeClock()
  const states = PeerStates.create(4, 4, clock)
  return { clock, states, budget: new RetryBudget(states, 1, share) }
}

function take(budget: RetryBudget, asked: number): number {
  let taken = 0
  for (let retry = 0; retry < asked; retry++) if (budget.tryRetry()) taken++
  return taken
}

function send(budget: RetryBudget, requests: number): void {
  for (let request = 0; request < requests; request++) budget.onRequest()
}

describe("RetryBudget", () => {
  test("three a second are always allowed, ten seconds' worth at once", () => {
    const { budget } = make(0)
    expect(take(budget, 1_000)).toBe(30)
  })

  test("the floor comes back with time", () => {
    const { clock, budget } = make(0.2)
    take(budget, 1_000)
    clock.advance(10_100)
    expect(take(budget, 1_000)).toBe(30)
  })

  test("a share of the requests of the last ten seconds", () => {
    const { clock, budget } = make(0.2)
    send(budget, 1_000)
    expect(take(budget, 1_000)).toBe(200)
    clock.advance(4_000)
    send(budget, 500)
    expect(take(budget, 1_000)).toBe(100)
    clock.advance(12_000)
    expect(take(budget, 1_000)).toBe(30)
  })

  test("a steady stream of failures is repeated for its share and no more", () => {
    const { clock, budget } = make(0.2)
    let retries = 0
    for (let tenth = 0; tenth < 600; tenth++) {
      for (let request = 0; request < 50; request++) {
        budget.onRequest()
        if (budget.tryRetry()) retries++
      }
      clock.advance(100)
    }
    expect(retries / 30_000).toBeLessThanOrEqual(0.2)
    expect(retries / 30_000).toBeGreaterThan(0.15)
  })

  test("one budget for all workers", () => {
    const { clock, states, budget } = make(0.5)
    const there = new RetryBudget(PeerStates.attach(states.buffer, 1, clock), 1, 0.5)
    send(budget, 160)
    send(there, 160)
    expect(take(there, 100)).toBe(100)
    expect(take(budget, 100)).toBe(60)
  })

  test("clusters have budgets of their own", () => {
    const { states, budget } = make(0)
    const other = new RetryBudget(states, 2, 0)
    take(budget, 100)
    expect(take(other, 100)).toBe(30)
  })
})
