import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
let failures = 0
const upstream = await scriptedServer(async connection => {
  while (true) {
    const { start } = await connection.request(3_600_000)
    if (start.includes("silent")) continue
    if (start.includes("stops")) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    else if (start.includes("busy") && failures-- > 0) connection.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
    else if (start.includes("drop") && failures-- > 0) connection.reset()
    else connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
})
const route = (path: string, more: object) => ({ match: { path }, ...more, to: { cluster: "a" } })
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: {
    a: {
      peers: [upstream.address],
      timeouts: { head: "300ms", idle: "300ms" },
      retry: { attempts: 2, budget: 1 },
      pool: { idleMax: 0 },
      health: { passive: "off" },
    },
  },
  routes: [
    route("/silent/patient", { timeouts: { head: "900ms" } }),
    route("/silent/hasty", { timeouts: { head: "100ms" }, retry: { attempts: 1 } }),
    route("/silent/limited", { timeouts: { head: "5s", request: "100ms" } }),
    route("/stops/hasty", { timeouts: { idle: "100ms" } }),
    route("/drop/once", { retry: { attempts: 1 } }),
    route("/drop/thrice", { retry: { attempts: 3 } }),
    route("/drop/small", { retry: { replayBytesMax: 4 } }),
    route("/busy/again", { retry: { status: [503] } }),
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close()
})

async function ask(path: string, method = "GET", body = ""): Promise<{ status: number; tookMs: number; attempts: number }> {
  using client = await rawClient(port)
  const before = count(path)
  const begun = performance.now()
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const { status } = await client.response()
  return { status, tookMs: performance.now() - begun, attempts: count(path) - before }
}

const count = (path: string): number => upstream.received.split(` ${path} HTTP`).length - 1

describe("a route's own words go before its cluster's", () => {
  test("timeouts.head, longer and shorter", async () => {
    const [usual, patient, hasty] = await Promise.all([ask("/silent", "POST", "x"), ask("/silent/patient", "POST", "x"), ask("/silent/hasty")])
    expect([usual.status, patient.status, hasty.status]).toEqual([504, 504, 504])
    expect(hasty.tookMs).toBeGreaterThan(90)
    expect(hasty.tookMs).toBeLessThan(usual.tookMs)
    expect(usual.tookMs).toBeGreaterThan(290)
    expect(patient.tookMs).toBeGreaterThan(890)
  })
  test("timeouts.request", async () => {
    const { status, tookMs } = await ask("/silent/limited")
    expect(status).toBe(504)
    expect(tookMs).toBeLessThan(300)
    await until(() => proxy.log().some(line => line.target === "/silent/limited" && line.fault === "proxy.request-timeout"))
  })
  test("timeouts.idle", async () => {
    using client = await rawClient(port)
    client.send("GET /stops/hasty HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await client.through("half")
    const begun = performance.now()
    await client.ended()
    expect(performance.now() - begun).toBeLessThan(280)
  })
  test("retry.attempts", async () => {
    failures = 1
    expect(await ask("/drop")).toMatchObject({ status: 200, attempts: 2 })
    failures = 1
    expect(await ask("/drop/once")).toMatchObject({ status: 502, attempts: 1 })
    failures = 2
    expect(await ask("/drop/thrice")).toMatchObject({ status: 200, attempts: 3 })
  })
  test("retry.replayBytesMax", async () => {
    failures = 1
    expect(await ask("/drop", "PUT", "12345")).toMatchObject({ status: 200, attempts: 2 })
    failures = 1
    expect(await ask("/drop/small", "PUT", "12345")).toMatchObject({ status: 502, attempts: 1 })
    failures = 1
    expect(await ask("/drop/small", "PUT", "1234")).toMatchObject({ status: 200, attempts: 2 })
  })
  test("retry.status", async () => {
    failures = 1
    expect(await ask("/busy")).toMatchObject({ status: 503, attempts: 1 })
    failures = 1
    expect(await ask("/busy/again")).toMatchObject({ status: 200, attempts: 2 })
    failures = 1
    expect(await ask("/busy/again", "POST", "x")).toMatchObject({ status: 503, attempts: 1 })
    failures = 0
  })
})
