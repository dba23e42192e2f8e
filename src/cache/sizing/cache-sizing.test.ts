import { describe, expect, test } from "bun:test"
import { CacheSizing, ENTRY_OVERHEAD_BYTES } from "./cache-sizing.ts"
import { makeTrace } from "./traces.fixture.ts"

const MB = 1024 ** 2

function feed(sizing: CacheSizing, requests: readonly (readonly [string, number])[]): void {
  for (const [url, bytes] of requests) sizing.add(url, bytes, true)
}

describe("cache sizing", () => {
  test("nothing asked, nothing said", () => {
    expect(new CacheSizing({ capacities: [MB] }).report()).toEqual({
      requests: 0,
      octets: 0,
      urls: 0,
      footprint: 0,
      askedOnce: 0,
      share: 1,
      rows: [{ capacity: MB, hitRatio: 0, octetHitRatio: 0, entries: 0, rough: false }],
      unlimited: { hitRatio: 0, octetHitRatio: 0 },
    })
  })

  test("requests and octets apart; what does not fit misses; an unlimited cache misses what is new", () => {
    const sizing = new CacheSizing({ capacities: [MB, 8 * MB, 8 * MB] })
    // 1 MB is more than a quarter of the small cache
    feed(sizing, [
      ["/a", MB],
      ["/b", 1000],
      ["/a", MB],
      ["/b", 1000],
      ["/b", 1000],
    ])
    const { rows, unlimited, ...facts } = sizing.report()
    expect(facts).toEqual({ requests: 5, octets: 2 * MB + 3000, urls: 2, footprint: MB + 1000, askedOnce: 0, share: 1 })
    expect(rows.map(row => [row.capacity, row.hitRatio, row.entries])).toEqual([
      [MB, 0.4, 1],
      [8 * MB, 0.6, 2],
    ])
    expect(rows.map(row => row.octetHitRatio)).toEqual([2000 / (2 * MB + 3000), (MB + 2000) / (2 * MB + 3000)])
    expect(unlimited).toEqual({ hitRatio: rows[1]!.hitRatio, octetHitRatio: rows[1]!.octetHitRatio })
  })

  test("an answer without its body asks for the object, and says nothing of its size", () => {
    const sizing = new CacheSizing({ capacities: [MB] })
    sizing.add("/unknown", 0, false)
    sizing.add("/unknown", 0, false)
    expect(sizing.report()).toMatchObject({ requests: 2, urls: 0, unlimited: { hitRatio: 0 } })
    sizing.add("/a", 1000, true)
    sizing.add("/a", 0, false)
    sizing.add("/a", 400, false)
    expect(sizing.report()).toMatchObject({ requests: 5, footprint: 1000, unlimited: { hitRatio: 0.4 } })
    // a client that left too early saw less than there was
    sizing.add("/cut", 400, false)
    sizing.add("/cut", 500, false)
    expect(sizing.report().footprint).toBe(1500)
  })

  test("a body that grows counts as it is", () => {
    const sizing = new CacheSizing({ capacities: [10_000] })
    feed(sizing, [
      ["/a", 1000 - ENTRY_OVERHEAD_BYTES],
      ["/b", 1000 - ENTRY_OVERHEAD_BYTES],
      ["/a", 9500 - ENTRY_OVERHEAD_BYTES],
    ])
    expect(sizing.report()).toMatchObject({ footprint: 10_500 - 2 * ENTRY_OVERHEAD_BYTES, rows: [{ entries: 1 }] })
  })

  test("the share of the URLs that were asked for once", () => {
    const sizing = new CacheSizing({ capacities: [MB] })
    feed(sizing, [
      ["/a", 1],
      ["/b", 1],
      ["/c", 1],
      ["/d", 1],
      ["/a", 1],
    ])
    expect(sizing.report().askedOnce).toBe(0.75)
  })

  test("a sample tells what all would: with one URL in 8 or 16, within a point and a half of the requests and five of the octets", () => {
    for (const [alpha, seed, share] of [
      [0.8, 9, 1 / 16],
      [1, 10, 1 / 8],
    ] as const) {
      const trace = makeTrace({ name: "a site", requests: 500_000, objects: 150_000, alpha, onceShare: 0.1, burstShare: 0.1 }, seed)
      const capacities = [64 * MB, 1024 * MB, 4096 * MB]
      const all = new CacheSizing({ capacities })
      const some = new CacheSizing({ capacities, objectsMax: 16_384 })
      for (const id of trace.ids) {
        all.add(`shop.example/item/${id}`, trace.sizes[id]!, true)
        some.add(`shop.example/item/${id}`, trace.sizes[id]!, true)
      }
      const [exact, guess] = [all.report(), some.report()]
      expect(exact).toMatchObject({ urls: trace.objects, footprint: trace.footprint, share: 1 })
      expect(guess).toMatchObject({ requests: 500_000, octets: exact.octets, share })
      expect(Math.abs(guess.urls / exact.urls - 1)).toBeLessThan(0.05)
      expect(Math.abs(guess.footprint / exact.footprint - 1)).toBeLessThan(0.2)
      expect(guess.rows.map(row => row.rough)).toEqual([true, false, false])
      for (const [i, row] of guess.rows.entries()) {
        expect(Math.abs(row.hitRatio - exact.rows[i]!.hitRatio)).toBeLessThan(row.rough ? 0.06 : 0.015)
        if (!row.rough) expect(Math.abs(row.octetHitRatio - exact.rows[i]!.octetHitRatio)).toBeLessThan(0.05)
      }
      expect(Math.abs(guess.unlimited.hitRatio - exact.unlimited.hitRatio)).toBeLessThan(0.015)
    }
  })

  test("a cache too small for the sample says so", () => {
    const sizing = new CacheSizing({ capacities: [MB, 1024 * MB], objectsMax: 4000 })
    for (let i = 0; i < 20_000; i++) sizing.add(`/${i}`, 2000, true)
    expect(sizing.report()).toMatchObject({ share: 1 / 8, rows: [{ rough: true }, { rough: false }] })
  })
})
