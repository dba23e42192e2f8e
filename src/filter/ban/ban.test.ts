import { describe, expect, test } from "bun:test"
import { FAULT, KeyedTable } from "../../base/index.ts"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import type { Filter, FilterDeps } from "../../plugin/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import ban from "./ban.ts"
import { BanTable, bansShape } from "./ban-table.ts"

function build(options: unknown, deps: FilterDeps = new FakeDeps()): Filter {
  return ban.build(ban.options.parse(options), deps)
}

function problemsOf(options: unknown): string {
  const result = ban.options.safeParse(options)
  return result.success ? "" : JSON.stringify(result.error.issues)
}

function exchange(client = "192.0.2.1", change: Partial<Exchange> = {}): Exchange {
  return Object.assign(new Exchange(), { clientAddress: client, headSent: true }, change)
}

/** A request that is answered with this status unless the filter refuses it; true = it was let through. */
function passes(filter: Filter, status: number, client?: string): boolean {
  const x = exchange(client)
  const verdict = filter.access!(x)
  x.status = verdict === NEXT ? status : 403
  filter.log?.(x)
  return verdict === NEXT
}

function tableOf(bansMax = 100): BanTable {
  return BanTable.of(new SharedArrayBuffer(KeyedTable.bytes(bansShape(bansMax))), bansMax)
}

describe("ban", () => {
  test("five wrong passwords within a minute, and the ban runs out", () => {
    const deps = new FakeDeps()
    const filter = build({ when: { status: [401], times: 5 }, for: "10m" }, deps)
    for (let i = 0; i < 5; i++) expect(passes(filter, 401)).toBe(true)
    expect([passes(filter, 200), passes(filter, 200, "192.0.2.2")]).toEqual([false, true])
    deps.time.clock.advance(599_000)
    expect(passes(filter, 200)).toBe(false)
    deps.time.clock.advance(1500)
    expect(passes(filter, 200)).toBe(true)
    expect([deps.counts.get("ban_banned_test_0"), deps.counts.get("ban_refused_test_0")]).toEqual([1, 2])
  })

  test("too slow for a ban; other statuses; a good answer between takes nothing back", () => {
    const deps = new FakeDeps()
    const filter = build({ when: { status: [401, 403], times: 3 } }, deps)
    for (let i = 0; i < 8; i++) {
      expect(passes(filter, 401)).toBe(true)
      deps.time.clock.advance(35_000)
    }
    deps.time.clock.advance(100_000)
    expect([401, 404, 200, 403, 401, 200].map(status => passes(filter, status))).toEqual([true, true, true, true, true, false])
  })

  test("another filter of the zone enforces it, a filter of another zone does not", () => {
    const deps = new FakeDeps()
    const login = build({ when: { status: 401 }, zone: "site" }, deps)
    passes(login, 401)
    expect([passes(build({ zone: "site" }, deps), 200), passes(build({}, deps), 200)]).toEqual([false, true])
  })

  test("each ban is longer than the one before, up to a limit, until they are forgotten", () => {
    const deps = new FakeDeps()
    const filter = build({ when: { status: 401 }, for: "1m", escalate: 4, forMax: "10m", forget: "1h" }, deps)
    const lasts: number[] = []
    for (let i = 0; i < 4; i++) {
      passes(filter, 401)
      let ms = 0
      for (; !passes(filter, 200); ms += 30_000) deps.time.clock.advance(30_000)
      lasts.push(ms / 60_000)
    }
    expect(lasts).toEqual([1, 4, 10, 10])
    deps.time.clock.advance(3_700_000)
    passes(filter, 401)
    deps.time.clock.advance(61_000)
    expect(passes(filter, 200)).toBe(true)
  })

  test("faults, counters and always are causes", () => {
    const limited = build({ when: [{ fault: "proxy.rate-limited" }, { status: 418 }] })
    const x = exchange()
    limited.access!(x)
    x.fault = FAULT.rateLimited
    limited.log!(x)
    expect(passes(limited, 200)).toBe(false)
    const values = { client: 5 }
    const deps = Object.assign(new FakeDeps(), { reading: (name: string) => ({ name, text: `${name} in 1m`, read: () => values.client }) })
    const counted = build({ when: { counter: { name: "errors", over: 5 } } }, deps)
    expect(passes(counted, 200)).toBe(true)
    values.client = 6
    expect(passes(counted, 200)).toBe(false)
    values.client = 0
    expect(passes(counted, 200)).toBe(false)
    expect(ban.readings!(ban.options.parse({ when: { counter: { name: "errors", over: 5 } } }))).toEqual([
      { name: "errors", at: ["when", "counter", "name"] },
    ])
    expect(passes(build({ when: "always" }), 200)).toBe(false)
  })

  test("exempt addresses; close says nothing", () => {
    const filter = build({ when: "always", exempt: ["192.0.2.0/24"], action: "close" })
    expect(passes(filter, 200)).toBe(true)
    const x = exchange("198.51.100.1")
    expect(filter.access!(x)).toBe(FAULT_VERDICT)
    expect([x.fault!.code, x.fault!.status, x.fault!.close]).toEqual(["proxy.banned", 0, true])
  })

  test("of a key that may be a secret only the beginning is kept", () => {
    const deps = new FakeDeps()
    const filter = build({ when: "always", key: "${requestField:x-api-key}" }, deps)
    const x = exchange()
    x.request = Fields.of([["X-Api-Key", "sk-very-secret"]])
    expect(filter.access!(x)).toBe(FAULT_VERDICT)
    const table = BanTable.of(deps.memory.get("bans/default")!, 10_000)
    expect(table.list(0)[0]!.key).toBe("sk-v…")
    expect(table.isBanned("sk-very-secret", deps.time.clock.wall())).toBe(true)
  })

  test.each([
    [{ when: {} }, "expected one of status, fault and counter"],
    [{ when: { status: 401, fault: "proxy.banned" } }, "expected one of status, fault and counter"],
    [{ when: { fault: "proxy.rate-limit" } }, "did you mean proxy.rate-limited?"],
    [{ when: "allways" }, "when"],
    [{ persist: "b.json", key: "${cookie:sid}" }, "may be secrets"],
    [{ exempt: "nobody" }, "exempt"],
  ])("refuses %j", (options, message) => expect(problemsOf(options)).toContain(message))

  test("says what it does", () => {
    expect(build({ when: { status: 401, times: 5 } }).describe!()).toBe(
      "refuses who is banned in zone default, by client; bans for 10m when 5 times 401 in 1m",
    )
    expect(build({ zone: "z", key: "user", action: "close" }).describe!()).toBe("closes on who is banned in zone z, by user; bans nobody itself")
  })
})

