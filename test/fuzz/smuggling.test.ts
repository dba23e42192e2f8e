import { afterAll, expect, test } from "bun:test"
import fc from "fast-check"
import { startBothways } from "../support/bothways.ts"
import { freePort } from "../support/ports.ts"
import { rawClient } from "../support/raw-client.ts"
import { reverseConfig } from "../support/reverse-config.ts"
import { strictOrigin } from "../support/strict-origin.ts"
import { readResponse } from "../support/strict-reader.ts"
import { requests, runs, seeds, slipped } from "./arbitraries.ts"
import { strictly } from "./strictly.ts"

// The same as in requests.test.ts, over real sockets and against the whole program.
const port = await freePort()
const origin = await strictOrigin()
const proxy = await startBothways(reverseConfig(port, origin.address))
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

interface Answers {
  /** From the origin, in order: what it understood. */
  readonly passed: string[]
  /** Ours. */
  readonly local: number
  /** Why it is no sequence of responses, or "". */
  readonly wrong: string
}

function answersOf(text: string, methods: readonly string[]): Answers {
  const passed: string[] = []
  let local = 0
  for (let at = 0; at < text.length; ) {
    const reading = readResponse(text, at, methods[passed.length + local] ?? "GET", true)
    if (reading.is !== "whole") return { passed, local, wrong: reading.is === "bad" ? reading.why : "" }
    at = reading.end
    const { message } = reading
    if (message.status < 200) continue
    const got = message.fields.find(([name]) => name === "x-got")?.[1]
    if (got === undefined) local++
    else passed.push(got)
  }
  return { passed, local, wrong: "" }
}

async function check(text: string): Promise<void> {
  origin.clear()
  const meant = strictly(text)
  using client = await rawClient(port)
  client.send(text)
  client.fin()
  await client.toEnd()
  const story = `${JSON.stringify(text)} became ${JSON.stringify(origin.received)} and ${JSON.stringify(client.received)}`
  const { passed, local, wrong } = answersOf(
    client.received,
    meant.map(message => message.method),
  )
  expect([story, origin.faults, wrong, local > 1]).toEqual([story, [], "", false])
  // The origin got the requests that the octets are, from the first on, and each answer is that to one of them.
  const seen = origin.requests.map(({ method, body }) => [method, body])
  expect([story, seen]).toEqual([story, meant.slice(0, seen.length).map(({ method, body }) => [method, body])])
  expect([story, passed]).toEqual([story, origin.requests.slice(0, passed.length).map(({ target }) => target)])
  // None is missing, unless the connection was cut in the middle of a message.
  if (client.ending === "fin") expect([story, passed.length]).toEqual([story, seen.length])
}

test("what the proxy answers and what the origin was asked is the same, and nothing that nobody sent", async () => {
  for (const text of seeds("requests")) await check(text)
  await fc.assert(fc.asyncProperty(slipped(requests, 2), check), runs(31, 500))
}, 20_000)
