import { afterAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { hearRequests, pieces } from "../conformance/codec-harness.ts"
import { World } from "../sim/world.ts"
import { field, readRequest, type StrictMessage } from "../support/strict-reader.ts"
import { cuts, requests, runs, seeds, slipped } from "./arbitraries.ts"
import { strictly } from "./strictly.ts"

afterAll(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const stream = slipped(requests, 2)

/** Lets a stream through the real data path in front of an upstream that answers everything; returns the octets of each upstream connection. */
function forwarded(text: string, where: readonly number[]): { upstream: string[]; client: string; leaks: string[] } {
  const world = new World({ peers: 1 })
  const client = world.connect()
  const answered = new Map<number, number>()
  const settle = (): void => {
    for (let moved = true; moved; ) {
      moved = false
      if (world.dials.length > 0) moved = world.dials[0]!.open() !== null
      world.upstreams.forEach((wire, index) => {
        const at = answered.get(index) ?? 0
        const reading = readRequest(wire.sent, at)
        if (reading.is !== "whole" || !wire.listening) return
        answered.set(index, reading.end)
        wire.deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        moved = true
      })
    }
  }
  for (const piece of pieces(text, where)) {
    if (client.listening) client.deliver(piece)
    settle()
  }
  if (client.listening) client.fin()
  settle()
  const result = { upstream: world.upstreams.map(wire => wire.sent), client: client.sent }
  world.shutDown()
  return { ...result, leaks: world.leaks() }
}

/** Fields that a request may gain on its way: framing said anew, and what TE and Upgrade become. */
const OURS = new Set(["host", "content-length", "transfer-encoding", "connection", "te", "upgrade"])

function check(text: string, where: readonly number[]): void {
  const { upstream, leaks } = forwarded(text, where)
  expect(leaks).toEqual([])
  const meant = strictly(text)
  let next = 0
  for (const octets of upstream) {
    for (let at = 0; at < octets.length; ) {
      const reading = readRequest(octets, at)
      if (reading.is === "bad") throw new Error(`an upstream got ${reading.why} from ${JSON.stringify(text)}`)
      // The client ended, or erred, in the middle of a body: cut, and nothing behind it.
      if (reading.is === "partial") break
      // The last one may be whole here and not there: a chunked body is passed on as it comes.
      compare(reading.message, meant[next++], text)
      at = reading.end
    }
  }
}

const FORBIDDEN = /^(?:content-length|transfer-encoding|host|authorization):/i

/** Field lines with one space behind each colon and none at the end. */
function linesOf(section: string): string[] {
  return section === "" ? [] : section.split("\r\n").map(line => line.replace(/:[ \t]*/, ": ").replace(/[ \t]+$/, ""))
}

function compare(got: StrictMessage, meant: StrictMessage | undefined, text: string): void {
  const where = `${JSON.stringify(got)} from ${JSON.stringify(text)}`
  if (meant === undefined) throw new Error(`nobody sent ${where}`)
  expect([where, got.method, got.body]).toEqual([where, meant.method, meant.body])
  if (!/^https?:/i.test(meant.target) && !/\/\.|%2e/i.test(meant.target)) expect([where, got.target]).toEqual([where, meant.target])
  const sent = linesOf(meant.trailers)
  for (const line of linesOf(got.trailers)) expect([where, sent.includes(line), FORBIDDEN.test(line)]).toEqual([where, true, false])
  const names = new Set(meant.fields.map(([name]) => name))
  expect([where, got.fields.filter(([name]) => !names.has(name) && !OURS.has(name))]).toEqual([where, []])
  if (!/^https?:/i.test(meant.target)) expect([where, field(got, "host")]).toEqual([where, field(meant, "host") ?? field(got, "host")])
}

describe("octets of a client", () => {
  test("mean the same however they are cut", () => {
    const same = (text: string, where: readonly number[]): void => {
      // A line end, so that nothing is left to wait for.
      const input = `${text}\r\n\r\n`
      const whole = hearRequests(input, "whole")
      expect(hearRequests(input, "octets")).toEqual(whole)
      expect(hearRequests(input, where)).toEqual(whole)
    }
    for (const text of seeds("requests")) same(text, [3, 20, 50])
    fc.assert(fc.property(stream, cuts, same), runs(11, 2400))
  })
  test("reach an upstream as exactly the requests that they are, or not at all", () => {
    for (const text of seeds("requests")) check(text, [3, 20, 50])
    fc.assert(fc.property(stream, cuts, check), runs(12, 3000))
  })
})
