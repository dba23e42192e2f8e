import { describe, expect, test } from "bun:test"
import { heapStats } from "bun:jsc"
import { posix } from "node:path"
import type { MatcherDefinition } from "../plugin/index.ts"
import { rulePath, rulePathResult } from "../http/index.ts"
import { compileRoutes, type RouteInput } from "./compile-routes.ts"
import { exchangeOf, type Facts } from "./exchange-of.fixture.ts"
import header from "./match/header/header.ts"
import host from "./match/host/host.ts"
import listener from "./match/listener/listener.ts"
import method from "./match/method/method.ts"
import path from "./match/path/path.ts"
import { NO_ROUTE, REFUSE_PATH, type RouteTable } from "./table.ts"

const matchers = [listener, host, path, method, header] as readonly MatcherDefinition<unknown>[]

function tableOf(...matches: RouteInput["match"][]): RouteTable {
  return compileRoutes(
    matches.map(match => ({ match })),
    matchers,
  )
}

function find(table: RouteTable, facts: Facts): number {
  return table.find(exchangeOf(facts))
}

describe("first match wins", () => {
  test("no routes, no match, everything", () => {
    expect(find(tableOf(), {})).toBe(NO_ROUTE)
    expect(find(tableOf({ host: "b.test" }), {})).toBe(NO_ROUTE)
    expect(find(tableOf({}), {})).toBe(0)
    expect(find(tableOf({ host: "b.test" }, {}, { host: "a.test" }), {})).toBe(1)
  })

  test("a general route before a special one hides it", () => {
    const table = tableOf({ path: "/a/*" }, { host: "a.test", path: "/a/b" }, { host: "a.test" })
    expect(find(table, { path: "/a/b" })).toBe(0)
    expect(find(table, { path: "/b" })).toBe(2)
  })

  test("hosts, wildcards of every depth and any host", () => {
    const table = tableOf({ host: "x.y.a.test" }, { host: "*.y.a.test" }, { host: ["*.a.test", "b.test"] }, { host: "*" })
    const hosts = { "x.y.a.test": 0, "z.y.a.test": 1, "z.z.y.a.test": 1, "y.a.test": 2, "q.a.test": 2, "b.test": 2, "a.test": 3, "": 3 }
    for (const [asked, index] of Object.entries(hosts)) expect({ asked, index: find(table, { host: asked }) }).toEqual({ asked, index })
  })

  test("exact paths, prefixes of every depth, patterns and any path", () => {
    const table = tableOf({ path: "/a/b/c" }, { path: "~^/a/[0-9]+$" }, { path: "/a/b/*" }, { path: ["/a/*", "/z"] }, { path: "/*" }, {})
    const paths = { "/a/b/c": 0, "/a/77": 1, "/a/b": 2, "/a/b/d/e": 2, "/a/bb": 3, "/a": 3, "/z": 3, "/z/": 4, "/": 4, "*": 5, "": 5 }
    for (const [asked, index] of Object.entries(paths)) expect({ asked, index: find(table, { path: asked }) }).toEqual({ asked, index })
  })

  test("listeners: named, several, and one that no route names", () => {
    const table = tableOf(
      { listener: "egress", host: "a.test" },
      { listener: ["web", "egress"], path: "/x" },
      { host: "a.test" },
      { listener: "web" },
    )
    expect(find(table, { listener: "egress" })).toBe(0)
    expect(find(table, { listener: "egress", host: "b.test", path: "/x" })).toBe(1)
    expect(find(table, { listener: "web" })).toBe(2)
    expect(find(table, { listener: "web", host: "b.test" })).toBe(3)
    expect(find(table, { listener: "other" })).toBe(2)
    expect(find(table, { listener: "other", host: "b.test" })).toBe(NO_ROUTE)
    const x = exchangeOf({ host: "b.test" })
    x.listener = null
    expect(table.find(x)).toBe(NO_ROUTE)
  })

  test("other conditions are tested in order and fall through", () => {
    const table = tableOf({ path: "/a", method: "POST" }, { path: "/a", header: { "x-b": true } }, { path: "/a" })
    expect(find(table, { path: "/a", method: "POST" })).toBe(0)
    expect(find(table, { path: "/a", headers: [["X-B", ""]] })).toBe(1)
    expect(find(table, { path: "/a" })).toBe(2)
  })

  test("a predicate of a TypeScript config is a condition like the others", () => {
    const table = compileRoutes([{ match: { host: "a.test" }, when: x => x.query === "?a" }, { match: {} }], matchers)
    expect(find(table, { query: "?a" })).toBe(0)
    expect(find(table, { query: "?b" })).toBe(1)
    expect(find(table, { query: "?a", host: "b.test" })).toBe(1)
  })

  test("a matcher that nobody knows is an error with the known ones", () => {
    expect(() => tableOf({ colour: "red" })).toThrow('there is no matcher "colour"; expected one of listener, host, path, method, header')
  })
})

