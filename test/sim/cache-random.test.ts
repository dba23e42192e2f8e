import { afterAll, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { long } from "../support/long.ts"
import { cacheRun } from "./cache-run.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

/** Runs a seed; what goes wrong names it, so that `cacheRun(seed)` tells the story again. */
function problemsOf(seed: number): string[] {
  try {
    return cacheRun(seed).map(problem => `seed ${seed}: ${problem}`)
  } catch (error) {
    return [`seed ${seed} threw: ${(error as Error).stack}`]
  }
}

function problemsIn(from: number, to: number): string[] {
  const found: string[] = []
  for (let seed = from; seed < to && found.length < 5; seed++) found.push(...problemsOf(seed))
  return found
}

/** What each of these seeds once found is told in cache-cases.test.ts and cache-body-cases.test.ts. */
const kept = [1, 64, 178, 194, 196, 242, 815, 1225, 1620, 1841, 7984, 60_668]

test("seeds that found something once", () => {
  expect(kept.flatMap(problemsOf)).toEqual([])
})

test("other orders of events: one answer or a cut for each request, from nobody else's private exchange, never stale without permission, nothing leaks", () => {
  expect(problemsIn(10_000, long ? 20_000 : 10_150)).toEqual([])
}, 600_000)
