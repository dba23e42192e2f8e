import { describe, expect, test } from "bun:test"
import { type Fault, FAULT, FakeClock, TimerWheel } from "../../base/index.ts"
import { Exchange, NEXT, type Plan, type Verdict } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import type { SplitConfig } from "../schema/split.ts"
import { SplitShares } from "./split-shares.ts"
import { SplitStep } from "./split-step.ts"
import { bucketEndMs, bucketsFor, LATENCY_BUCKETS, SHARE_ONE, SplitZone } from "./split-zone.ts"

function configOf(weights: readonly number[], more: Partial<SplitConfig> = {}): SplitConfig {
  const arms = weights.map((weight, i) => ({ name: `arm${i}`, cluster: `c${i}`, weight, match: null }))
  return { arms, stick: null, salt: "", force: null, canaryArm: weights.length - 1, canary: null, persist: null, ...more }
}

function zoneOf(config: SplitConfig): SplitZone {
  return new SplitZone(new SharedArrayBuffer(SplitZone.memoryOf("r", config).bytes))
}

const plans = ["c0", "c1", "c2"].map(cluster => ({ bodyBytesMax: 0, tunnelIdleMs: 0, route: { cluster } }) as Plan)

function stepOf(config: SplitConfig): { step: SplitStep; zone: SplitZone; clock: FakeClock; choose: (x?: Exchange) => string } {
  const zone = zoneOf(config)
  const clock = new FakeClock()
  const time = { clock, wheel: new TimerWheel(0) }
  const step = new SplitStep({
    config,
    zone,
    shares: new SplitShares(config, zone),
    time,
    matches: config.arms.map(() => null),
    slot: 3,
    notes: null,
  })
  step.complete(plans.slice(0, config.arms.length))
  const choose = (x = exchange()): string => {
    expect(step.choose(x)).toBe(NEXT)
    return x.plan!.route.cluster
  }
  return { step, zone, clock, choose }
}

function exchange(fields: readonly (readonly [string, string])[] = [], client = "192.0.2.1"): Exchange {
  const x = new Exchange()
  x.plan = plans[0]!
  x.clientAddress = client
  x.request = Fields.of(fields)
  x.response = Fields.of([])
  return x
}

describe("shares", () => {
  test("a place goes to one arm, and each arm has its share of the line", () => {
    for (const weights of [
      [90, 10],
      [1, 1, 1],
      [5, 3, 1, 1],
      [0, 1],
      [1, 0],
      [999, 1],
    ]) {
      const config = configOf(weights)
      const shares = new SplitShares(config, zoneOf(config))
      const sum = weights.reduce((total, weight) => total + weight, 0)
      const seen = weights.map(() => 0)
      for (let i = 0; i < 10_000; i++) seen[shares.armAt(Math.floor(((i + 0.5) / 10_000) * SHARE_ONE))]!++
      for (const [i, weight] of weights.entries()) expect(Math.abs(seen[i]! / 10_000 - weight / sum)).toBeLessThan(0.0005)
      expect(shares.now().map(share => Number(share.toFixed(6)))).toEqual(weights.map(weight => Number((weight / sum).toFixed(6))))
    }
  })

  test("up to three arms, one that grows takes from the first alone; whoever was on another stays", () => {
    for (const grows of [1, 2]) {
      const config = configOf([60, 20, 20], { canaryArm: 1 })
      const zone = zoneOf(config)
      const shares = new SplitShares(config, zone)
      const at = (): number[] => Array.from({ length: 1000 }, (_, i) => shares.armAt(Math.floor((i / 1000) * SHARE_ONE)))
      let before = at()
      for (const share of [0.25, 0.4, 0.6, 0.8]) {
        zone.setShare(grows, Math.round(share * SHARE_ONE))
        const after = at()
        for (const [i, arm] of after.entries()) if (arm !== before[i]) expect([before[i], arm]).toEqual([0, grows])
        before = after
      }
    }
  })

  test("the ends are exact, and a canary with everything leaves nothing to others", () => {
    const config = configOf([50, 30, 20])
    const zone = zoneOf(config)
    const shares = new SplitShares(config, zone)
    zone.setShare(2, SHARE_ONE)
    expect([shares.armAt(0), shares.armAt(SHARE_ONE - 1), shares.now()]).toEqual([2, 2, [0, 0, 1]])
    zone.setShare(2, 0)
    expect([shares.armAt(0), shares.armAt(SHARE_ONE - 1)]).toEqual([0, 1])
    zone.setShare(2, -1)
    expect(shares.now()[2]).toBeCloseTo(0.2, 6)
  })

  test("where the canary is the first arm, the second has the rest", () => {
    const config = configOf([10, 90], { canaryArm: 0 })
    const shares = new SplitShares(config, zoneOf(config))
    expect([shares.base, shares.armAt(0), shares.armAt(SHARE_ONE - 1)]).toEqual([1, 0, 1])
  })
})

