import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { FakeClock, TimerWheel } from "../../base/index.ts"
import type { Lists, MatcherDefinition, NameList, Reading } from "../../plugin/index.ts"
import { compileRoutes } from "../compile-routes.ts"
import { exchangeOf, type Facts } from "../exchange-of.fixture.ts"

/** For each matcher: requests that the routes of its README's example take, and the route that takes each; -1 = none. */
const requests: Record<string, [Facts, number][]> = {
  listener: [
    [{ listener: "web" }, 0],
    [{ listener: "internal" }, 1],
    [{ listener: "other" }, -1],
  ],
  host: [
    [{ host: "shop.example" }, 0],
    [{ host: "a.b.shop.example" }, 1],
    [{ host: "2001:db8::1" }, 1],
    [{ host: "other.example" }, 2],
  ],
  path: [
    [{ path: "/%61dmin" }, 0],
    [{ path: "/admin/x" }, 0],
    [{ path: "/api" }, 1],
    [{ path: "/u/17" }, 2],
    [{ path: "/u/x" }, -1],
  ],
  tlsName: [
    [{ listener: "egress", hello: { tlsName: "a.internal.example" } }, 0],
    [{ listener: "egress" }, 1],
  ],
  alpn: [
    [{ listener: "egress", hello: { alpn: ["h2", "http/1.1"] } }, 0],
    [{ listener: "egress", hello: { alpn: ["http/1.1"] } }, 1],
  ],
  ja4: [
    [{ listener: "egress", hello: { ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1" } }, 0],
    [{ listener: "egress", hello: { ja4: "t13d1516h2_8daaf6152771_d8a2da3f94cd" } }, 1],
  ],
  method: [
    [{ path: "/items/1", method: "HEAD" }, 0],
    [{ path: "/items/1", method: "PUT" }, 1],
  ],
  header: [
    [{ headers: [["X-Canary", "1"]] }, 0],
    [{ headers: [["User-Agent", "Curl/8"]] }, 1],
    [
      {
        headers: [
          ["User-Agent", "curl/8"],
          ["X-Internal", ""],
        ],
      },
      -1,
    ],
  ],
  query: [
    [{ path: "/search", query: "?v=2" }, 0],
    [{ path: "/search", query: "?v=2.1" }, 0],
    [{ path: "/search", query: "?v=2&debug" }, -1],
  ],
  cookie: [
    [{ headers: [["Cookie", "experiment=b-2"]] }, 0],
    [{ headers: [["Cookie", "experiment=b; optout=1"]] }, -1],
    [{}, -1],
  ],
  client: [
    [{ path: "/status/x", client: "10.1.2.3" }, 0],
    [{ path: "/status/x", client: "192.0.2.1" }, -1],
  ],
  counter: [
    [{ path: "/login", client: "192.0.2.6" }, 0],
    [{ path: "/login", client: "192.0.2.5" }, 1],
  ],
  port: [
    [{ port: 443 }, 0],
    [{ port: 8000 }, 0],
    [{ port: 80 }, -1],
  ],
  scheme: [
    [{ host: "a.bank.example", method: "CONNECT" }, 0],
    [{ host: "a.bank.example", scheme: "https" }, -1],
  ],
  inspected: [
    [{ path: "/upload/x", inside: true }, 0],
    [{ path: "/upload/x" }, -1],
  ],
  user: [
    [{ user: "alice" }, 0],
    [{ user: "bob@staff.school.example" }, 0],
    [{ user: "bob" }, -1],
    [{}, -1],
  ],
  group: [
    [{ groups: ["a", "staff-x"] }, 0],
    [{ groups: ["pupils"] }, -1],
  ],
  domain: [
    [{ listener: "egress", host: "pay.bank.example" }, 0],
    [{ listener: "egress", host: "eu.wallet.example" }, 0],
    [{ listener: "egress", host: "wallet.example" }, -1],
    [{ host: "a.listed.test" }, 1],
    [{ host: "notlisted.test" }, -1],
  ],
  category: [
    [{ host: "ads.listed.test" }, 0],
    [{ listener: "egress", host: "a.test" }, 1],
  ],
  // What the clock of this test shows is a Thursday at 9 in Berlin.
  time: [[{}, 0]],
  url: [
    [{ host: "x.example.com", path: "/ads/1" }, 0],
    [{ host: "video.example", scheme: "https", path: "/watch", query: "?a&v=blocked7" }, 0],
    [{ host: "b.test", path: "/poker/" }, 0],
    [{ host: "b.test", path: "/pokers" }, -1],
  ],
}

const clock = new FakeClock(0, Date.parse("2026-11-26T08:00:00Z"))
const time = { clock, wheel: new TimerWheel(0) }

/** Whoever has the address 192.0.2.N has N of everything. */
const reading = (name: string): Reading => ({ name, text: name, read: x => Number(x.clientAddress.split(".")[3]) })

/** Every list, and one of every category, has listed.test and what is below it. */
const listed = (name: string, category: string): NameList => ({
  name,
  category,
  has: host => `.${host}`.endsWith(".listed.test"),
  find: host => `.${host}`.lastIndexOf(".listed.test"),
})
const lists: Lists = { get: name => listed(name, ""), ofCategory: category => [listed("of-it", category)] }

const names = readdirSync(import.meta.dirname, { withFileTypes: true }).filter(entry => entry.isDirectory())
const matchers = await Promise.all(
  names.map(async ({ name }) => (await import(join(import.meta.dirname, name, `${name}.ts`))).default as MatcherDefinition<unknown>),
)

for (const matcher of matchers) {
  test(`the example of ${matcher.name}`, () => {
    const readme = readFileSync(
      join(
        import.meta.dirname,
        matcher.name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`),
        "README.md",
      ),
      "utf8",
    )
    const example = parse(readme.split("```yaml\n")[1]!.split("```")[0]!) as { routes: { match: Record<string, unknown> }[] }
    const routes = example.routes.map(({ match }) => ({
      match: Object.fromEntries(Object.entries(match).map(([name, options]) => [name, parsed(name, options)])),
    }))
    const table = compileRoutes(routes, matchers, { reading, time, lists })
    const cases = requests[matcher.name] ?? []
    expect(cases.length).toBeGreaterThan(0)
    for (const [facts, index] of cases) expect({ facts, index: table.find(exchangeOf(facts)) }).toEqual({ facts, index })
  })
}

function parsed(name: string, options: unknown): unknown {
  return matchers.find(matcher => matcher.name === name)!.options.parse(options)
}
