import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Tried, TriedTail } from "./tried.ts"

describe("Tried", () => {
  test("is a set of small integers, below and above 32", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200)), indexes => {
        const tried = new Tried()
        for (const index of indexes) tried.add(index)
        const wanted = new Set(indexes)
        expect(tried.count).toBe(wanted.size)
        for (let index = 0; index <= 200; index++) expect(tried.has(index)).toBe(wanted.has(index))
        tried.reset()
        expect(tried.count).toBe(0)
        for (const index of indexes) expect(tried.has(index)).toBe(false)
      }),
      { seed: 1, numRuns: 100 },
    )
  })

  test("the sign bit and its neighbour are their own", () => {
    const tried = new Tried()
    tried.add(31)
    expect([tried.has(30), tried.has(31), tried.has(32), tried.has(63)]).toEqual([false, true, false, false])
  })

  test("a tail sees the set from its offset on", () => {
    const tried = new Tried()
    for (const index of [1, 3, 40]) tried.add(index)
    const tail = new TriedTail()
    expect([tail.has(0), tail.count]).toEqual([false, 0])
    tail.over(tried, 3)
    expect([tail.has(0), tail.has(1), tail.has(37), tail.count]).toEqual([true, false, true, 3])
    expect(tail.over(new Tried(), 3).has(0)).toBe(false)
  })
})