describe("the memory", () => {
  test("places are spread evenly whoever takes them, also past 2^32 of them", () => {
    const config = configOf([1, 1])
    const { bytes } = SplitZone.memoryOf("r", config)
    const memory = new SharedArrayBuffer(bytes)
    for (const start of [0, 2 ** 31 - 5000, -5000]) {
      new Int32Array(memory)[0] = start
      const workers = [new SplitZone(memory), new SplitZone(memory)]
      const seen = new Array<number>(10).fill(0)
      for (let i = 0; i < 10_000; i++) seen[Math.floor((workers[i & 1]!.nextPlace() / SHARE_ONE) * 10)]!++
      for (const count of seen) expect(Math.abs(count - 1000)).toBeLessThanOrEqual(5)
    }
  })

  test("its key is that of route, arms and weights, and of nothing else", () => {
    const key = (config: SplitConfig, route = "r"): string => SplitZone.memoryOf(route, config).key
    const config = configOf([90, 10])
    expect(key(configOf([90, 10], { stick: { kind: "key", value: "$client" } }))).toBe(key(config))
    for (const other of [key(configOf([80, 20])), key(configOf([90, 10, 0])), key(config, "s")]) expect(other).not.toBe(key(config))
  })

  test("times are counted by buckets that are nine percent apart", () => {
    const zone = zoneOf(configOf([1, 1]))
    for (const ms of [0, -1, Number.NaN, 0.2, 3, 3.01, 1e9]) zone.count(1, ms, false)
    zone.count(1, 3, true)
    const { requests, failures, latency } = zone.read(1)
    expect([requests, failures, latency[0], latency[LATENCY_BUCKETS - 1]]).toEqual([8, 1, 4, 1])
    const bucket = latency.findIndex((count, i) => i > 0 && count > 0)
    expect([bucketEndMs(bucket) >= 3, bucketEndMs(bucket - 1) < 3]).toEqual([true, true])
    expect([bucketsFor(1), bucketsFor(1.5), bucketsFor(2)]).toEqual([0, 5, 8])
  })
})

