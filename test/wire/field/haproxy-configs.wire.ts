import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import type { Message } from "../../support/message.ts"
import { startHaproxy } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import type { Program } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { type Recorder, recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// O-55: lines of HAProxy that people have, beside what docs/migrating.md makes of them: the real HAProxy and we stand in front of the same servers.

/** What servers say to probes. */
const health = { a: "200 OK", b: "200 OK", reserve: "200 OK" }
type Name = keyof typeof health
const names = ["a", "b", "reserve"] as const
const servers = {} as Record<Name, Recorder>
const probes = { a: 0, b: 0, reserve: 0 }
const ports = {} as { theirs: Record<string, number>; ours: Record<string, number> }
let haproxy: Program
let proxy: Bothways

beforeAll(async () => {
  for (const name of names)
    servers[name] = await recorder(request => {
      const isProbe = request.start.includes(" /health ")
      if (isProbe) probes[name]++
      const status = isProbe ? health[name] : "200 OK"
      return `HTTP/1.1 ${status}\r\nCache-Control: max-age=60\r\nContent-Length: ${name.length}\r\n\r\n${name}`
    })
  const [ht, hs, hr, bt, bs, br] = (await freePorts(6)) as [number, number, number, number, number, number]
  ports.theirs = { sticky: ht, spare: hs, rules: hr }
  ports.ours = { sticky: bt, spare: bs, rules: br }
  const { a, b, reserve } = servers
  haproxy = await startHaproxy(
    ht,
    `frontend sticky
  bind 127.0.0.1:${ht}
  default_backend sticky
backend sticky
  balance leastconn
  cookie SID insert indirect nocache
  server a ${a.address} cookie a
  server b ${b.address} cookie b
frontend spare
  bind 127.0.0.1:${hs}
  default_backend spare
backend spare
  option httpchk GET /health
  http-check expect status 200
  default-server inter 100ms fall 3 rise 2
  server a ${a.address} check
  server b ${b.address} check
  server reserve ${reserve.address} check backup
frontend rules
  bind 127.0.0.1:${hr}
  http-request deny if { path_beg /admin/ }
  http-request redirect location https://new.test%[path] code 301 if { path_beg /old/ }
  http-request set-header X-Scheme http
  http-request replace-path /v1/(.*) /v2/\\1 if { path_beg /v1/ }
  http-response set-header X-Frame-Options DENY
  http-response del-header Cache-Control
  use_backend only-b if { hdr(host) -i b.test }
  use_backend only-b if { req.cook(version) -m str b }
  default_backend only-a
backend only-a
  server a ${a.address}
backend only-b
  server b ${b.address}`,
  )
  const listener = (port: number): object => ({ bind: `127.0.0.1:${port}` })
  const headers = {
    headers: { request: { set: { "X-Scheme": "http" } }, response: { set: { "X-Frame-Options": "DENY" }, remove: ["Cache-Control"] } },
  }
  const rules = (match: object, to: string, more: object[] = []): object => ({
    match: { listener: "rules", ...match },
    filters: [headers, ...more],
    to: { cluster: to },
  })
  proxy = await startBothways({
    listeners: { sticky: listener(bt), spare: listener(bs), rules: listener(br) },
    clusters: {
      sticky: { peers: [a.address, b.address], balance: "least-requests", sticky: { cookie: { name: "SID" } } },
      spare: {
        peers: [a.address, b.address, { address: reserve.address, backup: true }],
        health: { http: { path: "/health", status: [200], every: "100ms", fall: 3, rise: 2 } },
      },
      "only-a": { peers: [a.address] },
      "only-b": { peers: [b.address] },
    },
    routes: [
      { match: { listener: "sticky" }, to: { cluster: "sticky" } },
      { match: { listener: "spare" }, to: { cluster: "spare" } },
      { match: { listener: "rules", path: "/admin/*" }, to: { respond: { status: 403 } } },
      { match: { listener: "rules", path: "/old/*" }, to: { redirect: { to: "https://new.test$path", status: 301 } } },
      rules({ host: "b.test" }, "only-b"),
      rules({ cookie: { version: "b" } }, "only-b"),
      rules({ path: "/v1/*" }, "only-a", [{ rewrite: { pattern: { match: "^/v1/(.*)$", to: "/v2/$1" } } }]),
      rules({}, "only-a"),
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await haproxy.stop()
  for (const name of names) await servers[name][Symbol.asyncDispose]()
})

interface Got {
  readonly status: number
  readonly body: string
  readonly fields: Message["fields"]
  readonly seen: Message | undefined
}

async function get(port: number, target = "/", more = "", host = "app.test"): Promise<Got> {
  for (const name of names) servers[name].requests.length = 0
  using client = await rawClient(port)
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`)
  const { status, body, fields } = await client.response()
  return { status, body, fields, seen: names.flatMap(name => servers[name].requests).find(({ start }) => !start.includes(" /health ")) }
}

const sides = [
  ["HAProxy", "theirs"],
  ["we", "ours"],
] as const

describe("O-55 HAProxy: cookie SID insert indirect nocache, balance leastconn", () => {
  test.each(sides)(
    "%s: the first answer sets it and is not for shared caches, the server never sees it, and the same one is chosen",
    async (_who, side) => {
      const port = ports[side]["sticky"]!
      const first = await get(port)
      const cookie = String(first.fields["set-cookie"]).split(";")[0]!
      expect(cookie).toMatch(/^SID=./)
      expect(String(first.fields["cache-control"])).toMatch(/private/)
      for (let i = 0; i < 10; i++) {
        const again = await get(port, "/", `Cookie: x=1; ${cookie}\r\n`)
        expect([again.body, again.fields["set-cookie"], again.seen?.fields["cookie"]]).toEqual([first.body, undefined, "x=1"])
        expect(again.fields["cache-control"]).toBe("max-age=60")
      }
    },
  )
})

describe("O-55 HAProxy: httpchk, expect status 200, fall 3, rise 2, backup", () => {
  /** Who answers many requests. */
  const answering = async (side: "theirs" | "ours"): Promise<string> => {
    const seen = new Set<string>()
    for (let i = 0; i < 8; i++) seen.add((await get(ports[side]["spare"]!)).body)
    return [...seen].sort().join()
  }
  test("a redirect is a failure; the backup serves when all others are down, and only then", async () => {
    for (const [a, b, who] of [
      ["200 OK", "200 OK", "a,b"],
      ["302 Found", "200 OK", "b"],
      ["302 Found", "302 Found", "reserve"],
      ["200 OK", "302 Found", "a"],
    ] as const) {
      Object.assign(health, { a, b })
      for (const [, side] of sides) await until(async () => (await answering(side)) === who, 8000, `${who} behind ${side}`)
    }
    expect(probes.reserve).toBeGreaterThan(0)
  }, 30_000)
})

describe("O-55 HAProxy: rules", () => {
  const both = async <T>(what: (got: Got) => T, ...words: [string?, string?, string?]): Promise<T> => {
    const [theirs, ours] = [what(await get(ports.theirs["rules"]!, ...words)), what(await get(ports.ours["rules"]!, ...words))]
    expect(ours).toEqual(theirs as never)
    return theirs
  }
  test("http-request deny", async () => expect(await both(got => got.status, "/admin/x")).toBe(403))
  test("http-request redirect", async () => {
    expect(await both(got => [got.status, got.fields["location"]], "/old/x")).toEqual([301, "https://new.test/old/x"])
  })
  test("use_backend by host and by cookie", async () => {
    expect(await both(got => got.body)).toBe("a")
    expect(await both(got => got.body, "/", "", "B.test")).toBe("b")
    expect(await both(got => got.body, "/", "Cookie: version=b\r\n")).toBe("b")
  })
  test("replace-path, set-header", async () => {
    const told = await both(({ seen }) => [seen?.start, seen?.fields["x-scheme"]], "/v1/x?q", "X-Scheme: https\r\n")
    expect(told).toEqual(["GET /v2/x?q HTTP/1.1", "http"])
  })
  test("http-response set-header, del-header", async () => {
    expect(await both(({ fields }) => [fields["x-frame-options"], fields["cache-control"]])).toEqual(["DENY", undefined])
  })
})
