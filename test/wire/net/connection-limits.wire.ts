import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

const site = new Authority().issue(["a.test"])
const [all, each, secure, reloaded] = (await freePorts(4)) as [number, number, number, number]
const config = {
  workers: 2,
  listeners: {
    all: { bind: `127.0.0.1:${all}`, limits: { connectionsMax: 8 } },
    each: { bind: `127.0.0.1:${each}`, limits: { connectionsPerClientMax: 3 } },
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] }, limits: { connectionsMax: 4 } },
    reloaded: { bind: `127.0.0.1:${reloaded}`, limits: { connectionsMax: 3 } },
  },
  routes: [{ match: {}, to: { respond: { body: "ok" } } }],
}
const proxy = await startBothways(config)
afterAll(() => proxy.stop())

/** Opens one and asks; what came and whether the connection is still open. */
async function ask(port: number, options: RawClientOptions = {}): Promise<{ client: RawClient; status: number }> {
  const client = await rawClient(port, options)
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  return { client, status: (await client.response()).status }
}

async function statuses(port: number, count: number, options: RawClientOptions = {}): Promise<{ clients: RawClient[]; seen: number[] }> {
  const answers = []
  for (let i = 0; i < count; i++) answers.push(await ask(port, options))
  return { clients: answers.map(answer => answer.client), seen: answers.map(answer => answer.status) }
}

const drop = (clients: readonly RawClient[]): void => {
  for (const client of clients) client.destroy()
}
const openOn = async (listener: string): Promise<number> => (await scrape(proxy)).get(`bothways_connections_open{listener="${listener}"}`) ?? -1

describe("connectionsMax over two workers", () => {
  test("exactly so many; the next are told and closed; a place that is given up can be had", async () => {
    const { clients, seen } = await statuses(all, 8)
    expect(seen).toEqual(Array(8).fill(200))
    for (let i = 0; i < 4; i++) {
      using refused = await rawClient(all)
      const { status, fields } = await refused.response()
      expect([status, fields.connection]).toEqual([503, "close"])
      expect(await refused.ended()).toBe("fin")
    }
    expect(await openOn("all")).toBe(8)
    expect((await scrape(proxy)).get('bothways_connections_refused_total{listener="all"}')).toBe(4)
    drop(clients.splice(0, 3))
    await until(async () => (await openOn("all")) === 5)
    const more = await statuses(all, 3)
    expect(more.seen).toEqual([200, 200, 200])
    expect((await ask(all)).status).toBe(503)
    drop([...clients, ...more.clients])
    await until(async () => (await openOn("all")) === 0)
  })
  test("two workers share the load, so the count is not one worker's", async () => {
    const { clients } = await statuses(all, 8)
    const status = (await (await proxy.ask("/status")).json()) as { workers: { connections: number }[] }
    await until(
      async () => ((await (await proxy.ask("/status")).json()) as typeof status).workers.reduce((sum, worker) => sum + worker.connections, 0) === 8,
    )
    drop(clients)
    await until(async () => (await openOn("all")) === 0)
  })
  test("after a burst of hundreds nothing is left counted", async () => {
    for (let round = 0; round < 3; round++) {
      const burst = await Promise.all(Array.from({ length: 60 }, () => ask(all).catch(() => null)))
      expect(burst.filter(answer => answer?.status === 200).length).toBe(8)
      drop(burst.flatMap(answer => (answer === null ? [] : [answer.client])))
      await until(async () => (await openOn("all")) === 0)
    }
    await until(async () => (await openOn("all")) === 0)
    const { clients, seen } = await statuses(all, 9)
    expect(seen).toEqual([...Array(8).fill(200), 503])
    drop(clients)
  })
  test("on a TLS listener the connection is closed without a word", async () => {
    const { clients, seen } = await statuses(secure, 4, { tls: { servername: "a.test" } })
    expect(seen).toEqual(Array(4).fill(200))
    for (let i = 0; i < 2; i++) await expect(ask(secure, { tls: { servername: "a.test" } })).rejects.toThrow()
    drop(clients)
    await until(async () => (await openOn("secure")) === 0)
    expect((await ask(secure, { tls: { servername: "a.test" } })).status).toBe(200)
  })
})

describe("connectionsPerClientMax over two workers", () => {
  test("each client has its own", async () => {
    const first = await statuses(each, 5, { from: "127.0.0.2" })
    const second = await statuses(each, 4, { from: "127.0.0.3" })
    expect(first.seen).toEqual([200, 200, 200, 503, 503])
    expect(second.seen).toEqual([200, 200, 200, 503])
    first.clients[0]!.destroy()
    await until(async () => (await openOn("each")) === 5)
    expect((await statuses(each, 2, { from: "127.0.0.2" })).seen).toEqual([200, 503])
    drop([...first.clients, ...second.clients])
  })
  test("a fault says so, and no exchange was begun", async () => {
    const { clients } = await statuses(each, 4, { from: "127.0.0.4" })
    const samples = await scrape(proxy)
    expect(samples.get('bothways_faults_total{fault="proxy.connections-max",source="proxy"}')).toBeGreaterThan(3)
    expect(proxy.log().filter(line => line.status === 503)).toEqual([])
    drop(clients)
  })
})

test("a reload takes new limits without a connection lost or miscounted", async () => {
  const { clients, seen } = await statuses(reloaded, 3)
  expect(seen).toEqual([200, 200, 200])
  const reload = async (limits: object): Promise<void> => {
    proxy.rewrite({
      ...config,
      admin: { bind: proxy.admin.slice(7) },
      listeners: { ...config.listeners, reloaded: { ...config.listeners.reloaded, ...limits } },
    })
    expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
  }
  await reload({ via: false })
  expect((await ask(reloaded)).status).toBe(503)
  await reload({ limits: { connectionsMax: 5 } })
  const more = await statuses(reloaded, 3)
  expect(more.seen).toEqual([200, 200, 503])
  await reload({ limits: { connectionsMax: 2 } })
  expect((await ask(reloaded)).status).toBe(503)
  clients[0]!.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  expect((await clients[0]!.response()).status).toBe(200)
  drop([...clients, ...more.clients])
  await until(async () => (await openOn("reloaded")) === 0)
  const rest = await statuses(reloaded, 3)
  expect(rest.seen).toEqual([200, 200, 503])
  drop(rest.clients)
})