describe("choosing", () => {
  test("an empty key is the client's address; a salt puts keys elsewhere", () => {
    const stick = { kind: "key", value: "$user" } as const
    const { choose } = stepOf(configOf([50, 50], { stick }))
    const client = stepOf(configOf([50, 50], { stick: { kind: "key", value: "$client" } })).choose
    const salted = stepOf(configOf([50, 50], { stick, salt: "b" })).choose
    const clients = Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`)
    const at = (of: typeof choose): string => clients.map(address => of(exchange([], address))).join("")
    expect(at(choose)).toBe(at(client))
    expect(at(choose)).not.toBe(at(salted))
  })

  test("several cookies of the name: the first that is a place counts", () => {
    const { choose, step } = stepOf(configOf([50, 50], { stick: { kind: "cookie", name: "p", ttl: 60_000 } }))
    expect(choose(exchange([["Cookie", "p=bad; a=b; p=3fffffff; p=00000000"]]))).toBe("c0")
    const x = exchange([["Cookie", "a=b; p=00000000"]])
    expect([choose(x), x.request.find("cookie")]).toEqual(["c1", "a=b"])
    const fresh = exchange()
    choose(fresh)
    fresh.scheme = "https"
    step.tell(fresh)
    expect(fresh.response.extra).toMatch(
      /^Set-Cookie: p=[0-3][0-9a-f]{7}; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\nCache-Control: private\r\n$/,
    )
    step.tell(x)
    expect(x.response.extra).toBe("")
  })

  test("an answer that is a fault of ours sets no cookie", () => {
    const { choose, step } = stepOf(configOf([50, 50], { stick: { kind: "cookie", name: "p", ttl: null } }))
    const x = exchange()
    choose(x)
    x.fault = FAULT.noPeer
    step.tell(x)
    expect(x.response.extra).toBe("")
  })

  test("limits are those of the listener that the request came from", () => {
    const { step } = stepOf(configOf([1, 1]))
    const x = exchange()
    x.plan = { ...plans[0]!, bodyBytesMax: 7, tunnelIdleMs: 9 }
    step.choose(x)
    expect(x.plan).toMatchObject({ bodyBytesMax: 7, tunnelIdleMs: 9, route: { cluster: "c1" } })
  })
})

describe("counting", () => {
  const next = (): Verdict => NEXT
  const steps = { peer: next, forward: next, judge: next, finish: next, retry: () => false }

  test("failures are 5xx, and faults but the client's and filters'", () => {
    const cases: [Fault | null, number, boolean | null][] = [
      [null, 200, false],
      [null, 404, false],
      [null, 500, true],
      [FAULT.connectRefused, 502, true],
      [FAULT.truncated, 200, true],
      [FAULT.noPeer, 503, true],
      [FAULT.requestTimeout, 504, true],
      [FAULT.aborted, 499, false],
      [FAULT.bodyTooLarge, 413, null],
      [FAULT.threw, 500, null],
    ]
    for (const [fault, status, failed] of cases) {
      const { step, zone, clock } = stepOf(configOf([0, 1]))
      const counted = step.counted(steps, 1)
      const x = exchange()
      step.choose(x)
      counted.peer(x)
      clock.advance(20)
      x.fault = fault
      x.status = status
      counted.finish(x)
      const { requests, failures } = zone.read(1)
      expect([fault?.code, requests, failures]).toEqual([fault?.code, failed === null ? 0 : 1, failed === true ? 1 : 0])
    }
  })

  test("so are calls of gRPC that the server fails, and none that it refuses", () => {
    for (const [status, failed] of [
      [0, 0],
      [5, 0],
      [13, 1],
      [14, 1],
      [16, 0],
    ] as const) {
      const { step, zone } = stepOf(configOf([0, 1]))
      const counted = step.counted(steps, 1)
      const x = exchange()
      step.choose(x)
      counted.peer(x)
      x.method = "POST"
      x.status = 200
      x.pump.responseTrailers = `grpc-status: ${status}\r\n`
      counted.finish(x)
      expect([status, zone.read(1).failures]).toEqual([status, failed])
    }
  })

  test("a time is that from sending to the head; without an answer, all of it", () => {
    for (const [sentAt, headAt, ms] of [
      [30, 50, 20],
      [0, 0, 100],
      // An earlier attempt had a head, the last one has none.
      [60, 50, 100],
    ] as const) {
      const { step, zone, clock } = stepOf(configOf([0, 1]))
      const counted = step.counted(steps, 1)
      const x = exchange()
      step.choose(x)
      counted.peer(x)
      clock.advance(100)
      x.sentAt = sentAt
      x.headAt = headAt
      counted.finish(x)
      const bucket = zone.read(1).latency.indexOf(1)
      expect([bucketEndMs(bucket) >= ms, bucketEndMs(bucket - 1) < ms]).toEqual([true, true])
    }
  })

  test("whoever did not come to the peer is not counted, and who was sent there by force is counted apart", () => {
    const { step, zone } = stepOf(configOf([1, 0], { force: { header: "X-C", cookie: null } }))
    const counted = step.counted(steps, 1)
    const x = exchange([["X-C", "always"]])
    step.choose(x)
    counted.finish(x)
    expect(zone.read(1)).toMatchObject({ requests: 0, forced: 0 })
    counted.peer(x)
    counted.finish(x)
    expect(zone.read(1)).toMatchObject({ requests: 0, forced: 1 })
  })
})
