import { describe, expect, test } from "bun:test"
import { Random } from "../../base/index.ts"
import { SplitZone } from "../../config/index.ts"
import type { CanaryConfig, SplitConfig } from "../../config/index.ts"
import { ArmTally } from "./arm-tally.ts"
import { Trial } from "./trial.ts"

const split = {
  arms: [
    { name: "a", cluster: "a", weight: 1 },
    { name: "b", cluster: "b", weight: 1 },
  ],
} as unknown as SplitConfig

interface World {
  /** Share of the canary. */
  readonly share: number
  readonly stableErrors: number
  readonly canaryErrors: number
  /** How many times as slow the canary is. */
  readonly slower: number
}

const healthy: World = { share: 0.1, stableErrors: 0.01, canaryErrors: 0.01, slower: 1 }
const analysis: CanaryConfig["analysis"] = { samplesMin: 100, alpha: 0.05, errors: { difference: 0 }, latency: { ratio: 1 } }

/** Requests of both arms, whose times have a long tail, in a zone as workers count. */
class Traffic {
  readonly zone = new SplitZone(new SharedArrayBuffer(SplitZone.memoryOf("r", split).bytes))
  readonly stable = new ArmTally(this.zone, 0)
  readonly canary = new ArmTally(this.zone, 1)
  private readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  send(count: number, world: World): void {
    const { random, zone } = this
    for (let i = 0; i < count; i++) {
      const arm = random.float() < world.share ? 1 : 0
      const normal = Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())
      zone.count(
        arm,
        10 * Math.exp(normal * 0.7) * (arm === 1 ? world.slower : 1),
        random.float() < (arm === 1 ? world.canaryErrors : world.stableErrors),
      )
    }
  }
}

/** Looks every `each` requests; how many requests of the canary it took to say that it is worse, -1 = never. */
function run(seed: number, world: World, { looks, each, trials }: { looks: number; each: number; trials: number }, rules = analysis): number {
  const traffic = new Traffic(seed)
  traffic.send(500, { ...world, share: 0 })
  traffic.stable.next()
  let canary = 0
  for (let n = 1; n <= trials; n++) {
    const trial = new Trial(rules, n, traffic.stable.total)
    for (let look = 0; look < looks; look++) {
      traffic.send(each, world)
      trial.look(traffic.stable.next(), traffic.canary.next())
      if (trial.judge().verdict === "worse") return canary + trial.canary.requests
    }
    canary += trial.canary.requests
  }
  return -1
}

function shareOf(worlds: number, world: World, pace: Parameters<typeof run>[2], rules = analysis): number {
  let worse = 0
  for (let seed = 1; seed <= worlds; seed++) if (run(seed, world, pace, rules) >= 0) worse++
  return worse / worlds
}

// The harshest terms: no difference is forgiven, alpha is 5 %, and somebody looks after every tenth request.
describe("a canary that is as good as stable", () => {
  const pace = { looks: 30, each: 10, trials: 4 }

  test("is rolled back with less than the chance that was allowed, whatever its share", () => {
    const worse = ([share, worlds]: readonly [number, number]): number => shareOf(worlds, { ...healthy, share }, pace)
    for (const of of [
      [0.1, 1000],
      [0.02, 200],
      [0.5, 200],
    ] as const)
      expect(worse(of)).toBeLessThanOrEqual(analysis.alpha)
  }, 60_000)

  test("so, too, where errors are many, and where there are none", () => {
    for (const errors of [0, 0.2]) {
      expect(shareOf(200, { ...healthy, stableErrors: errors, canaryErrors: errors }, pace)).toBeLessThanOrEqual(analysis.alpha)
    }
  }, 60_000)

  test("and so is one that is within the ratio of times that it may take", () => {
    const rules = { ...analysis, latency: { ratio: 1.5 } }
    expect(shareOf(200, { ...healthy, slower: 1.5 }, pace, rules)).toBeLessThanOrEqual(analysis.alpha)
  }, 60_000)
})

