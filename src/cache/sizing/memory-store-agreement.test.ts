import { expect, test } from "bun:test"
import { Key } from "../store/key.ts"
import { MB, TestStore } from "../store/memory/memory-store.fixture.ts"
import { CacheSizing } from "./cache-sizing.ts"
import { makeTrace, type Trace } from "./traces.fixture.ts"

// The simulation stands for the memory store: both get the same requests, and hit equally often.
const trace = makeTrace({ name: "a site", requests: 60_000, objects: 15_000, alpha: 0.9, onceShare: 0.1, driftEvery: 100, burstShare: 0.1 }, 6)
// bodies a quarter as large as usual, so that there is little to copy
trace.sizes.forEach((bytes, id) => void (trace.sizes[id] = Math.ceil(bytes / 4)))
const head = Buffer.alloc(400, "h")
const octets = new Uint8Array(MB)

/** Share of the requests that the store itself answers. */
function storeHitRatio(of: Trace, bytes: number): number {
  const { store } = new TestStore({ bytes })
  let hits = 0
  for (const id of of.ids) {
    const key = new Key(`http://shop.example/item/${id}`, "cluster:shop")
    const found = store.find(key)
    if (found !== null) {
      hits++
      found.touch()
      found.release()
      continue
    }
    const entry = store.begin(key, false)
    if (entry === null) continue
    let left = of.sizes[id]!
    let isFine = entry.setHead(head, left, [])
    for (; isFine && left > 0; left -= MB) isFine = entry.append(octets.subarray(0, Math.min(left, MB)))
    if (isFine) entry.complete()
    entry.release()
  }
  return hits / of.ids.length
}

for (const size of [2, 8, 32]) {
  test(`${size} MB`, () => {
    const sizing = new CacheSizing({ capacities: [size * MB] })
    for (const id of trace.ids) sizing.add(`http://shop.example/item/${id}`, trace.sizes[id]!, true)
    // 0.1 points apart when this was written
    expect(Math.abs(sizing.report().rows[0]!.hitRatio - storeHitRatio(trace, size * MB))).toBeLessThan(0.01)
  })
}
