import fc from "fast-check"
import { parseConfig } from "../load.ts"
import type { Config } from "../schema.ts"
import type { LiveCluster } from "./dry-peers.ts"

type Generated<A> = A extends fc.Arbitrary<infer T> ? T : never

const cidrs = fc.constantFrom("10.0.0.0/8", "127.0.0.0/8", "::1/128", "192.0.2.0/24")
const balance = fc.oneof(
  fc.constantFrom("round-robin", "random", "least-requests", "power-of-two"),
  fc.record({
    "consistent-hash": fc.record({
      key: fc.constantFrom("client", "path", "header:x-user", "cookie:sid"),
      algorithm: fc.constantFrom("maglev", "ring"),
    }),
  }),
)
const peer = fc.record({
  weight: fc.constantFrom(0, 1, 1, 1, 3),
  backup: fc.constantFrom(false, false, true),
  down: fc.constantFrom(false, false, false, true),
})
const cluster = fc.record({ peers: fc.array(peer, { minLength: 1, maxLength: 4 }), balance, allDown: fc.constantFrom("try", "fail") })
const condition: fc.Arbitrary<Record<string, unknown>> = fc.oneof(
  fc.record({ listener: fc.constantFrom("web", "egress", ["web", "egress"]) }),
  fc.record({ host: fc.constantFrom("a.test", "*.a.test", ["b.test", "[::1]"], "10.0.0.7") }),
  fc.record({ path: fc.constantFrom("/", "/a/*", ["/b", "/c/*"], "~^/[ab]") }),
  fc.record({ method: fc.constantFrom("GET", ["POST", "CONNECT"]) }),
  fc.record({ header: fc.record({ "x-user": fc.constantFrom(true, false, "one") }) }),
  fc.record({ client: cidrs }),
)
const match = fc.array(condition, { maxLength: 2 }).map(conditions => Object.assign({}, ...conditions) as Record<string, unknown>)
const to = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom({ cluster: "one" }, { cluster: "two" }) },
  { weight: 3, arbitrary: fc.constant({ origin: {} }) },
  { weight: 1, arbitrary: fc.constant({ origin: { via: "two" } }) },
  { weight: 1, arbitrary: fc.constantFrom({ respond: { status: 403, body: "no" } }, { respond: { status: 204 } }) },
  { weight: 1, arbitrary: fc.constant({ redirect: { to: "https://$host$path" } }) },
)
const route = fc.record(
  { match, to, bodyBytesMax: fc.constantFrom(0, 10), encodedSlashes: fc.constantFrom("refuse", "allow") },
  { requiredKeys: ["match", "to"] },
)
const forward = fc.record({
  privateRanges: fc.oneof(fc.constantFrom("deny", "allow"), fc.array(cidrs, { minLength: 1, maxLength: 2 })),
  connectPorts: fc.constantFrom([443], ["443", "8000-9000"]),
  ports: fc.constantFrom(["80"], ["80", "1025-65535"]),
  privacy: fc.constantFrom("transparent", "high"),
})
export const settingCase = fc.record({
  trustedHops: fc.constantFrom([], ["10.0.0.0/8"]),
  forward,
  one: cluster,
  two: cluster,
  routes: fc.array(route, { minLength: 1, maxLength: 6 }),
})

const host = fc.constantFrom(
  "a.test",
  "x.a.test",
  "b.test",
  "c.test",
  "10.0.0.7",
  "8.8.8.8",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "127.1",
  "localhost",
  "c.invalid",
  "A.TEST.",
)
const port = fc.constantFrom("", ":80", ":8001", ":8002", ":22", ":9000")
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("/", "/a", "/a/b", "/b", "/c/../b", "", "?q") },
  { weight: 2, arbitrary: fc.constantFrom("/a%2fb", "/c/%2e%2e%2fa", "/A", "/a//b;v=1") },
)
const plainHeader = fc.constantFrom(
  "X-User: one",
  "X-User: two",
  "Cookie: sid=1; sid=2",
  "X-Forwarded-For: 192.0.2.9",
  "X-Forwarded-For: 10.1.1.1, 10.2.2.2",
)
const oddHeader = fc.constantFrom(
  "Content-Length: 5",
  "Content-Length: 11",
  "Transfer-Encoding: chunked",
  "X-A : 1",
  "Host: b.test",
  "Expect: something",
  "Via: 1.1 bothways-INSTANCE-0, 1.1 other",
  "Max-Forwards: 0",
)
const headers = fc.oneof(
  { weight: 20, arbitrary: fc.array(plainHeader, { maxLength: 2 }) },
  { weight: 6, arbitrary: fc.tuple(plainHeader, oddHeader).map(([first, second]): string[] => [first, second]) },
  { weight: 1, arbitrary: fc.constant<string[]>(["Host: a.test", "Host: b.test"]) },
)
const method = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("GET", "GET", "POST") },
  { weight: 4, arbitrary: fc.constant("CONNECT") },
  { weight: 1, arbitrary: fc.constantFrom("OPTIONS", "TRACE", "G@T", "get") },
)
export const requestCase = fc.record({
  listener: fc.constantFrom("web", "egress"),
  method,
  host,
  port,
  path,
  headers,
  from: fc.constantFrom("127.0.0.1", "10.0.0.3", "192.0.2.9", "::1"),
})
export type Setting = Generated<typeof settingCase>
export type Asked = Generated<typeof requestCase>

/** The config, or null when `check` refuses it. */
export function configOf({ trustedHops, forward: rules, one, two, routes }: Setting): Config | null {
  const peersOf = (spec: Setting["one"], base: number) =>
    spec.peers.map(({ weight, backup }, i) => ({ address: `127.0.0.1:${base + i}`, weight, backup }))
  const model = {
    listeners: { web: { bind: "127.0.0.1:8001", trustedHops }, egress: { bind: "127.0.0.1:8002", trustedHops, forward: rules } },
    clusters: {
      one: { peers: peersOf(one, 9001), balance: one.balance, allDown: one.allDown },
      two: { peers: peersOf(two, 9101), balance: two.balance, allDown: two.allDown },
    },
    routes: routes.map((entry, i) => ({
      name: `r${i}`,
      ...entry,
      ...("origin" in entry.to ? { match: { ...entry.match, listener: "egress" } } : {}),
    })),
  }
  const result = parseConfig(JSON.stringify(model))
  return result.ok ? result.config : null
}

/** What the running instance would say: which peers are down. */
export function liveOf({ one, two }: Setting): LiveCluster[] {
  const peersOf = (spec: Setting["one"], base: number) =>
    spec.peers.map(({ down }, i) => ({
      name: `127.0.0.1:${base + i}`,
      host: "127.0.0.1",
      health: down ? ("down" as const) : ("up" as const),
      available: !down,
      ejectedForMs: 0,
      inFlight: 0,
    }))
  return [
    { name: "one", peers: peersOf(one, 9001) },
    { name: "two", peers: peersOf(two, 9101) },
  ]
}
