import { afterAll, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { sharedRun } from "./shared-run.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const problemsOf = async (seed: number): Promise<string[]> => (await sharedRun(seed)).map(problem => `seed ${seed}: ${problem}`)

test("connections that many share, in five hundred orders of events: counts stay right, nobody is forgotten, nothing leaks", async () => {
  const found: string[] = []
  for (let seed = 1; seed <= 500 && found.length < 5; seed++) found.push(...(await problemsOf(seed)))
  expect(found).toEqual([])
}, 60_000)
