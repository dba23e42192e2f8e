import { describe, expect, test } from "bun:test"
import { Lru } from "./lru.fixture.ts"
import { S3Fifo } from "./s3-fifo.ts"
import { makeTrace } from "./traces.fixture.ts"
import { WTinyLfu } from "./w-tiny-lfu.fixture.ts"

// The claims of docs/decisions/0019, on a short trace; the figures there are from eviction-bench.ts.
const requests = 200_000
const plain = makeTrace({ name: "plain", requests, objects: 50_000, alpha: 0.9, onceShare: 0.08 }, 5)
const moving = makeTrace({ name: "moving", requests, objects: 50_000, alpha: 0.9, onceShare: 0.15, driftEvery: 50, burstShare: 0.2 }, 5)

function hitRatio(trace: typeof plain, policy: { request(id: number): boolean; readonly bytes: number }, capacity: number): number {
  let hits = 0
  for (const [i, id] of trace.ids.entries()) {
    if (policy.request(id)) hits++
    if (i % 1000 === 0 && policy.bytes > capacity) throw new Error(`${policy.bytes} octets in a cache of ${capacity}`)
  }
  return hits / trace.ids.length
}

function ratios(trace: typeof plain, share: number): { lru: number; s3: number; bySize: number; tiny: number } {
  const capacity = trace.footprint * share
  const room = { capacity, entryBytesMax: capacity / 4, entries: Math.round(trace.objects * share) }
  return {
    lru: hitRatio(trace, new Lru(room, trace.sizes), capacity),
    s3: hitRatio(trace, new S3Fifo(room, trace.sizes), capacity),
    bySize: hitRatio(trace, new S3Fifo({ ...room, bySize: true }, trace.sizes), capacity),
    tiny: hitRatio(trace, new WTinyLfu(room, trace.sizes), capacity),
  }
}

describe("made-up requests", () => {
  test("are as they were asked for: one-hit wonders, sizes, the same again with the same seed", () => {
    expect(plain.askedOnce).toBeGreaterThan(0.5)
    expect(plain.askedOnce).toBeLessThan(0.7)
    const sorted = plain.sizes.toSorted()
    expect(sorted[sorted.length >> 1]! / 8192).toBeCloseTo(1, 1)
    expect(makeTrace({ name: "again", requests: 1000, objects: 100, alpha: 1, onceShare: 0.1 }, 3).ids).toEqual(
      makeTrace({ name: "again", requests: 1000, objects: 100, alpha: 1, onceShare: 0.1 }, 3).ids,
    )
  })
})

describe("how entries are chosen to go", () => {
  for (const share of [0.01, 0.1]) {
    test(`S3-FIFO beats LRU, and by size beats it further: ${share * 100} % of the footprint`, () => {
      for (const trace of [plain, moving]) {
        const { lru, s3, bySize } = ratios(trace, share)
        expect(s3).toBeGreaterThan(lru + 0.02)
        expect(bySize).toBeGreaterThan(s3 + 0.005)
      }
    })
  }

  test("W-TinyLFU wins by requests where nothing changes, and loses when the crowd moves on", () => {
    const still = ratios(plain, 0.01)
    expect(still.tiny).toBeGreaterThan(still.s3 + 0.01)
    const crowd = ratios(moving, 0.1)
    expect(crowd.tiny).toBeLessThan(crowd.bySize - 0.01)
  })

  test("LRU is LRU", () => {
    const lru = new Lru({ capacity: 30, entryBytesMax: 20 }, Float64Array.of(10, 10, 10, 10, 21))
    expect([0, 1, 2, 0, 3, 1, 0, 4, 4].map(id => lru.request(id))).toEqual([false, false, false, true, false, false, true, false, false])
  })
})
