import { describe, expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { PeerStates } from "../peer-states.ts"
import { AdaptiveLimit } from "./adaptive-limit.ts"

const OPTIONS = { start: 16, min: 4, max: 500, tolerance: 1.5, windowMs: 500, probeMs: 30_000 }

/** A cluster that works on `capacity` requests in `restMs` each; more wait there. `wanted` come at the same time. */
function run(of: { limit: AdaptiveLimit; clock: FakeClock }, seconds: number, load: { capacity: number; restMs: number; wanted: number }): number[] {
  const seen: number[] = []
  for (let window = 0; window < seconds * 2; window++) {
    const under = Math.min(load.wanted, of.limit.limit)
    const latency = load.restMs * Math.max(1, under / load.capacity)
    for (let i = 0; i < 40; i++) {
      of.clock.advance(500 / 40)
      of.limit.sample(latency * (0.8 + (i % 5) / 10), under)
    }
    seen.push(of.limit.limit)
  }
  return seen
}

function make() {
  const clock = new FakeClock()
  return { clock, limit: new AdaptiveLimit(PeerStates.create(4, 2, clock), 1, OPTIONS) }
}

describe("adaptive limit", () => {
  test("converges around what the cluster can work on when its latency rises with concurrency", () => {
    const of = make()
    expect(of.limit.limit).toBe(16)
    const seen = run(of, 60, { capacity: 40, restMs: 20, wanted: 400 })
    const last = seen.slice(-40)
    expect(Math.min(...last)).toBeGreaterThan(20)
    expect(Math.max(...last)).toBeLessThan(120)
  })

  test("a baseline taken under load is put right by probes", () => {
    const of = make()
    // 16 at the start are four times too many already
    const seen = run(of, 240, { capacity: 4, restMs: 20, wanted: 400 })
    expect(Math.max(...seen.slice(-100))).toBeLessThan(30)
  })

  test("follows a cluster that became slow for its own reasons, down and up again", () => {
    const of = make()
    run(of, 60, { capacity: 100, restMs: 20, wanted: 400 })
    const least = Math.min(...run(of, 60, { capacity: 100, restMs: 200, wanted: 400 }))
    expect(least).toBeLessThan(40)
    const later = run(of, 240, { capacity: 100, restMs: 200, wanted: 400 })
    expect(Math.max(...later)).toBeGreaterThan(50)
  })

  test("does not grow while it is not used, and stays within its bounds", () => {
    const of = make()
    run(of, 60, { capacity: 1000, restMs: 5, wanted: 2 })
    expect(of.limit.limit).toBe(16)
    expect(Math.max(...run(of, 120, { capacity: 1000, restMs: 5, wanted: 2000 }))).toBe(500)
    const collapse = run(of, 20, { capacity: 1, restMs: 5000, wanted: 2000 })
    expect(Math.min(...collapse)).toBeGreaterThanOrEqual(4)
  })
})
