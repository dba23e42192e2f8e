import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { ask, BusyOrigin } from "../../support/busy-origin.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"
import { wrk } from "../../support/wrk.ts"

test("a worker with more to do than it can sheds low requests; critical ones and the admin listener are answered", async () => {
  const [port, peerPort] = (await freePorts(2)) as [number, number]
  await using origin = await new NginxPeer(peerPort).start()
  await using proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: [origin.address], resilience: { shed: "1ms" } } },
    routes: [
      { match: { path: "/critical" }, to: { cluster: "app" }, priority: "critical" },
      { match: { path: "/low" }, to: { cluster: "app" }, priority: "low" },
      { match: {}, to: { cluster: "app" } },
    ],
    observe: { accessLog: { to: "none" } },
  })
  await ask(port)
  let loading = true
  const load = wrk(`http://127.0.0.1:${port}/`, { seconds: 4, connections: 400 }).finally(() => (loading = false))
  await until(async () => (await ask(port, "/low")).fault === "proxy.overloaded")
  const refused = { low: 0, critical: 0 }
  let asked = 0
  while (loading) {
    asked++
    if ((await ask(port, "/low")).status === 503) refused.low++
    // nginx has no such file, which is the peer's answer
    if ((await ask(port, "/critical")).status === 503) refused.critical++
    const from = performance.now()
    expect((await proxy.ask("/readyz")).status).toBe(200)
    expect((await proxy.ask("/status")).status).toBe(200)
    expect(performance.now() - from).toBeLessThan(2000)
  }
  await load
  expect(asked).toBeGreaterThan(5)
  expect(refused.critical).toBe(0)
  expect(refused.low).toBeGreaterThan(asked / 3)
  expect((await scrape(proxy)).get(`bothways_cluster_refused_total{cluster="app"}`)).toBeGreaterThan(refused.low)
  await until(async () => (await ask(port, "/low")).status !== 503)
}, 30_000)

test("the adaptive limit finds how many requests an origin works on at the same time, whatever clients want", async () => {
  const capacity = 6
  await using origin = await new BusyOrigin().start((_request, atOnce) => ({ status: 200, afterMs: 25 * Math.max(1, atOnce / capacity) ** 1.5 }))
  const port = await freePort()
  await using proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: {
        app: {
          peers: [origin.address],
          resilience: { adaptive: { start: 4, min: 2, max: 200, tolerance: 1.5, window: "200ms", probe: "3s" }, queue: { timeout: "20s" } },
        },
      },
      routes: [{ match: {}, to: { cluster: "app" } }],
      observe: { accessLog: { to: "none" } },
    },
    { workers: 2 },
  )
  let loading = true
  const answers: number[] = []
  const clients = Array.from({ length: 60 }, async () => {
    while (loading) answers.push((await ask(port)).status)
  })
  await until(() => answers.length > 600, 20_000)
  const limit = async () => (await scrape(proxy)).get(`bothways_cluster_adaptive_limit{cluster="app"}`)!
  const limits: number[] = []
  origin.most = 0
  await until(async () => limits.push(await limit()) >= 100, 20_000)
  loading = false
  await Promise.all(clients)
  expect(answers.filter(status => status !== 200)).toEqual([])
  const mean = limits.reduce((sum, value) => sum + value, 0) / limits.length
  expect(mean).toBeGreaterThan(3)
  expect(mean).toBeLessThan(25)
  expect(origin.most).toBeLessThan(55)
}, 60_000)
