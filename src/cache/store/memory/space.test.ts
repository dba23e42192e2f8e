import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Random } from "../../../base/index.ts"
import { audit } from "./audit.fixture.ts"
import { createMemoryStore } from "./create-memory-store.ts"
import { NO_UNIT } from "./space.ts"
import { StoreParts } from "./store-parts.ts"

function partsOf(bytes: number, segmentBytes: number): StoreParts {
  return new StoreParts(createMemoryStore({ bytes, threadsMax: 1, segmentBytes }), 0)
}

describe("space", () => {
  test("has all units of a store whose size is no power of two, in more than one segment", () => {
    const parts = partsOf(300 * 1024 + 77, 128 * 1024)
    expect(parts.space.unitsFree).toBe(1200)
    expect(parts.space.runMax).toBe(512)
    expect(audit(parts)).toEqual([])
    const chain = parts.space.allocateChain(1200)
    expect(parts.space.unitsFree).toBe(0)
    expect(parts.space.allocateRun(1)).toBe(NO_UNIT)
    expect(parts.space.freeChain(chain)).toBe(1200)
    expect(audit(parts)).toEqual([])
  })

  test("is found as long as there is any, however it is scattered", () => {
    const parts = partsOf(64 * 1024, 64 * 1024)
    const singles = Array.from({ length: 256 }, () => parts.space.allocateRun(1))
    for (const unit of singles.filter(each => each % 2 === 0)) parts.space.freeChain(unit)
    expect(parts.space.allocateRun(2)).toBe(NO_UNIT)
    const chain = parts.space.allocateChain(128)
    expect(parts.space.unitsFree).toBe(0)
    expect(parts.space.trimChain(chain, 100)).toBe(28)
    expect(parts.space.unitsFree).toBe(28)
    for (const unit of singles.filter(each => each % 2 === 1)) parts.space.freeChain(unit)
    parts.space.freeChain(chain)
    expect(audit(parts)).toEqual([])
  })

  test("is whole again after any order of runs, chains, cuts and returns", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 60 }), (seed, longest) => {
        const parts = partsOf(96 * 1024, 32 * 1024)
        const random = new Random(seed)
        const chains: { first: number; units: number }[] = []
        for (let step = 0; step < 150; step++) {
          const units = 1 + random.below(longest)
          const chosen = random.below(4)
          const at = random.below(Math.max(chains.length, 1))
          if (chosen === 0) take(chains, parts.space.allocateRun(units), units)
          else if (chosen === 1 && parts.space.unitsFree >= units) take(chains, parts.space.allocateChain(units), units)
          else if (chosen === 2 && chains[at] !== undefined) {
            const kept = 1 + random.below(chains[at].units)
            expect(parts.space.trimChain(chains[at].first, kept)).toBe(chains[at].units - kept)
            chains[at].units = kept
          } else if (chains[at] !== undefined) expect(parts.space.freeChain(chains.splice(at, 1)[0]!.first)).toBeGreaterThan(0)
          expect(parts.space.unitsFree).toBe(384 - chains.reduce((sum, each) => sum + each.units, 0))
        }
        for (const { first } of chains) parts.space.freeChain(first)
        expect(audit(parts)).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})

function take(chains: { first: number; units: number }[], first: number, units: number): void {
  if (first !== NO_UNIT) chains.push({ first, units })
}