test("a route with very many hosts and paths", () => {
  const hosts = Array.from({ length: 100 }, (_, i) => `h${i}.test`)
  const paths = Array.from({ length: 100 }, (_, i) => `/p${i}/*`)
  const table = tableOf({ host: "h7.test", path: "/p7" }, { host: hosts, path: paths }, { host: hosts })
  expect(find(table, { host: "h7.test", path: "/p7" })).toBe(0)
  expect(find(table, { host: "h99.test", path: "/p99/x" })).toBe(1)
  expect(find(table, { host: "h99.test", path: "/p100" })).toBe(2)
  expect(find(table, { host: "h100.test", path: "/p1" })).toBe(NO_ROUTE)
})

describe("10,000 routes", () => {
  const count = 10_000
  const table = tableOf(
    ...Array.from({ length: count }, (_, i) => ({ host: `h${i % 2500}.test`, path: `/${i % 3 === 0 ? "x/" : ""}p${i}${i % 2 === 0 ? "/*" : ""}` })),
  )
  const facts = (i: number) => ({ host: `h${i % 2500}.test`, path: `/${i % 3 === 0 ? "x/" : ""}p${i}${i % 2 === 0 ? "/below/it" : ""}` })

  test("each finds its own", () => {
    for (let i = 0; i < count; i += 7) expect(find(table, facts(i))).toBe(i)
    expect(find(table, { host: "h1.test", path: "/p2" })).toBe(NO_ROUTE)
    expect(find(table, { host: "h2500.test", path: "/p0" })).toBe(NO_ROUTE)
  })

  test("a look-up allocates nothing", () => {
    const exchanges = Array.from({ length: 100 }, (_, i) => exchangeOf(facts(i * 99)))
    exchanges.push(exchangeOf({ host: "nobody.here.test", path: `/${"a/".repeat(500)}` }))
    const look = (times: number): number => {
      let sum = 0
      for (let i = 0; i < times; i++) sum += table.find(exchanges[i % exchanges.length]!)
      return sum
    }
    look(5000)
    Bun.gc(true)
    const before = heapStats().heapSize
    expect(look(20_000)).toBeGreaterThan(0)
    // One object of the smallest size for each look-up would be 320 KB.
    expect(heapStats().heapSize - before).toBeLessThan(64 * 1024)
  })

  test("a path of very many segments costs what the deepest prefix allows", () => {
    const x = exchangeOf({ host: "h2.test", path: `/${"a/".repeat(30_000)}` })
    const started = performance.now()
    for (let i = 0; i < 1000; i++) table.find(x)
    expect(performance.now() - started).toBeLessThan(500)
  })
})

describe("encoded slashes", () => {
  const routes = (encodedSlashes?: "refuse" | "allow"): RouteTable =>
    compileRoutes([{ match: { path: "/api/*" }, ...(encodedSlashes === undefined ? {} : { encodedSlashes }) }, { match: {} }], matchers)

  test("a route with a path rule refuses them by default, in whichever reading it matches", () => {
    for (const asked of ["/api/a%2Fb", "/api/a%2fb", "/api%2Fa", "/api%5ca", "/%2Fapi", "/api/a%5Cb", "/;v=%2Fapi/x", "/api;v=%2F"])
      expect({ asked, index: find(routes(), { path: asked }) }).toEqual({ asked, index: REFUSE_PATH })
  })

  test("no path rule that the path could mean: it goes on as data", () => {
    for (const asked of ["/a%2Fb", "/w/https%3A%2F%2Fh%2Fp", "/x%2Fapi", "/apis%2Fx", "/a%5Cb%2Fc"])
      expect({ asked, index: find(routes(), { path: asked }) }).toEqual({ asked, index: 1 })
  })

  test("allow: they are data for this route", () => {
    expect(find(routes("allow"), { path: "/api/a%2Fb" })).toBe(0)
    expect(find(routes("allow"), { path: "/api%2Fa" })).toBe(1)
    const exact = compileRoutes([{ match: { path: "/p/a%2fb" }, encodedSlashes: "allow" }], matchers)
    expect(find(exact, { path: "/p/a%2Fb" })).toBe(0)
    expect(find(exact, { path: "/p/a/b" })).toBe(NO_ROUTE)
  })

  test("a mixed path has a reading in which only one kind is decoded", () => {
    const table = tableOf({ path: "/a%5Cb/c" }, {})
    expect(find(table, { path: "/a%5Cb%2Fc" })).toBe(REFUSE_PATH)
    expect(find(tableOf({ path: "/a/b/c" }, {}), { path: "/a%5Cb%2Fc" })).toBe(REFUSE_PATH)
  })

  test("only rules whose other conditions hold, and that come before the winner, are asked", () => {
    const other = tableOf({ path: "/api/*", host: "b.test" }, {}, { path: "/api/*" })
    expect(find(other, { path: "/api%2Fa" })).toBe(1)
    expect(find(other, { path: "/api%2Fa", host: "b.test" })).toBe(REFUSE_PATH)
    expect(find(tableOf({ path: "/api/*", method: "POST" }, {}), { path: "/api%2Fa" })).toBe(1)
  })

  test("no winner, but a rule that might be meant", () => {
    expect(find(tableOf({ path: "/api/*" }), { path: "/api%2Fa" })).toBe(REFUSE_PATH)
    expect(find(tableOf({ path: "/api/*" }), { path: "/x%2Fa" })).toBe(NO_ROUTE)
  })

  test("a route without a path rule allows them, unless it says refuse", () => {
    expect(find(tableOf({ host: "a.test" }), { path: "/a%2Fb" })).toBe(0)
    expect(compileRoutes([{ match: {}, encodedSlashes: "refuse" }], matchers).find(exchangeOf({ path: "/a%2Fb" }))).toBe(REFUSE_PATH)
  })

  test("patterns are path rules too", () => {
    expect(find(tableOf({ path: "~^/admin/" }, {}), { path: "/admin%2Fx" })).toBe(REFUSE_PATH)
  })

  test("the exchange is left as it was", () => {
    const x = exchangeOf({ path: "/api%2Fa" })
    routes().find(x)
    expect([x.path, x.rulePath, x.encodedSlash]).toEqual(["/api%2Fa", "/api%2Fa", true])
  })

  test("hasPathRule", () => {
    const table = tableOf({ path: "/a" }, { host: "a.test" }, { path: ["~a", "/b/*"], method: "GET" }, {})
    expect([0, 1, 2, 3].map(index => table.hasPathRule(index))).toEqual([true, false, true, false])
    expect(table.size).toBe(4)
  })
})

