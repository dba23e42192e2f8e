import { afterAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { pieces } from "../conformance/codec-harness.ts"
import { headerBlock } from "../support/h2/header-block.ts"
import { readRequest } from "../support/strict-reader.ts"
import { cuts, runs, seeds, slipped } from "./arbitraries.ts"
import { frameSequence } from "./h2-arbitraries.ts"
import { H2World, wrongs } from "./h2-world.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const honest = headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/ok", ":authority": "a.test" })

async function check(text: string, where: readonly number[]): Promise<void> {
  const one = new H2World()
  const client = await one.connect()
  for (const piece of pieces(text, where)) {
    if (client.listening) client.deliver(piece)
    await one.turn()
  }
  const story = JSON.stringify(text)
  expect([story, wrongs(client)]).toEqual([story, []])
  // Whatever came of it, another one is served.
  expect([story, await one.isServing(honest)]).toEqual([story, true])
  if (client.listening) client.fin()
  await one.turn()
  for (const octets of one.upstream) {
    for (let at = 0; at < octets.length; ) {
      const reading = readRequest(octets, at)
      if (reading.is === "bad") throw new Error(`an upstream got ${reading.why} from ${story}`)
      if (reading.is === "partial") break
      at = reading.end
    }
  }
  one.world.shutDown()
  await one.turn()
  expect([story, one.world.leaks()]).toEqual([story, []])
}

describe("frames of a client", () => {
  test("never stop the proxy, and what it answers is HTTP/2", async () => {
    for (const text of seeds("h2-frames")) await check(text, [3, 20, 50])
    await fc.assert(fc.asyncProperty(slipped(frameSequence, 2), cuts, check), runs(41, 1500))
  }, 30_000)
})
