import { expect, test } from "bun:test"
import fc from "fast-check"
import { audit } from "./audit.fixture.ts"
import { TestStore } from "./memory-store.fixture.ts"
import { type Step, StoreModel } from "./store-model.fixture.ts"

const number = fc.nat(0xffff)
const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(fc.nat(15), number, number, number), { minLength: 150, maxLength: 250 })

// Stores so small that entries are evicted, and that some find no room: two segments, a few rows, bodies of up to a half.
test("a store and a map say the same after any row of calls from two threads", () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(12, 200), (calls, entriesMax) => {
      const t = new TestStore({ bytes: 72 * 1024, segmentBytes: 64 * 1024, entryBytesMax: 36 * 1024, entriesMax })
      const model = new StoreModel(t)
      for (const call of calls) model.step(call)
      expect(audit(t.store.parts)).toEqual([])
      const units = model.end()
      expect(audit(t.store.parts)).toEqual([])
      expect(t.control.stats().usedBytes).toBe(units * 256)
      t.control.purge({ by: "all" }, false)
      expect(t.control.stats()).toMatchObject({ entries: 0, usedBytes: 0, wasteBytes: 0, lockFailures: 0 })
      expect(audit(t.store.parts)).toEqual([])
    }),
    { numRuns: 200 },
  )
}, 30_000)
