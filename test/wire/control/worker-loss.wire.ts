import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"
import { wrk } from "../../support/wrk.ts"

// A worker thread that ends takes its own connections with it, and nothing else: the other goes on, a new one comes within a second, and shared
// counts forget the dead.

let origin: NginxPeer
let hanging: ScriptedServer
let proxy: Bothways
let port: number

const change = { method: "POST", headers: { "X-Bothways": "1" } }

interface StatusBody {
  readonly connections: number
  readonly workers: readonly {
    readonly state: string
    readonly restarts: number
    readonly detail: { readonly connections: Record<string, number> } | null
  }[]
  readonly clusters: readonly { readonly name: string; readonly peers: readonly { readonly inFlight: number }[] }[]
}

async function status(): Promise<StatusBody> {
  return (await (await proxy.ask("/status")).json()) as StatusBody
}

async function inFlight(): Promise<number> {
  const { clusters } = await status()
  return clusters.flatMap(cluster => cluster.peers).reduce((sum, peer) => sum + peer.inFlight, 0)
}

async function live(): Promise<boolean> {
  return (await status()).workers.every(worker => worker.state === "live" && worker.detail !== null)
}

beforeAll(async () => {
  const [web, peer] = (await freePorts(2)) as [number, number]
  port = web
  origin = await new NginxPeer(peer).start()
  hanging = await scriptedServer(async connection => {
    for (;;) {
      await connection.request(60_000)
      await until(() => released, 30_000)
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}`, limits: { connectionsMax: 200 } } },
      clusters: { app: { peers: [origin.address] }, slow: { peers: [hanging.address] } },
      routes: [
        { match: { path: "/slow" }, to: { cluster: "slow" } },
        { match: {}, to: { cluster: "app" } },
      ],
      observe: { accessLog: { to: "none" } },
    },
    { workers: 2 },
  )
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
  await hanging.close().catch(() => {})
})

let released = false

test("only the dead worker's connections are cut; what it had in flight is forgotten", async () => {
  const clients: RawClient[] = []
  for (let i = 0; i < 24; i++) clients.push(await rawClient(port))
  for (const client of clients) client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await until(async () => (await inFlight()) === 24, 3000, "24 requests in flight")
  const own = (await status()).workers[0]!.detail!.connections.web!
  const startedAt = performance.now()
  expect((await proxy.ask("/workers/0/terminate", change)).status).toBe(202)
  await until(live, 3000, "the replacement")
  expect(performance.now() - startedAt).toBeLessThan(1000)
  await until(() => clients.filter(client => client.ending !== "open").length === own, 1000, `the end of ${own} connections`)
  await pause(100)
  expect(clients.filter(client => client.ending !== "open").length).toBe(own)
  expect(await inFlight()).toBe(24 - own)
  expect((await scrape(proxy)).get(`bothways_connections_open{listener="web"}`)).toBe(24 - own)
  released = true
  for (const client of clients.filter(one => one.ending === "open")) expect((await client.response()).status).toBe(200)
  await until(async () => (await inFlight()) === 0, 1000, "nothing in flight")
  for (const client of clients) client.destroy()
  await until(async () => (await scrape(proxy)).get(`bothways_connections_open{listener="web"}`) === 0, 1000, "no open connection")
})

test(
  "under load, again and again: each death costs what was on it, once",
  async () => {
    const seconds = scaled(5, 30)
    const deaths = scaled(3, 12)
    const url = `http://127.0.0.1:${port}/`
    const loads = Promise.all([wrk(url, { seconds }), wrk(url, { seconds, fresh: true })])
    await pause(400)
    let slowest = 0
    for (let death = 0; death < deaths; death++) {
      const startedAt = performance.now()
      expect((await proxy.ask(`/workers/${death % 2}/terminate`, change)).status).toBe(202)
      await until(live, 8000, "the replacement")
      slowest = Math.max(slowest, performance.now() - startedAt)
      await pause(scaled(600, 1500))
    }
    for (const { failed, requests, output } of await loads) {
      figure("requests", requests)
      figure("of which cut", failed)
      // Each load has 16 connections, on two workers; a connection is cut once.
      if (failed > deaths * 16) console.log(output, proxy.program.tail())
      expect(failed).toBeLessThanOrEqual(deaths * 16)
      expect(requests).toBeGreaterThan(500)
    }
    figure("slowest replacement in ms", slowest)
    await until(async () => (await inFlight()) === 0, 2000, "nothing in flight")
    // The limit of connections has forgotten them too: all of them can be had again.
    const clients = await Promise.all(Array.from({ length: 150 }, () => rawClient(port)))
    for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    for (const client of clients) expect((await client.response()).status).toBe(200)
    for (const client of clients) client.destroy()
  },
  scaledTimeout(60_000),
)
