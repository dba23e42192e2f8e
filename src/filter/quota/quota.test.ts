import { describe, expect, test } from "bun:test"
import { ANSWER, Exchange, NEXT, notesOf } from "../../flow/index.ts"
import type { Filter } from "../../plugin/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import quota from "./quota.ts"
import { QuotaTable, quotaZone } from "./quota-table.ts"

const deps = (): FakeDeps => new FakeDeps()

function built(options: object, given: FakeDeps = deps()): { filter: Filter; deps: FakeDeps } {
  return { filter: quota.build(quota.options.parse({ timeZone: "UTC", ...options }), given), deps: given }
}

function request(user: string, ...groups: string[]): Exchange {
  const x = Object.assign(new Exchange(), { user, host: "a.test", method: "GET", path: "/" })
  if (groups.length > 0) notesOf(x).groups = groups
  return x
}

function finish(filter: Filter, x: Exchange, bytes: number): void {
  x.responseBytes = bytes
  filter.log!(x)
}

function advance({ time }: FakeDeps, ms: number): void {
  time.clock.advance(ms)
  time.wheel.advance(time.clock.now())
}

const bodyOf = (x: Exchange): string => Buffer.from(x.localBody!).toString("utf8")

describe("quota", () => {
  test("requests, exactly, by key, and anew in the next period", () => {
    const { filter, deps } = built({ requests: 2, per: "day" })
    expect([filter.access!(request("a")), filter.access!(request("a")), filter.access!(request("a")), filter.access!(request("b"))]).toEqual([
      NEXT,
      NEXT,
      ANSWER,
      NEXT,
    ])
    advance(deps, 86_400_000)
    expect(filter.access!(request("a"))).toBe(NEXT)
  })

  test("octets of finished exchanges count, and the page says what is left and until when", () => {
    const { filter } = built({ name: "daily", bytes: "1KB", requests: 10, page: { status: 429 } })
    const first = request("a")
    expect(filter.access!(first)).toBe(NEXT)
    finish(filter, first, 2000)
    const second = request("a")
    expect(filter.access!(second)).toBe(ANSWER)
    expect([second.status, second.reason, second.fault?.code, second.notes?.rule, second.notes?.action]).toEqual([
      429,
      "Quota used up: daily",
      "proxy.quota-used",
      "daily",
      "quota",
    ])
    expect(bodyOf(second)).toContain("0 of 1KB, 9 of 10 requests left; begins anew 2026-01-02 00:00 (UTC)")
    expect(second.response.extra).toContain("Retry-After: 86400\r\n")
  })

  test("what runs is counted while it runs, and cut", () => {
    const { filter, deps } = built({ bytes: 1000 })
    const x = request("a")
    filter.access!(x)
    x.responseBytes = 600
    advance(deps, 600)
    expect(x.fault).toBeNull()
    x.requestBytes = 500
    // Nobody runs this exchange: that it is to end shows in its fault.
    expect(() => advance(deps, 600)).toThrow()
    expect([x.fault?.code, x.notes?.action]).toEqual(["proxy.quota-used", "quota"])
    expect(filter.access!(request("a"))).toBe(ANSWER)
  })

  test("minutes in which something moves count, each once, and one that has begun may be used", () => {
    const { filter, deps } = built({ time: "2m" })
    const ask = () => filter.access!(request("a"))
    expect([ask(), ask()]).toEqual([NEXT, NEXT])
    advance(deps, 60_000)
    expect([ask(), ask()]).toEqual([NEXT, NEXT])
    advance(deps, 60_000)
    expect([ask(), filter.access!(request("b"))]).toEqual([ANSWER, NEXT])
    const idle = built({ time: "2m" })
    const still = request("a")
    idle.filter.access!(still)
    for (let i = 0; i < 10; i++) advance(idle.deps, 60_000)
    expect(idle.filter.access!(request("a"))).toBe(NEXT)
  })

  test("members of groups have what their group has, the first that is written", () => {
    const { filter } = built({ requests: 1, groups: { staff: "unlimited", pupils: { requests: 2 } } })
    const asks = (user: string, groups: string[], times: number) => Array.from({ length: times }, () => filter.access!(request(user, ...groups)))
    expect(asks("a", ["pupils"], 3)).toEqual([NEXT, NEXT, ANSWER])
    expect(asks("b", ["pupils", "staff"], 9).every(verdict => verdict === NEXT)).toBe(true)
    expect(asks("c", ["other"], 2)).toEqual([NEXT, ANSWER])
  })

  test("whoever has no key passes, or does not", () => {
    expect(built({ requests: 0 }).filter.access!(request(""))).toBe(NEXT)
    const x = request("")
    expect([built({ requests: 1, withoutKey: "refuse" }).filter.access!(x), bodyOf(x).includes("nobody is logged in")]).toEqual([ANSWER, true])
  })

  test("log-only refuses nothing and tells", () => {
    const { filter, deps } = built({ name: "q", requests: 0, mode: "log-only" })
    const x = request("a")
    expect([filter.access!(x), x.notes?.would, x.notes?.rule, x.fault]).toEqual([NEXT, "q:quota", "", null])
    expect(deps.counts.get("quota_refused_test_0")).toBe(1)
  })

  test("two filters of a name, in two workers, count together", () => {
    const shared = deps()
    const one = built({ requests: 2 }, shared)
    const two = built({ requests: 2 }, shared)
    expect([one.filter.access!(request("a")), two.filter.access!(request("a")), one.filter.access!(request("a"))]).toEqual([NEXT, NEXT, ANSWER])
  })

  test("explain says how much it is", () => {
    const { filter } = built({ bytes: "1GB", groups: { staff: "unlimited" } })
    expect(filter.explain!(request("a"))[0]).toBe("a may use 1GB until 2026-01-02 00:00 (UTC); what is used now shows `bothways quotas`")
    expect(filter.explain!(request("a", "staff"))).toEqual(["a is unlimited"])
    expect(filter.describe!()).toBe("default: 1GB; staff unlimited a day by user")
  })

  test.each([
    [{}, "expected a limit"],
    [{ bytes: "1GB", per: "year" }, "per"],
    [{ time: "30s" }, "at least 1m"],
    [{ bytes: "1GB", timeZone: "Nowhere" }, "no time zone"],
    [{ groups: { a: "free" } }, "unlimited"],
    [{ bytes: "1GB", key: "uesr" }, "did you mean user"],
  ])("refuses %j", (options, message) => {
    const result = quota.options.safeParse(options)
    expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
  })
})

