import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts"
import grpc from "./grpc.ts"

/** What a call with this timeout meets: the limits that are set, the timeout that the peer gets, the fault. */
function call(options: object, timeout: string | null, type = "application/grpc") {
  const deps = new FakeDeps()
  const run = new FilterRun(grpc.build(grpc.options.parse(options), deps))
  const line = timeout === null ? "" : `grpc-timeout: ${timeout}\r\n`
  run.send(`POST /s/M HTTP/1.1\r\nHost: a.test\r\nContent-Type: ${type}\r\n${line}Content-Length: 0\r\n\r\n`)
  const sent = run.seen.sent.map(text => [...text.matchAll(/^grpc-timeout: (.*)\r$/gm)].map(match => match[1]!))
  return { limits: deps.limits, sent: sent[0], fault: run.seen.faults[0] }
}

describe("grpc-timeout", () => {
  test.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["99999999m", 99_999_999],
    ["1500u", 2],
    ["1n", 1],
    ["0n", 0],
    ["99999999H", 359_999_996_400_000],
    ["100000000m", -1],
    ["S", -1],
    ["", -1],
    ["1", -1],
    ["1s", -1],
    ["-1S", -1],
    ["1.5S", -1],
    [" 1S", -1],
    ["1S ", -1],
  ])("%j is %d ms", (text, ms) => {
    expect(parseGrpcTimeout(text)).toBe(ms)
  })

  test("what is written is read again, never as less", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), ms => {
        const read = parseGrpcTimeout(formatGrpcTimeout(ms))
        expect(read).toBeWithin(ms, ms + 1000)
      }),
    )
  })
})

describe("grpc", () => {
  test("the client's deadline limits the exchange, and the peer gets it as it came", () => {
    expect(call({}, "200m")).toEqual({ limits: [250], sent: ["200m"], fault: "" })
    expect(call({}, null)).toEqual({ limits: [], sent: [], fault: "" })
    expect(call({ deadline: false }, "200m")).toEqual({ limits: [], sent: ["200m"], fault: "" })
  })

  test("deadlineMax takes the place of longer ones, of none and of nonsense", () => {
    const shorter = { limits: [5050], sent: ["5000m"], fault: "" }
    for (const timeout of ["1H", null, "soon"]) expect(call({ deadlineMax: "5s" }, timeout)).toEqual(shorter)
    expect(call({ deadlineMax: "5s", deadline: false }, "1H")).toEqual(shorter)
    expect(call({ deadlineMax: "5s" }, "4S")).toEqual({ limits: [4050], sent: ["4S"], fault: "" })
    expect(call({ deadlineMax: "5s", deadline: false }, "4S")).toEqual({ limits: [], sent: ["4S"], fault: "" })
  })

  test("a deadline that has passed ends the call at once", () => {
    expect(call({}, "0n")).toEqual({ limits: [], sent: undefined, fault: "proxy.request-timeout" })
  })

  test("what is no call is not looked at", () => {
    expect(call({ deadlineMax: "5s" }, "1H", "application/json")).toEqual({ limits: [], sent: ["1H"], fault: "" })
  })

  test("says what it does, and takes no part when it has nothing to do", () => {
    const build = (options: object) => grpc.build(grpc.options.parse(options), new FakeDeps())
    expect(build({ deadlineMax: "5s" }).describe!()).toBe("deadline of the client, at most 5s")
    expect(build({ deadline: false }).request).toBeUndefined()
  })
})
