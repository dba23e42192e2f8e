import { afterAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { hearResponse, pieces } from "../conformance/codec-harness.ts"
import { World } from "../sim/world.ts"
import { readResponse } from "../support/strict-reader.ts"
import { cuts, response, runs, seeds, slipped } from "./arbitraries.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const stream = slipped(response, 2)
const method = fc.constantFrom("GET", "GET", "HEAD", "POST")
const version = fc.constantFrom("1.1", "1.1", "1.0")

/** The answer to one request goes through the data path; then the upstream ends. Whatever came, the client reads one answer, a cut one, or ours. */
function check(text: string, where: readonly number[], asked: string, spoken: string): void {
  const world = new World({ peers: 1, rules: { attemptsMax: 1 } })
  const client = world.connect()
  client.deliver(`${asked} / HTTP/${spoken}\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE, keep-alive\r\n\r\n`)
  const upstream = world.dials[0]!.open()
  for (const piece of pieces(text, where)) if (upstream.listening) upstream.deliver(piece)
  if (upstream.listening) upstream.fin()
  const trace = (): string => `${JSON.stringify(client.sent)} from ${JSON.stringify(text)}`
  let at = 0
  let finals = 0
  while (at < client.sent.length) {
    const reading = readResponse(client.sent, at, asked, client.finished && !client.terminated)
    if (reading.is === "bad") throw new Error(`${reading.why}: ${trace()}`)
    if (reading.is === "partial") {
      // Cut: the client must see that it is.
      if (!client.terminated) throw new Error(`a part that looks like something to wait for: ${trace()}`)
      finals++
      break
    }
    if (reading.message.status >= 200) finals++
    at = reading.end
  }
  if (finals !== 1 && !client.terminated) throw new Error(`${finals} answers: ${trace()}`)
  if (finals > 1) throw new Error(`${finals} answers: ${trace()}`)
  world.shutDown()
  expect(world.leaks()).toEqual([])
}

describe("octets of an upstream", () => {
  test("mean the same however they are cut", () => {
    const same = (text: string, where: readonly number[], asked: string): void => {
      const whole = hearResponse(text, asked, "whole", "websocket")
      expect(hearResponse(text, asked, "octets", "websocket")).toEqual(whole)
      expect(hearResponse(text, asked, where, "websocket")).toEqual(whole)
    }
    for (const text of seeds("responses")) same(text, [3, 20, 50], "GET")
    fc.assert(fc.property(stream, cuts, method, same), runs(21, 3000))
  })
  test("reach the client as one answer, as a cut one, or as none", () => {
    for (const text of seeds("responses")) check(text, [3, 20, 50], "GET", "1.1")
    fc.assert(fc.property(stream, cuts, method, version, check), runs(22, 3000))
  })
})