describe("a canary that is worse", () => {
  const usual: CanaryConfig["analysis"] = { samplesMin: 100, alpha: 0.01, errors: { difference: 0.01 }, latency: { ratio: 1.5 } }
  const pace = { looks: 100, each: 50, trials: 1 }

  test("with 5 % of errors is found nearly always, and soon", () => {
    const took = Array.from({ length: 300 }, (_, i) => run(i + 1, { ...healthy, stableErrors: 0.001, canaryErrors: 0.05 }, pace, usual))
    expect(took.filter(n => n >= 0).length / took.length).toBeGreaterThanOrEqual(0.98)
    expect(took.filter(n => n >= 0 && n <= 300).length / took.length).toBeGreaterThanOrEqual(0.8)
  }, 60_000)

  test("that takes three times as long is found nearly always", () => {
    expect(shareOf(200, { ...healthy, slower: 3 }, pace, usual)).toBeGreaterThanOrEqual(0.98)
  }, 60_000)

  test("that fails always is not kept for its samples", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const took = run(seed, { ...healthy, stableErrors: 0.001, canaryErrors: 1 }, { looks: 1000, each: 5, trials: 1 }, usual)
      expect(took).toBeGreaterThanOrEqual(10)
      expect(took).toBeLessThanOrEqual(20)
    }
  })

  test("for an hour of good times before is found as soon, in its own window", () => {
    const traffic = new Traffic(7)
    const first = new Trial(usual, 1, traffic.stable.total)
    traffic.send(100_000, { ...healthy, share: 0.5 })
    first.look(traffic.stable.next(), traffic.canary.next())
    expect(first.judge().verdict).toBe("good")
    const second = new Trial(usual, 2, traffic.stable.total)
    traffic.send(1000, { ...healthy, share: 0.5, canaryErrors: 0.1 })
    second.look(traffic.stable.next(), traffic.canary.next())
    expect(second.judge()).toMatchObject({
      verdict: "worse",
      why: expect.stringMatching(/^canary \d+ of \d+ requests failed \(\d+(\.\d)? %\), stable \d of \d+ requests failed \(.* %\), p at most \d/),
    })
  })
})

describe("words", () => {
  const trial = (stable: [number, number], canary: [number, number], rules = analysis) => {
    const zone = new SplitZone(new SharedArrayBuffer(SplitZone.memoryOf("r", split).bytes))
    const [a, b] = [new ArmTally(zone, 0), new ArmTally(zone, 1)]
    const of = new Trial(rules, 1, a.total)
    for (let i = 0; i < stable[0]; i++) zone.count(0, 10, i < stable[1])
    for (let i = 0; i < canary[0]; i++) zone.count(1, 10, i < canary[1])
    of.look(a.next(), b.next())
    return of.judge()
  }

  test("too few requests of either arm", () => {
    expect(trial([1000, 0], [99, 0])).toEqual({ verdict: "wait", why: "the canary has 99 requests of the 100 that a verdict needs" })
    expect(trial([1, 0], [150, 0])).toEqual({ verdict: "wait", why: "stable has 1 request of the 100 that a verdict needs" })
  })

  test("a difference that is sure and small is forgiven, and holds up no step; doubt does", () => {
    expect(trial([100_000, 10], [10_000, 60], { ...analysis, errors: { difference: 0.01 } }).verdict).toBe("good")
    expect(trial([100_000, 10], [10_000, 60]).verdict).toBe("worse")
    expect(trial([9000, 3], [80, 12], { ...analysis, samplesMin: 80 })).toEqual({
      verdict: "worse",
      why: expect.stringMatching(/^canary 12 of 80 requests failed \(15 %\), stable 3 of 9,000 requests failed \(0\.033 %\), p at most \d\.\de-\d+$/),
    })
    expect(trial([900, 3], [100, 4]).why).toContain("in doubt: canary 4 of 100")
  })

  test("nothing to compare", () => {
    expect(trial([200, 100], [200, 200], { ...analysis, errors: null, latency: null })).toEqual({ verdict: "good", why: "nothing is compared" })
  })
})