describe("ban table", () => {
  const term = { forMs: 60_000, factor: 1, forMsMax: 60_000, forgetMs: 0 }

  test("lists, removes, puts back", () => {
    const table = tableOf()
    expect(table.ban("192.0.2.1", term, 1000, "why")).toBe(61_000)
    table.ban("2001:db8::/64", { ...term, forMs: 30_000 }, 1000, "é".repeat(80))
    const bans = table.list(1000)
    expect(bans[0]).toEqual({ key: "192.0.2.1", since: 1000, until: 61_000, offences: 1, reason: "why" })
    expect(bans[1]!.reason).toEndWith("é…")
    expect([table.remove("192.0.2.1", 1000), table.remove("192.0.2.1", 1000), table.isBanned("192.0.2.1", 1000)]).toEqual([true, false, false])
    const other = tableOf()
    for (const one of bans) other.restore(one)
    expect(other.list(1000)).toEqual(bans)
    expect(other.list(40_000).length).toBe(1)
    expect(other.removeAll(1000)).toBe(2)
    expect([other.list(1000), other.changes]).toEqual([[], 3])
  })

  test("a ban during a ban makes it longer and is no new offence", () => {
    const table = tableOf()
    table.ban("a", { ...term, factor: 10 }, 0, "")
    expect(table.ban("a", { ...term, factor: 10 }, 30_000, "")).toBe(90_000)
    expect(table.list(30_000)[0]).toEqual({ key: "a", since: 0, until: 90_000, offences: 1, reason: "" })
  })

  test("a long key is one key, and shown in part", () => {
    const table = tableOf()
    table.ban("k".repeat(500), term, 0, "")
    expect([table.isBanned("k".repeat(500), 1), table.isBanned("k".repeat(499), 1)]).toEqual([true, false])
    expect(table.list(1)[0]!.key).toMatch(/^k{100,130}…$/)
  })
})
