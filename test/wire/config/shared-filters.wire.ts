import { afterAll, expect, test } from "bun:test"
import { parseConfig } from "../../../src/config/load.ts"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"

const [port, raw] = (await freePorts(2)) as [number, number]
const proxy = await startBothways({
  workers: 2,
  listeners: { web: { bind: `127.0.0.1:${port}` }, tcp: { bind: `127.0.0.1:${raw}`, tcp: true } },
  clusters: { nobody: { protocol: "tcp", peers: ["127.0.0.1:1"] } },
  filters: [{ "security-headers": {} }, { "rate-limit": { requests: 4, per: "1h" } }],
  routes: [
    { match: { listener: "tcp" }, to: { cluster: "nobody" } },
    { match: { path: "/a" }, filters: [{ headers: { response: { set: { "X-Own": "1" } } } }], to: { respond: { body: "a" } } },
    { match: {}, to: { respond: { body: "rest" } } },
  ],
})
afterAll(() => proxy.stop())

test("filters of all routes stand in front of each one's own, and count together", async () => {
  const statuses: number[] = []
  for (const path of ["/a", "/b", "/a", "/b", "/a", "/b"]) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    statuses.push(answer.status)
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    expect(answer.headers.get("x-own")).toBe(path === "/a" ? "1" : null)
  }
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
})

test("what is wrong with one is told once, where it stands", () => {
  const text = [
    "listeners: { web: { bind: ':1' } }",
    "filters:",
    "  - forward-auth: { cluster: auht, path: / }",
    "routes:",
    "  - { match: { path: /a }, filters: [{ forward-auth: { cluster: own, path: / } }], to: { respond: {} } }",
    "  - { to: { respond: {} } }",
    "clusters: { auth: { peers: ['127.0.0.1:1'] } }",
  ].join("\n")
  const result = parseConfig(text)
  const problems = result.ok ? [] : result.problems.filter(problem => problem.severity === "error")
  expect(problems.map(({ line, path, message }) => `${line} ${path} ${message}`)).toEqual([
    '3 filters[0].forward-auth.cluster there is no cluster "auht"; did you mean "auth"?',
    '5 routes[0].filters[0].forward-auth.cluster there is no cluster "own"; defined: auth',
  ])
})
