import { expect, test } from "bun:test"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { logOf } from "../../base/index.ts"
import { problemOf, retryAfterMs } from "./acme/acme-problem.ts"
import { OnDemandGate } from "./on-demand-gate.ts"
import { momentWithin, renewalTime, retryPause } from "./renewal-time.ts"

const note = { name: "a.test", issuer: "local", onDemand: false, renewAt: 0, askAt: 0 }

test("renewed at its share of the life, or when the issuer wants it, and never behind the end", () => {
  const stored = { note, pem: "", validFrom: 1000, validTo: 2000 }
  expect(renewalTime(stored, 0.67)).toBe(1670)
  expect(renewalTime({ ...stored, note: { ...note, renewAt: 1900 } }, 0.67)).toBe(1900)
  expect(renewalTime({ ...stored, note: { ...note, renewAt: 9000 } }, 0.67)).toBe(2000)
})

test("the moment within a window is kept while the window holds it", () => {
  const window = { start: 100, end: 200, askAt: 0, explanation: "" }
  expect(momentWithin(window, 150)).toBe(150)
  const chosen = new Set(Array.from({ length: 50 }, () => momentWithin(window, 99)))
  expect(chosen.size).toBeGreaterThan(1)
  for (const moment of chosen) expect(moment >= 100 && moment < 200).toBe(true)
})

test("failures wait twice as long each time, up to the longest pause", () => {
  const pauses = [1, 2, 3, 4, 100].map(failures => retryPause(failures, { retryMin: 100, retryMax: 500 }))
  for (const [i, plain] of [100, 200, 400, 500, 500].entries()) expect(Math.abs(pauses[i]! - plain)).toBeLessThanOrEqual(plain * 0.1)
})

test("Retry-After in seconds and as a date; problems with their kind and what is below them", () => {
  expect([retryAfterMs("120"), retryAfterMs("Thu, 01 Jan 1970 00:01:00 GMT", 0), retryAfterMs("soon"), retryAfterMs(undefined)]).toEqual([
    120_000, 60_000, 0, 0,
  ])
  const body = { type: "urn:ietf:params:acme:error:caa", detail: "no", subproblems: [{ detail: "CAA forbids a.test" }] }
  const problem = problemOf({ status: 403, headers: { "retry-after": "5" }, body: JSON.stringify(body) })
  expect([problem.kind, problem.message, problem.status, problem.retryAfterMs]).toEqual(["caa", "caa: no (CAA forbids a.test)", 403, 5000])
  expect(problemOf({ status: 502, headers: {}, body: "<html>" }).message).toBe("it answered 502")
})

test("on demand: so many within a while, and a no is remembered", async () => {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.writeHead(302, { Location: "/" }).end()
  })
  await new Promise<void>(done => server.listen(0, "127.0.0.1", done))
  const { port } = server.address() as AddressInfo
  const options = { ask: `http://127.0.0.1:${port}/ask?key=1`, timeout: 1000, hold: 0, namesMax: 1, issuesMax: 2, per: 1000, waitsMax: 1 }
  const gate = new OnDemandGate(options, logOf("test"))
  expect([gate.begin(0), gate.begin(1), gate.begin(2), gate.begin(1000), gate.begin(1000)]).toEqual([true, true, false, true, false])
  // A redirection is no yes, and is not followed.
  expect([await gate.judge("a.test"), await gate.judge("a.test"), asked]).toEqual(["no", "no", 1])
  server.close()
})
