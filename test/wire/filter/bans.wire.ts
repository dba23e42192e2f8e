import { afterAll, beforeAll, expect, test } from "bun:test"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Bothways, runBothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

// Five wrong passwords ban a client on all workers at once; the ban runs out, can be listed, made and ended by hand, and lasts over a reload and a restart.

let port: number
let proxy: Bothways

function config(): object {
  return {
    workers: 2,
    listeners: { web: { bind: `127.0.0.1:${port}`, trustedHops: ["127.0.0.0/8"] } },
    routes: [
      {
        name: "short",
        match: { path: "/short" },
        filters: [{ ban: { when: { status: 401, times: 2 }, for: "1s", zone: "short" } }],
        to: { respond: { status: 401 } },
      },
      {
        name: "login",
        match: { path: "/login" },
        filters: [{ ban: { when: { status: [401], times: 5 }, persist: "bans.json" } }],
        to: { respond: { status: 401 } },
      },
      { name: "slow", match: { counter: { name: "missing", over: 2 }, path: "/missing" }, to: { respond: { status: 418 } } },
      { name: "missing", match: { path: "/missing" }, filters: [{ count: { name: "missing", of: [404] } }], to: { respond: { status: 404 } } },
      {
        name: "trap",
        match: { path: "/.env" },
        filters: [{ ban: { when: "always", action: "close", zone: "trap" } }],
        to: { respond: { status: 404 } },
      },
      { name: "rest", filters: [{ ban: {} }], to: { respond: { status: 200, body: "ok" } } },
    ],
  }
}

beforeAll(async () => {
  port = await freePort()
  proxy = await startBothways(config())
}, 20_000)

afterAll(() => proxy.stop())

/** Each request over a connection of its own, so that both workers see the client. */
async function ask(path: string, from: string): Promise<number> {
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${from}\r\nConnection: close\r\n\r\n`)
  return (await client.response()).status
}

async function all(path: string, from: string, times: number): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push(await ask(path, from))
  return statuses
}

function command(...args: string[]) {
  return runBothways(["bans", ...args, "--admin", new URL(proxy.admin).host])
}

test("five times 401 bans a client, of IPv6 its network, and nobody else", async () => {
  expect(await all("/login", "192.0.2.1", 5)).toEqual([401, 401, 401, 401, 401])
  // An answer is counted when it is over, which its client may know first.
  await until(async () => (await ask("/login", "192.0.2.1")) === 403)
  expect([await ask("/", "192.0.2.1"), await ask("/", "192.0.2.2")]).toEqual([403, 200])
  for (let i = 1; i <= 5; i++) await ask("/login", `2001:db8:1:2::${i}`)
  await until(async () => (await ask("/", "2001:db8:1:2:ffff::9")) === 403)
  expect(await ask("/", "2001:db8:1:3::1")).toBe(200)
})

test("a ban runs out", async () => {
  expect(await all("/short", "192.0.2.3", 2)).toEqual([401, 401])
  await until(async () => (await ask("/short", "192.0.2.3")) === 403)
  await until(async () => (await ask("/short", "192.0.2.3")) === 401)
})

test("a counter chooses the route", async () => {
  expect(await all("/missing", "192.0.2.4", 3)).toEqual([404, 404, 404])
  // An answer is counted when it is over, which its client may know first.
  await until(async () => (await ask("/missing", "192.0.2.4")) === 418)
  expect(await ask("/missing", "192.0.2.5")).toBe(404)
})

test("a trap closes without a word", async () => {
  using client = await rawClient(port)
  client.send("GET /.env HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.6\r\n\r\n")
  await client.ended()
  expect(client.received).toBe("")
})

test("commands list, ban and end bans", async () => {
  const list = await command("list", "--zone", "default")
  expect(list.stdout).toMatch(/192\.0\.2\.1 +default .* 5 times 401 in 1m/)
  expect(list.stdout).toContain("2001:db8:1:2::/64")
  expect((await command("add", "192.0.2.8", "--for", "1h", "--reason", "scans", "--zone", "default")).code).toBe(0)
  expect(await ask("/", "192.0.2.8")).toBe(403)
  expect((await command("remove", "192.0.2.8")).stdout).toBe("1 ban has ended")
  expect(await ask("/", "192.0.2.8")).toBe(200)
  expect(await command("remove", "192.0.2.8")).toMatchObject({ code: 2 })
  expect((await command("add", "nobody", "--zone", "default")).stderr).toContain("expected one address")
  expect((await command("list", "--zone", "nowhere")).stderr).toContain("there is no zone")
}, 20_000)

test("bans last over a reload, and from a file over a restart", async () => {
  const change = { method: "POST", headers: { "X-Bothways": "1" } }
  proxy.rewrite({ ...config(), admin: { bind: new URL(proxy.admin).host }, drain: { timeout: "3s" } })
  expect(await (await proxy.ask("/reload", change)).json()).toMatchObject({ ok: true, changed: true })
  expect(await ask("/", "192.0.2.1")).toBe(403)
  await proxy.stop()
  const file = join(dirname(proxy.configFile), "bans.json")
  await until(() => existsSync(file))
  expect(readFileSync(file, "utf8")).toContain('"192.0.2.1"')
  const again = JSON.parse(readFileSync(proxy.configFile, "utf8")) as { routes: { filters?: { ban?: { persist?: string } }[] }[] }
  again.routes[1]!.filters![0]!.ban!.persist = file
  proxy = await startBothways(again)
  expect([await ask("/", "192.0.2.1"), await ask("/", "192.0.2.8")]).toEqual([403, 200])
}, 20_000)
