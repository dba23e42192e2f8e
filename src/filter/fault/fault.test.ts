import { describe, expect, test } from "bun:test"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import fault from "./fault.ts"

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
const parse = (options: unknown) => fault.options.parse(options)

function start(options: unknown): { deps: FakeDeps; run: FilterRun } {
  const deps = new FakeDeps()
  return { deps, run: new FilterRun(fault.build(parse(options), deps)) }
}

describe("fault", () => {
  test("answers with the status, and the log says whose fault it is", () => {
    const { run } = start({ abort: { status: 418 } })
    expect(run.send(GET)).toMatch(/^HTTP\/1\.1 418 [\s\S]*proxy\.injected/)
    expect(run.seen).toMatchObject({ faults: ["proxy.injected"], sent: [] })
    // The connection goes on.
    expect(run.send(GET)).toStartWith("HTTP/1.1 418")
  })

  test("shares are shares", () => {
    const { run } = start({ abort: { share: "25%" } })
    let aborted = 0
    for (let i = 0; i < 2000; i++) if (run.send(GET).startsWith("HTTP/1.1 503")) aborted++
    expect(Math.abs(aborted / 2000 - 0.25)).toBeLessThan(0.06)
    expect(start({ abort: { share: 0 } }).run.send(GET)).toStartWith("HTTP/1.1 404")
  })

  test("resets without a word", () => {
    const { run } = start({ reset: true })
    expect(run.send(GET)).toBe("")
    expect([run.closed, run.seen.faults]).toEqual([true, ["proxy.injected"]])
  })

  test("waits, then goes on, or aborts", () => {
    const { deps, run } = start({ delay: { for: "500ms" } })
    const pass = (ms: number): void => {
      deps.time.clock.advance(ms)
      deps.time.wheel.advance(deps.time.clock.now())
    }
    run.send(GET)
    pass(400)
    expect(run.output).toBe("")
    pass(200)
    expect(run.output).toStartWith("HTTP/1.1 404")
    expect(deps.counts.get("fault_delays")).toBe(1)
    const both = start({ delay: { for: "1s" }, abort: {} })
    both.run.send(GET)
    both.deps.time.clock.advance(1500)
    both.deps.time.wheel.advance(both.deps.time.clock.now())
    expect(both.run.output).toStartWith("HTTP/1.1 503")
  })

  test("a client that leaves meanwhile is not waited for", () => {
    const { deps, run } = start({ delay: { for: "1s" } })
    run.send(GET)
    run.leave()
    expect(run.seen.faults).toEqual(["client.aborted"])
    deps.time.clock.advance(5000)
    deps.time.wheel.advance(deps.time.clock.now())
    expect(run.seen.faults).toEqual(["client.aborted"])
  })

  test("only requests with the field, and only while the switch is on", () => {
    const { deps, run } = start({ abort: {}, when: { header: "X-Drill", value: "yes" } })
    const ask = (field: string) => run.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${field}\r\n`).slice(9, 12)
    expect([ask(""), ask("x-drill: no\r\n"), ask("x-drill: yes\r\n")]).toEqual(["404", "404", "503"])
    new Int32Array(deps.memory.get("fault:switch")!)[0] = 1
    expect(ask("x-drill: yes\r\n")).toBe("404")
    const any = start({ abort: {}, when: { header: "X-Drill" } })
    expect(any.run.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-DRILL: 1\r\n\r\n")).toStartWith("HTTP/1.1 503")
  })

  test("says what it does; nothing at all is a slip", () => {
    const { run: _, deps } = start({ abort: {} })
    const filter = fault.build(parse({ delay: { for: "1s", share: "5%" }, reset: { share: 0.5 }, when: { header: "X-Drill" } }), deps)
    expect(filter.describe!()).toBe("delays 5 % of requests by 1000 ms, resets 50 % of requests with X-Drill, for a drill")
    expect(fault.options.safeParse({}).success).toBe(false)
    expect(fault.options.safeParse({ abort: { status: 200 } }).success).toBe(false)
  })
})
