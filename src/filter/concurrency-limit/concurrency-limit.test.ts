import { describe, expect, test } from "bun:test"
import { KeyedTable } from "../../base/index.ts"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import type { Filter, FilterDeps } from "../../plugin/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import concurrencyLimit from "./concurrency-limit.ts"

class Deps extends FakeDeps {
  readonly worker: { readonly index: number; readonly count: number }

  constructor(index: number, count: number, memory?: Map<string, SharedArrayBuffer>) {
    super()
    this.worker = { index, count }
    for (const [key, value] of memory ?? []) this.memory.set(key, value)
  }
}

function build(options: unknown, deps: FilterDeps): Filter {
  return concurrencyLimit.build(concurrencyLimit.options.parse(options), deps)
}

function exchange(client = "192.0.2.1"): Exchange {
  return Object.assign(new Exchange(), { clientAddress: client })
}

describe("concurrency-limit", () => {
  test("so many at a time; each end frees one place, once", () => {
    const deps = new FakeDeps()
    const filter = build({ requests: 2 }, deps)
    const all = [exchange(), exchange(), exchange()]
    expect(all.map(x => filter.access!(x))).toEqual([NEXT, NEXT, FAULT_VERDICT])
    expect([all[2]!.fault!.code, all[2]!.replyFields]).toEqual(["proxy.concurrency-max", "Retry-After: 1\r\n"])
    filter.log!(all[2]!)
    expect(filter.access!(exchange())).toBe(FAULT_VERDICT)
    filter.log!(all[0]!)
    filter.log!(all[0]!)
    expect([filter.access!(exchange()), filter.access!(exchange()), filter.access!(exchange("192.0.2.2"))]).toEqual([NEXT, FAULT_VERDICT, NEXT])
    expect(deps.counts.get("concurrency_limit_limited_test_0")).toBe(3)
  })

  test("workers count together, and what a dead one held is free again", () => {
    const first = new Deps(0, 3)
    const filters = [build({ requests: 3 }, first), build({ requests: 3 }, new Deps(2, 3, first.memory))]
    const held = exchange()
    expect([filters[0]!.access!(held), filters[1]!.access!(exchange()), filters[1]!.access!(exchange())]).toEqual([NEXT, NEXT, NEXT])
    expect(filters[0]!.access!(exchange())).toBe(FAULT_VERDICT)
    KeyedTable.open([...first.memory.values()][0]!).forgetWorker(2)
    expect([exchange(), exchange(), exchange()].map(x => filters[0]!.access!(x))).toEqual([NEXT, NEXT, FAULT_VERDICT])
    filters[0]!.log!(held)
    expect(filters[0]!.access!(exchange())).toBe(NEXT)
  })

  test("a table that is full of requests under way forgets none of them", () => {
    const deps = new FakeDeps()
    const filter = build({ requests: 1, keysMax: 1 }, deps)
    const held = Array.from({ length: 500 }, (_, i) => exchange(`10.0.${i >> 8}.${i & 255}`))
    expect(held.every(x => filter.access!(x) === NEXT)).toBe(true)
    const untracked = deps.counts.get("concurrency_limit_untracked_test_0")!
    expect(untracked).toBe(500 - 56)
    for (const x of held) filter.log!(x)
    const again = Array.from({ length: 20 }, (_, i) => exchange(`10.1.0.${i}`))
    for (const x of again) filter.access!(x)
    expect(again.map(x => filter.access!(exchange(x.clientAddress))).filter(verdict => verdict === NEXT).length).toBeLessThan(5)
  })

  test("dry run, no key, another status", () => {
    const dry = build({ requests: 1, dryRun: true }, new FakeDeps())
    expect([dry.access!(exchange()), dry.access!(exchange())]).toEqual([NEXT, NEXT])
    const users = build({ requests: 1, key: "user" }, new FakeDeps())
    expect([users.access!(exchange()), users.access!(exchange())]).toEqual([NEXT, NEXT])
    const other = build({ requests: 1, status: 429 }, new FakeDeps())
    const x = exchange()
    other.access!(exchange())
    expect([other.access!(x), x.fault!.status]).toEqual([FAULT_VERDICT, 429])
    expect(other.describe!()).toBe("1 under way by client")
  })
})
