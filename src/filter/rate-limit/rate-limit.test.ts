import { describe, expect, test } from "bun:test"
import { KeyedTable, KIND_METER } from "../../base/index.ts"
import { Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { FakeDeps, FilterRun } from "../filter-run.fixture.ts"
import rateLimit from "./rate-limit.ts"

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

function runOf(options: unknown, deps = new FakeDeps()): { run: FilterRun; deps: FakeDeps; status(request?: string): number } {
  const run = new FilterRun(rateLimit.build(rateLimit.options.parse(options), deps))
  return { run, deps, status: (request = GET) => Number(run.send(request).slice(9, 12)) }
}

function problemsOf(options: unknown): string {
  const result = rateLimit.options.safeParse(options)
  return result.success ? "" : result.error.issues.map(issue => `${issue.path.join(".")}: ${issue.message}`).join("; ")
}

describe("rate-limit", () => {
  test("refuses what is over, says until when, and lets through again", () => {
    const { run, deps, status } = runOf({ requests: 3, per: "10s" })
    expect([status(), status(), status(), status()]).toEqual([404, 404, 404, 429])
    const refused = run.send(GET)
    expect(refused).toContain("\r\nRetry-After: 11\r\n")
    expect(refused).toContain('\r\nRateLimit-Policy: "10s";q=3;w=10\r\nRateLimit: "10s";r=0;t=11\r\n')
    expect(refused).toContain("fault: proxy.rate-limited")
    expect(deps.counts.get("rate_limit_limited_test_0")).toBe(2)
    deps.time.clock.advance(11_000)
    expect(status()).toBe(404)
  })

  test("an answer that is let through says what is left", () => {
    const { run } = runOf({ requests: 3, per: "1m", burst: 2, fields: "both", name: "api" })
    const answer = run.send(GET)
    expect(answer).toContain('RateLimit-Policy: "api";q=3;w=60\r\nRateLimit: "api";r=1;t=20\r\n')
    expect(answer).toContain("X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 1\r\nX-RateLimit-Reset: 20\r\n")
    expect(runOf({ requests: 3, per: "1m", fields: "off" }).run.send(GET)).not.toContain("RateLimit")
  })

  test("several limits: all must agree, and what one refuses costs nothing in the others", () => {
    const { run, status } = runOf({
      limits: [
        { requests: 10, per: "1m" },
        { requests: 2, per: "1s", name: "short", algorithm: "fixed-window" },
      ],
    })
    expect([status(), status(), status(), status(), status()]).toEqual([404, 404, 429, 429, 429])
    expect(run.send(GET)).toContain('RateLimit-Policy: "1m";q=10;w=60, "short";q=2;w=1\r\nRateLimit: "1m";r=7;t=60, "short";r=0;t=1\r\n')
  })

  test("keys are told apart; a request without one is not limited", () => {
    const { status } = runOf({ requests: 1, per: "1m", key: "${requestField:x-key}" })
    const of = (key: string) => `GET / HTTP/1.1\r\nHost: a\r\nX-Key: ${key}\r\n\r\n`
    expect([status(of("a")), status(of("b")), status(of("a")), status(), status()]).toEqual([404, 404, 429, 404, 404])
  })

  test("requests without a key may be limited together", () => {
    const { status } = runOf({ requests: 1, per: "1m", key: "user", withoutKey: "limit" })
    expect([status(), status()]).toEqual([404, 429])
  })

  test("two workers and two filters of a zone count together", () => {
    const deps = new FakeDeps()
    const filters = [runOf({ requests: 3, per: "1m", zone: "z" }, deps), runOf({ requests: 3, per: "1m", zone: "z" }, deps)]
    expect([0, 1, 0, 1, 0].map(i => filters[i]!.status())).toEqual([404, 404, 404, 429, 429])
  })

  test("a flood of a million clients takes no memory and frees nobody who is limited", () => {
    const deps = new FakeDeps()
    const filter = rateLimit.build(rateLimit.options.parse({ requests: 5, per: "1h", keysMax: 2000 }), deps)
    const x = new Exchange()
    const ask = (client: string): Verdict => {
      x.clientAddress = client
      return filter.access!(x) as Verdict
    }
    const heavy = Array.from({ length: 20 }, (_, i) => `192.0.2.${i}`)
    for (const client of heavy) for (let i = 0; i < 5; i++) ask(client)
    let passed = 0
    for (let i = 0; i < 1_000_000; i++) {
      ask(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
      if (i % 200 === 0) for (const client of heavy) if (ask(client) === NEXT) passed++
    }
    expect(passed).toBe(0)
    expect([...deps.memory.values()].map(memory => memory.byteLength)).toEqual([
      KeyedTable.bytes({ keysMax: 2000, valueWords: 16, kind: KIND_METER }),
    ])
    expect(deps.counts.get("rate_limit_evicted_test_0")).toBeGreaterThan(990_000)
  })

  test("exempt addresses, dry run, cost, status", () => {
    const exempt = runOf({ requests: 1, per: "1m", exempt: "192.0.2.0/24" })
    expect([exempt.status(), exempt.status()]).toEqual([404, 404])
    expect(exempt.deps.counts.get("rate_limit_exempt_test_0")).toBe(2)
    const dry = runOf({ requests: 1, per: "1m", dryRun: true })
    expect([dry.status(), dry.status()]).toEqual([404, 404])
    expect(dry.deps.counts.get("rate_limit_limited_test_0")).toBe(1)
    const dear = runOf({ requests: 10, per: "1m", cost: 4, status: 503 })
    expect([dear.status(), dear.status(), dear.status()]).toEqual([404, 404, 503])
  })

  test("delay: who comes too soon waits, who leaves meanwhile is forgotten, and the queue is bounded", async () => {
    const deps = new FakeDeps()
    const run = () => new FilterRun(rateLimit.build(filterOptions, deps))
    const filterOptions = rateLimit.options.parse({ requests: 10, per: "1s", delay: "1s", waitersMax: 2 })
    const filter = rateLimit.build(filterOptions, deps)
    const clients = [0, 1, 2, 3].map(() => new FilterRun(filter))
    expect(clients.map(client => client.send(GET).slice(9, 12))).toEqual(["404", "", "", "429"])
    clients[1]!.leave()
    deps.time.clock.advance(201)
    await Bun.sleep(30)
    expect(clients[2]!.output).toStartWith("HTTP/1.1 404")
    expect(clients[1]!.output).toBe("")
    expect(deps.counts.get("rate_limit_delayed_test_0")).toBe(3)
    run().leave()
  })

  test.each([
    [{}, "requests: expected a number of requests"],
    [{ requests: 5 }, "per: expected a period"],
    [{ requests: 5, per: "1s", limits: [{ requests: 5, per: "1s" }] }, "not both"],
    [{ requests: 5, per: "1s", burst: 2, algorithm: "fixed-window" }, "burst is for token-bucket"],
    [{ requests: 5, per: "1s", cost: 6 }, "costs more than the limit holds"],
    [{ requests: 5, per: "1s", key: "cleint" }, "did you mean client?"],
    [{ requests: 5, per: "1s", exempt: ["10.0.0.0/33"] }, "exempt"],
    [{ limits: [{ requests: 5 }] }, "limits.0.per: expected a period"],
    [{ requests: 0, per: "1s" }, "requests"],
  ])("refuses %j", (options, message) => expect(problemsOf(options)).toContain(message))

  test("says what it does", () => {
    const options = rateLimit.options.parse({
      limits: [
        { requests: 5, per: "1s", burst: 2, zone: "z" },
        { requests: 9, per: "1h", key: "user" },
      ],
      exempt: "10.0.0.0/8",
    })
    expect(rateLimit.build(options, new FakeDeps()).describe!()).toBe(
      "5 in 1s (token-bucket, 2 at once) by client in zone z, 9 in 1h (sliding-window) by user; not for 10.0.0.0/8",
    )
  })
})
