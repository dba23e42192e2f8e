import { beforeEach, describe, expect, test } from "bun:test"
import type { MemoryEntry } from "../contract.ts"
import { S3Fifo } from "../../sizing/s3-fifo.ts"
import { makeTrace } from "../../sizing/traces.fixture.ts"
import { CHAIN_MAX } from "./chains.ts"
import { Key } from "../key.ts"
import { bodyOf, head, MB, readBody, TestStore } from "./memory-store.fixture.ts"

let t: TestStore
beforeEach(() => {
  t = new TestStore()
})

describe("eviction", () => {
  test("keeps within the limit, and what is used stays", () => {
    const used = new Key("http://used/", "")
    t.fill(used, bodyOf(2000))
    for (let i = 0; i < 3000; i++) {
      const found = t.store.find(used)!
      found.touch()
      found.release()
      expect(t.fill(new Key(`http://once/${i}`, ""), bodyOf(1500 + (i % 700)), [], i % 2 === 0)).toBe(true)
      expect(t.control.stats().usedBytes).toBeLessThanOrEqual(MB)
    }
    expect(t.control.stats().evicted).toBeGreaterThan(2000)
    expect(t.control.stats().usedBytes).toBeGreaterThan(MB * 0.95)
  })

  test("answers as many requests as the simulation of its policy does", () => {
    const trace = makeTrace({ name: "bursts", requests: 60_000, objects: 15_000, alpha: 0.9, onceShare: 0.15, burstShare: 0.3 }, 1)
    const keys = Array.from(trace.sizes, (_, id) => new Key(`http://trace/${id}`, ""))
    // an eighth of the sizes, in whole units, with the key and the head
    const bodies = trace.sizes.map(size => Math.ceil(size / 8))
    const sizes = bodies.map((size, id) => Math.ceil((size + head.length + keys[id]!.text.length) / 256) * 256)
    const capacity = 4 * MB
    t = new TestStore({ bytes: capacity, entryBytesMax: capacity / 8, entriesMax: 16_384 })
    const simulation = new S3Fifo({ capacity, entryBytesMax: capacity / 8, bySize: true }, sizes)
    const octets = new Uint8Array(capacity / 8)
    let hits = 0
    let simulated = 0
    for (const id of trace.ids) {
      if (simulation.request(id)) simulated++
      const found = t.store.find(keys[id]!)
      if (found !== null) {
        hits++
        found.touch()
        found.release()
      } else if (sizes[id]! <= capacity / 8) t.fill(keys[id]!, octets.subarray(0, bodies[id]))
    }
    expect(simulated).toBeGreaterThan(20_000)
    if (process.env.STRESS_SAYS) console.log({ hits, simulated })
    expect(Math.abs(hits - simulated) / trace.ids.length).toBeLessThan(0.01)
  })

  test("leaves what is held and what is being filled", () => {
    const held = new Key("http://held/", "")
    t.fill(held, bodyOf(2000))
    const reader = t.store.find(held)!
    const filler = t.begin(new Key("http://filling/", ""))
    filler.setHead(head, 2000, [])
    for (let i = 0; i < 1000; i++) t.fill(new Key(`http://once/${i}`, ""), bodyOf(2000))
    expect(filler.append(bodyOf(2000))).toBe(true)
    expect(filler.live).toBe(true)
    expect(reader.live).toBe(true)
    expect(readBody(reader)).toEqual(Buffer.from(bodyOf(2000)))
    reader.release()
    filler.release()
  })

  test("a group has no more entries than a chain takes, and the oldest go first", () => {
    t = new TestStore({ bytes: 4 * MB })
    for (let i = 0; i < CHAIN_MAX + 20; i++) expect(t.fill(new Key("http://a/", `#${i}`), bodyOf(10))).toBe(true)
    expect(t.control.stats().entries).toBe(CHAIN_MAX)
    expect(t.store.find(new Key("http://a/", "#19"))).toBeNull()
    t.store.find(new Key("http://a/", "#20"))!.release()
    expect(t.store.removeGroup(new Key("http://a/", ""), false)).toBe(CHAIN_MAX)
    for (let i = 0; i < CHAIN_MAX; i++) t.begin(new Key("http://a/", `#${i}`))
    expect(t.store.begin(new Key("http://a/", "#one more"), false)).toBeNull()
    expect(t.control.stats().refused.crowded).toBe(1)
  })

  test("when all is held there is no room, and nothing is lost", () => {
    const readers: MemoryEntry[] = []
    for (let i = 0; ; i++) {
      const key = new Key(`http://held/${i}`, "")
      if (!t.fill(key, bodyOf(20_000))) break
      readers.push(t.store.find(key)!)
    }
    expect(readers.length).toBeGreaterThan(45)
    expect(t.control.stats().refused.noRoom).toBeGreaterThan(0)
    for (const reader of readers) reader.release()
    expect(t.fill(new Key("http://more/", ""), bodyOf(100_000))).toBe(true)
  })
})

describe("holding and claiming", () => {
  const key = new Key("http://a/", "")

  test("an entry is held again by its place and generation while it lives", () => {
    t.fill(key, bodyOf(10))
    const found = t.store.find(key)!
    const { place, generation } = found
    found.release()
    t.store.hold(place, generation)!.release()
    expect(t.store.hold(place, generation + 1)).toBeNull()
    t.store.removeKey(key)
    expect(t.store.hold(place, generation)).toBeNull()
    t.fill(new Key("http://b/", ""), bodyOf(10))
    expect(t.store.hold(place, generation)).toBeNull()
  })

  test("a claim is one caller's until it lapses", () => {
    t.fill(key, bodyOf(10))
    const found = t.store.find(key)!
    const now = Date.now() + 1000
    expect(found.claim(now, now + 5000)).toBe(true)
    expect(found.claim(now + 4800, now + 9000)).toBe(false)
    expect(found.claim(now + 5200, now + 9000)).toBe(true)
    found.unclaim()
    expect(found.claim(now + 5200, now + 9000)).toBe(true)
    found.release()
  })
})
