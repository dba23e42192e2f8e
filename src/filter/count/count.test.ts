import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { Exchange } from "../../flow/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import count from "./count.ts"

function exchange(change: Partial<Exchange> = {}): Exchange {
  return Object.assign(new Exchange(), { clientAddress: "192.0.2.1", headSent: true, status: 200 }, change)
}

function counterOf(options: Record<string, unknown>, deps = new FakeDeps()) {
  const settings = count.options.parse({ name: "n", ...options })
  const filter = count.build(settings, deps)
  const reading = count.reading!.build(settings, deps)
  return {
    deps,
    reading,
    over(change: Partial<Exchange> = {}): number {
      const x = exchange(change)
      filter.access?.(x)
      filter.log?.(x)
      return reading.read(x)
    },
    read: (change: Partial<Exchange> = {}) => reading.read(exchange(change)),
  }
}

describe("count", () => {
  test("requests of the last period, by client", () => {
    const { over, read, deps } = counterOf({ per: "10s" })
    expect([over(), over(), over({ clientAddress: "192.0.2.2" })]).toEqual([1, 2, 1])
    deps.time.clock.advance(6000)
    expect(over()).toBe(3)
    deps.time.clock.advance(5500)
    expect(read()).toBe(1)
    deps.time.clock.advance(20_000)
    expect(read()).toBe(0)
  })

  test.each([
    ["errors", { status: 404 }, 1],
    ["errors", { status: 302 }, 0],
    ["errors", { status: 499, gone: true, headSent: false }, 0],
    ["errors", { status: 200, fault: FAULT.truncated }, 1],
    ["client-errors", { status: 500 }, 0],
    ["client-errors", { status: 429 }, 1],
    ["server-errors", { status: 502, fault: FAULT.connectRefused }, 1],
    ["server-errors", { status: 404 }, 0],
    ["bytes-in", { requestBytes: 70_000 }, 70_000],
    ["bytes-out", { responseBytes: 12 }, 12],
    ["seconds", { startedAt: 1000, endedAt: 5400 }, 4],
    [[401, 403], { status: 403 }, 1],
    [[401, 403], { status: 404 }, 0],
    [["4xx", 503], { status: 404 }, 1],
    [["4xx", 503], { status: 503 }, 1],
    [["4xx", 503], { status: 500 }, 0],
    [["4xx"], { status: 499, gone: true, headSent: false }, 0],
  ] as const)("%j of %j is %d", (of, change, wanted) => expect(counterOf({ of }).over(change)).toBe(wanted))

  test("more than a slot holds stays at its most", () => {
    const { over } = counterOf({ of: "bytes-out" })
    over({ responseBytes: 4_000_000_000 })
    expect(over({ responseBytes: 4_000_000_000 })).toBe(4_294_967_295)
  })

  test("without a key nothing is counted and nothing read", () => {
    const { over, deps } = counterOf({ key: "user" })
    expect([over(), over({ user: "ann" })]).toEqual([0, 1])
    expect(deps.memory.size).toBe(1)
  })

  test("says what it is", () => {
    expect(counterOf({ of: [401], per: "1h", key: "user" }).reading.text).toBe("n: answers 401 by user in 1h")
    expect(count.reading!.name(count.options.parse({ name: "n" }))).toBe("n")
  })
})