describe("quota table", () => {
  test("lists, resets and restores", () => {
    const given = deps()
    const { filter } = built({ name: "n", bytes: "1GB" }, given)
    for (const [user, bytes] of [
      ["a", 10],
      ["jörg", 30],
      ["x".repeat(300), 20],
    ] as const) {
      const x = request(user)
      filter.access!(x)
      finish(filter, x, bytes)
    }
    const table = new QuotaTable(given.memory.get(quotaZone({ name: "n", per: "day", timeZone: "UTC" }))!, 10_000)
    const period = Math.floor(given.time.clock.wall() / 86_400_000)
    const all = table.list(period)
    expect(all.map(one => [one.key.slice(0, 4), one.bytes, one.requests, one.minutes])).toEqual([
      ["jörg", 30, 1, 1],
      ["xxxx", 20, 1, 1],
      ["a", 10, 1, 1],
    ])
    expect([all[1]!.key.endsWith("…"), table.list(period + 1)]).toEqual([true, []])
    expect([table.reset("a"), table.reset("a"), table.list(period).length]).toEqual([true, false, 2])
    table.restore({ key: "jörg", period, bytes: 5, requests: 2, minutes: 3 })
    expect(table.list(period)[0]).toMatchObject({ key: "jörg", bytes: 35, requests: 3, minutes: 4 })
  })
})