describe("paths that walk around rules (FIELD-CASES O-18)", () => {
  const ambiguous = "refused before any rule"
  const deny = 0
  const pub = 1
  const rest = 2
  const inputs: [string, number | string][] = [
    ["/pub/../admin", deny],
    ["/pub/%2e%2e/admin", deny],
    ["/pub/.%2E/admin", deny],
    ["/pub/..%2fadmin", ambiguous],
    ["/pub/..%5cadmin", ambiguous],
    ["//admin", deny],
    ["/./admin", deny],
    ["/admin/", deny],
    ["/admin%2fusers", REFUSE_PATH],
    ["/%61dmin", deny],
    ["/admin;x=1", deny],
    ["/pub/..;/admin", ambiguous],
    ["/pub/%252e%252e/admin", pub],
    ["/admin\t", ambiguous],
    ["/admin%00", ambiguous],
    ["/pub/a%2fb", REFUSE_PATH],
    ["/%2fadmin", REFUSE_PATH],
    ["/pub", pub],
    ["/else", rest],
  ]
  const guarded = { match: { path: ["/admin", "/admin/*"] } }
  const open = { match: { path: "/pub/*" } }
  const tables = {
    "with a catch-all": compileRoutes([guarded, open, { match: {} }], matchers),
    "without one": compileRoutes([guarded, open], matchers),
  }
  for (const [name, table] of Object.entries(tables)) {
    for (const [asked, outcome] of inputs) {
      test(`${JSON.stringify(asked)} ${name}`, () => {
        rulePath(asked)
        if (rulePathResult.refused) return expect(ambiguous).toBe(String(outcome))
        const x = exchangeOf({ path: asked })
        const found = table.find(x)
        expect(found).toBe(outcome === rest && name === "without one" ? NO_ROUTE : (outcome as number))
        if (found === pub || found === rest) expect(decodedOnce(x.path)).not.toMatch(/^\/admin(?:\/|$)/)
      })
    }
  }

  /** What a server that decodes once, and takes a backslash for a slash, looks up. */
  function decodedOnce(sent: string): string {
    return posix.normalize(decodeURIComponent(sent).replaceAll("\\", "/"))
  }
})

describe("trace", () => {
  function trace(table: RouteTable, facts: Facts): { decision: number; lines: string[] } {
    const lines: string[] = []
    const decision = table.trace(exchangeOf(facts), (index, matched, reason) => lines.push(`${index} ${matched ? "yes" : "no"}: ${reason}`))
    return { decision, lines }
  }

  test("visits every rule in order, with the reason", () => {
    const table = tableOf({ listener: "egress" }, { host: "b.test" }, { host: "a.test", path: "/a/*" }, { host: "*.test" }, {})
    expect(trace(table, { path: "/x" })).toEqual({
      decision: 3,
      lines: [
        "0 no: listener is web, not egress",
        "1 no: host is a.test, not b.test",
        "2 no: path is /x, not /a/*",
        "3 yes: matches: host",
        "4 no: not reached: route 3 decides",
      ],
    })
    expect(trace(tableOf({}), {})).toEqual({ decision: 0, lines: ["0 yes: matches everything"] })
    expect(trace(tableOf({ method: "PUT" }), {})).toEqual({ decision: NO_ROUTE, lines: ["0 no: method is GET, not PUT"] })
  })

  test("says which rule refuses a path", () => {
    const { decision, lines } = trace(tableOf({ path: "/b" }, { path: "/a/*" }, {}), { path: "/a%2Fb" })
    expect(decision).toBe(REFUSE_PATH)
    expect(lines[0]).toBe("0 no: path is /a%2Fb, not /b")
    expect(lines[1]).toStartWith("1 yes: refuses the path: it has an encoded slash")
    expect(lines[2]).toBe("2 no: not reached: route 1 decides")
  })
})
