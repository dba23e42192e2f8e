import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { h2load } from "../../support/h2load.ts"
import { scaled, scaledTimeout } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { pause, until } from "../../support/wait.ts"

// A limit holds over all workers together, to one request, however the connections fell; over reloads; and when a worker dies.

const CONNECTIONS = 16
/** What the bucket holds comes on top of its rate, once. */
const BURST = 10
const [two, four] = (await freePorts(2)) as [number, number]
let proxies: Bothways[]

function config(port: number, workers: number, requests = 100): object {
  const limit = (zone: string, more: object) => [{ "rate-limit": { requests, per: "1s", zone, ...more } }]
  const ok = { respond: { status: 200, body: "ok" } }
  return {
    workers,
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    routes: [
      { name: "sliding", match: { path: "/sliding" }, filters: limit("a", {}), to: ok },
      { name: "bucket", match: { path: "/bucket" }, filters: limit("b", { burst: BURST }), to: ok },
      { name: "smooth", match: { path: "/smooth" }, filters: limit("c", { delay: "2s" }), to: ok },
      { name: "h2", match: { path: "/h2" }, filters: limit("d", { per: "1m" }), to: ok },
      { name: "kept", match: { path: "/kept" }, filters: limit("e", { per: "1h" }), to: ok },
    ],
  }
}

beforeAll(async () => {
  proxies = await Promise.all([startBothways(config(two, 2)), startBothways(config(four, 4))])
}, 20_000)

afterAll(() => Promise.all(proxies.map(proxy => proxy.stop())))

/** Times in milliseconds, from the first one, at which requests were let through, of `rate` a second over many connections. */
async function passes(port: number, path: string, rate: number, seconds: number): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => rawClient(port)))
  const at: number[] = []
  const start = performance.now()
  const one = async (client: RawClient, index: number): Promise<void> => {
    for (let i = index; i < rate * seconds; i += CONNECTIONS) {
      const due = start + (i * 1000) / rate
      if (due > performance.now()) await pause(due - performance.now())
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      if ((await client.response()).status === 200) at.push(performance.now() - start)
    }
  }
  await Promise.all(clients.map(one))
  for (const client of clients) client.destroy()
  return at
}

describe("100 a second under 400 a second", () => {
  const seconds = scaled(3, 10)
  for (const [workers, port] of [
    [2, two],
    [4, four],
  ] as const)
    for (const path of ["/sliding", "/bucket"])
      test(
        `${path} with ${workers} workers lets 100 a second through`,
        async () => {
          const at = await passes(port, path, 400, seconds)
          // What the last requests were late by counts as time, too.
          const passed = at.length - (path === "/bucket" ? BURST : 0)
          expect(passed / Math.max(seconds, at.at(-1)! / 1000)).toBeWithin(99, 101.01)
          const first = at.filter(ms => ms < 1000).length
          expect(first).toBeWithin(96, 105 + BURST)
        },
        scaledTimeout(60_000),
      )
})

test("the fields of answers are lists of strings with whole numbers (RFC 9651)", async () => {
  using client = await rawClient(two)
  client.send("GET /sliding HTTP/1.1\r\nHost: a\r\n\r\n")
  const { fields } = await client.response()
  const list =
    /^"[\x20\x21\x23-\x5b\x5d-\x7e]*"(?:;[a-z*][a-z0-9_.*-]*=\d{1,15})*(?:, "[\x20\x21\x23-\x5b\x5d-\x7e]*"(?:;[a-z*][a-z0-9_.*-]*=\d{1,15})*)*$/
  for (const name of ["ratelimit", "ratelimit-policy"]) expect(fields[name]).toMatch(list)
})

test("HTTP/2: streams of many connections on four workers are counted to one", async () => {
  const { succeeded, failed } = await h2load(`http://127.0.0.1:${four}/h2`, { requests: 1000 })
  expect([succeeded, failed]).toEqual([100, 900])
})

test("delay: what comes at once is spread, in the order in which it came, and nobody is refused", async () => {
  const clients = await Promise.all(Array.from({ length: 40 }, () => rawClient(two)))
  const start = performance.now()
  for (const client of clients) client.send("GET /smooth HTTP/1.1\r\nHost: a\r\n\r\n")
  const at = await Promise.all(
    clients.map(async client => {
      expect((await client.response()).status).toBe(200)
      return performance.now() - start
    }),
  )
  for (const client of clients) client.destroy()
  at.sort((a, b) => a - b)
  expect(at[39]!).toBeWithin(380, 800)
  expect(at[20]!).toBeGreaterThan(190)
})

async function statuses(port: number, path: string, count: number): Promise<number> {
  const at = await Promise.all(Array.from({ length: 4 }, () => rawClient(port)))
  let passed = 0
  for (let i = 0; i < count; i++) {
    const client = at[i % 4]!
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    if ((await client.response()).status === 200) passed++
  }
  for (const client of at) client.destroy()
  return passed
}

test("counts go on over a reload that changes the limit, and when a worker ends", async () => {
  const proxy = proxies[0]!
  expect(await statuses(two, "/kept", 60)).toBe(60)
  proxy.rewrite({ admin: { bind: new URL(proxy.admin).host }, ...config(two, 2, 110) })
  const change = { method: "POST", headers: { "X-Bothways": "1" } }
  expect(await (await proxy.ask("/reload", change)).json()).toMatchObject({ ok: true, changed: true })
  expect(await statuses(two, "/kept", 30)).toBe(30)
  await proxy.ask("/workers/0/terminate", change)
  await until(async () => {
    const { workers } = (await (await proxy.ask("/status")).json()) as { workers: { state: string; restarts: number }[] }
    return workers.every(worker => worker.state === "live") && workers.some(worker => worker.restarts > 0)
  })
  expect(await statuses(two, "/kept", 40)).toBe(20)
}, 20_000)
