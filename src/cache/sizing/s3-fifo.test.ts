import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { S3Fifo, type S3FifoShape } from "./s3-fifo.ts"

/** The same, written for reading: lists of objects, the oldest first. */
class Model {
  small: number[] = []
  main: number[] = []
  ghost: number[] = []
  readonly uses = new Map<number, number>()
  readonly shape: S3FifoShape
  readonly sizes: Float64Array

  constructor(shape: S3FifoShape, sizes: Float64Array) {
    this.shape = shape
    this.sizes = sizes
  }

  bytes(ids: readonly number[]): number {
    return ids.reduce((sum, id) => sum + this.sizes[id]!, 0)
  }

  request(id: number): boolean {
    if (this.small.includes(id) || this.main.includes(id)) {
      this.uses.set(id, Math.min(3, this.uses.get(id)! + 1))
      return true
    }
    if (this.sizes[id]! > this.shape.entryBytesMax) return false
    const remembered = this.ghost.includes(id)
    this.ghost = this.ghost.filter(other => other !== id)
    this.makeRoom(this.sizes[id]!)
    ;(remembered ? this.main : this.small).push(id)
    this.uses.set(id, 0)
    return false
  }

  makeRoom(bytes: number): void {
    const { capacity } = this.shape
    while (this.bytes(this.small) + this.bytes(this.main) + bytes > capacity && this.small.length + this.main.length > 0) {
      if (this.bytes(this.small) > capacity * 0.1 || this.main.length === 0) {
        const id = this.small.shift()!
        if (this.uses.get(id)! >= 2) {
          this.main.push(id)
          this.uses.set(id, 0)
        } else {
          this.ghost.push(id)
          this.trimGhost()
        }
      } else {
        const id = this.main.shift()!
        const uses = this.uses.get(id)!
        if (uses > 0) this.main.push(id)
        this.uses.set(id, uses - 1)
      }
    }
  }

  trimGhost(): void {
    while (this.bytes(this.ghost) > this.shape.capacity * 0.9) this.ghost.shift()
  }
}

describe("S3-FIFO", () => {
  test("what is asked once leaves through the small queue; what comes back in time stays", () => {
    const sizes = new Float64Array(30).fill(10)
    const cache = new S3Fifo({ capacity: 100, entryBytesMax: 50 }, sizes)
    const ask = (...ids: number[]) => ids.map(id => cache.request(id))
    for (let id = 0; id < 10; id++) expect(cache.request(id)).toBe(false)
    expect([cache.bytes, cache.entries]).toEqual([100, 10])
    // the first two are used twice and will be kept, when the others pass by
    expect(ask(0, 0, 1, 1)).toEqual([true, true, true, true])
    for (let id = 10; id < 20; id++) expect(cache.request(id)).toBe(false)
    expect(ask(0, 1)).toEqual([true, true])
    // 15 left a moment ago: it comes back into the main queue, and stays there over a walk through others
    cache.request(20)
    expect(cache.request(12)).toBe(false)
    for (let id = 21; id < 30; id++) cache.request(id)
    expect(ask(12, 0, 1)).toEqual([true, true, true])
  })

  test("an entry over the limit is never kept", () => {
    const cache = new S3Fifo({ capacity: 100, entryBytesMax: 50 }, Float64Array.of(51, 50))
    expect([cache.request(0), cache.request(0), cache.request(1), cache.request(1)]).toEqual([false, false, false, true])
  })

  test("by size: a small entry needs one use, a large one three", () => {
    const sizes = new Float64Array(60).fill(10)
    sizes[0] = 1
    sizes[1] = 40
    const after = (bySize: boolean) => {
      const cache = new S3Fifo({ capacity: 200, entryBytesMax: 50, bySize }, sizes)
      for (const id of [0, 0, 1, 1, 1]) cache.request(id)
      for (let id = 2; id < 40; id++) cache.request(id)
      return [cache.request(0), cache.request(1)]
    }
    expect(after(false)).toEqual([false, true])
    expect(after(true)).toEqual([true, false])
  })

  const objects = 25
  const step = fc.oneof(
    { weight: 9, arbitrary: fc.record({ kind: fc.constant("request" as const), id: fc.nat(objects - 1) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("resize" as const), id: fc.nat(objects - 1), bytes: fc.integer({ min: 1, max: 30 }) }) },
  )

  test("as the model, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: objects, maxLength: objects }),
        fc.array(step, { maxLength: 300 }),
        (bytes, steps) => {
          const sizes = Float64Array.from(bytes)
          const shape = { capacity: 100, entryBytesMax: 25 }
          const cache = new S3Fifo(shape, sizes)
          const model = new Model(shape, sizes)
          for (const each of steps) {
            if (each.kind === "request") expect(cache.request(each.id)).toBe(model.request(each.id))
            else {
              const delta = each.bytes - sizes[each.id]!
              const isKept = [model.small, model.main, model.ghost].some(ids => ids.includes(each.id))
              sizes[each.id] = each.bytes
              cache.resize(each.id, delta)
              if (isKept) model.makeRoom(0)
              if (isKept) model.trimGhost()
            }
            expect(cache.bytes).toBe(model.bytes([...model.small, ...model.main]))
            expect(cache.bytes).toBeLessThanOrEqual(shape.capacity)
          }
        },
      ),
      { seed: 7, numRuns: 200 },
    )
  })

  test("half of the objects in half of the cache go on as they were", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(39), { maxLength: 200 }), fc.array(fc.nat(19), { maxLength: 100 }), (before, after) => {
        // even objects only, so that the odd ones, which go, were never there
        const whole = new S3Fifo({ capacity: 100, entryBytesMax: 50 }, new Float64Array(40).fill(10))
        const same = new S3Fifo({ capacity: 100, entryBytesMax: 50 }, new Float64Array(40).fill(10))
        for (const id of before) if (id % 2 === 0) expect(whole.request(id)).toBe(same.request(id / 2))
        whole.renumber(
          Int32Array.from({ length: 40 }, (_, id) => (id % 2 === 0 ? id / 2 : -1)),
          100,
          50,
        )
        for (const id of after) expect(whole.request(id)).toBe(same.request(id))
        whole.renumber(
          Int32Array.from({ length: 40 }, () => -1),
          50,
          25,
        )
        expect([whole.bytes, whole.entries]).toEqual([0, 0])
      }),
      { seed: 8, numRuns: 200 },
    )
  })
})
