import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

const get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

// One peer refuses every second answer by closing, one serves: what each attempt came to is on the page, for the cluster and for each peer.
test("attempts, failures, retries and connect times are counted for clusters and peers", async () => {
  const port = await freePort()
  await using closing = await scriptedServer(async connection => {
    await connection.request()
    connection.fin()
  })
  await using serving = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  await using proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: [closing.address, serving.address], health: { passive: "off" } } },
    routes: [{ match: {}, to: { cluster: "app" } }],
  })
  using client = await rawClient(port)
  for (let i = 0; i < 10; i++) {
    client.send(get)
    expect((await client.response()).status).toBe(200)
  }
  const samples = await scrape(proxy)
  const failed = closing.connections.length
  const peer = (name: string, address: string): number | undefined => samples.get(`bothways_peer_${name}{cluster="app",peer="${address}"}`)
  const cluster = (name: string): number | undefined => samples.get(`bothways_cluster_${name}{cluster="app"}`)
  expect(failed).toBeGreaterThan(3)
  expect([cluster("attempts_total"), cluster("failures_total"), cluster("retries_total")]).toEqual([10 + failed, failed, failed])
  expect([peer("attempts_total", closing.address), peer("failures_total", closing.address)]).toEqual([failed, failed])
  expect([peer("attempts_total", serving.address), peer("failures_total", serving.address)]).toEqual([10, 0])
  expect(peer("connect_seconds_count", closing.address)).toBe(failed)
  expect(peer("connect_seconds_count", serving.address)).toBe(serving.connections.length)
  expect(cluster("connect_seconds_count")).toBe(failed + serving.connections.length)
})

test("a connection over the limit is counted as refused and told so", async () => {
  const port = await freePort()
  await using proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}`, limits: { connectionsMax: 2 } } },
    routes: [{ match: {}, to: { respond: { body: "ok" } } }],
  })
  using first = await rawClient(port)
  using second = await rawClient(port)
  for (const client of [first, second]) {
    client.send(get)
    expect((await client.response()).body).toBe("ok")
  }
  using third = await rawClient(port)
  expect((await third.response()).status).toBe(503)
  await third.ended()
  const samples = await scrape(proxy)
  expect(samples.get(`bothways_connections_refused_total{listener="web"}`)).toBe(1)
  expect(samples.get(`bothways_connections_accepted_total{listener="web"}`)).toBe(2)
  expect(samples.get(`bothways_faults_total{fault="proxy.connections-max",source="proxy"}`)).toBe(1)
})
