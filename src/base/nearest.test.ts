import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { editDistance, nearest } from "./nearest.ts"

const words = ["listeners", "clusters", "routes", "to", "via", "least-requests", "round-robin"]

describe("nearest", () => {
  test.each([
    ["liseners", "listeners"],
    ["Listeners", "listeners"],
    ["litseners", "listeners"],
    ["route", "routes"],
    ["leastRequests", "least-requests"],
    ["least_request", "least-requests"],
    ["vai", "via"],
    ["too", "to"],
    ["roundrobin", "round-robin"],
  ])("%p is %p", (typed, word) => expect(nearest(typed, words)).toBe(word))

  test.each(["frobnicate", "x", "", "hostname", "observe"])("%p is none of them", typed => expect(nearest(typed, words)).toBeNull())
})

describe("edit distance", () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom("a", "b", "c") })

  test("is a distance", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b, 99)
        expect(distance).toBe(editDistance(b, a, 99))
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
      { seed: 21 },
    )
  })

  test("stops at the limit and not before", () => {
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 6 }), (a, b, limit) => editDistance(a, b, limit) === Math.min(limit, editDistance(a, b, 99))),
      { seed: 22 },
    )
  })

  test("one slip is one", () => {
    fc.assert(
      fc.property(word, fc.nat(12), (a, at) => editDistance(a, `${a.slice(0, at)}x${a.slice(at)}`, 9) === 1),
      { seed: 23 },
    )
    expect(editDistance("ab", "ba", 9)).toBe(1)
  })
})
