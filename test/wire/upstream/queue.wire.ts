import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { ask, BusyOrigin } from "../../support/busy-origin.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

const routes = [
  { match: { path: "/high/*" }, to: { cluster: "app" }, priority: "high" },
  { match: { path: "/low/*" }, to: { cluster: "app" }, priority: "low" },
  { match: { path: "/own/*" }, to: { cluster: "app" }, priority: { header: "X-Priority", default: "low" } },
  { match: {}, to: { cluster: "app" } },
]

async function start(origins: readonly BusyOrigin[], resilience: object, workers = 2) {
  const [port] = (await freePorts(1)) as [number]
  const proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { app: { peers: origins.map(origin => origin.address), resilience } },
      routes,
      observe: { accessLog: { to: "none" } },
    },
    { workers },
  )
  return { proxy, port }
}

test("a stampede of 1,000 requests over two workers: the origin never sees more than 10, nobody is refused, high ones go first", async () => {
  await using origin = await new BusyOrigin().start(() => ({ status: 200, afterMs: 5 }))
  const { proxy, port } = await start([origin], { breaker: { requestsMax: 10 }, queue: { lengthMax: 2000, timeout: "30s" } })
  await using _ = proxy
  const all = Array.from({ length: 1000 }, (_, index) => ask(port, index % 10 === 9 ? "/high/x" : "/x"))
  const answers = await Promise.all(all)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(origin.most).toBeLessThanOrEqual(10)
  expect(origin.most).toBeGreaterThan(5)
  const median = (of: number[]) => of.sort((a, b) => a - b)[of.length >> 1]!
  const place = (high: boolean) => median(origin.paths.flatMap((path, at) => (path.startsWith("/high") === high ? [at] : [])))
  expect(place(true)).toBeLessThan(place(false))
  expect((await scrape(proxy)).get(`bothways_cluster_in_flight{cluster="app"}`)).toBe(0)
}, 30_000)

test("high before normal before low, first come first served within a class; a client that leaves gives its place up", async () => {
  let release = () => {}
  await using origin = await new BusyOrigin().start(() => ({ status: 200, afterMs: 30 }))
  const { proxy, port } = await start([origin], { breaker: { requestsMax: 1 }, queue: { timeout: "10s" } }, 1)
  await using _ = proxy
  const asked = []
  const queued = async () => (await scrape(proxy)).get(`bothways_cluster_queued{cluster="app"}`)
  const gate = new Promise<void>(resolve => (release = resolve))
  origin.does = () => ({ status: 200, afterMs: 300 })
  asked.push(ask(port, "/first"))
  await until(() => origin.count === 1)
  origin.does = () => ({ status: 200, afterMs: 1 })
  for (const path of ["/low/1", "/low/2", "/n1", "/n2", "/high/1", "/gone"]) {
    if (path === "/gone") {
      const client = await rawClient(port)
      client.send(`GET /high/gone HTTP/1.1\r\nHost: a\r\n\r\n`)
      await until(async () => (await queued()) === 6)
      client.destroy()
      await until(async () => (await queued()) === 5)
      continue
    }
    asked.push(ask(port, path))
    await pause(10)
  }
  asked.push(ask(port, "/own/1", { headers: "X-Priority: high\r\n" }))
  release()
  await gate
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(7).fill(200))
  expect(origin.paths).toEqual(["/first", "/high/1", "/own/1", "/n1", "/n2", "/low/1", "/low/2"])
}, 20_000)

test("a full queue refuses, low ones first and for those who are more important; who waits too long is told so", async () => {
  await using origin = await new BusyOrigin().start(() => null)
  const { proxy, port } = await start([origin], { breaker: { requestsMax: 1 }, queue: { lengthMax: 4, lowShareMax: 0.5, timeout: "1s" } }, 1)
  await using _ = proxy
  const first = ask(port, "/first").catch(() => null)
  await until(() => origin.count === 1)
  const low1 = ask(port, "/low/1")
  await pause(20)
  const low2 = ask(port, "/low/2")
  await pause(20)
  expect(await ask(port, "/low/3")).toMatchObject({ status: 503, fault: "proxy.overloaded", retryAfter: "1" })
  const normal = ask(port, "/n1")
  await pause(20)
  const other = ask(port, "/n2")
  await pause(20)
  // full: the last low one makes room for a high one, the other for another
  const high = ask(port, "/high/1")
  expect(await low2).toMatchObject({ status: 503, fault: "proxy.overloaded" })
  const high2 = ask(port, "/high/2")
  expect(await low1).toMatchObject({ status: 503, fault: "proxy.overloaded" })
  expect(await ask(port, "/n3")).toMatchObject({ status: 503, fault: "proxy.queue-full", retryAfter: "1" })
  for (const waiting of [normal, other, high, high2])
    expect(await waiting).toMatchObject({ status: 503, fault: "proxy.queue-timeout", retryAfter: "1" })
  await proxy.stop()
  await first
}, 20_000)

test("limits of the peers: none has more than its own, and requests wait for whichever is free", async () => {
  await using one = await new BusyOrigin().start(() => ({ status: 200, afterMs: 5 }))
  await using two = await new BusyOrigin().start(() => ({ status: 200, afterMs: 5 }))
  const { proxy, port } = await start([one, two], { breaker: { peer: { requestsMax: 3 } }, queue: { timeout: "20s" } })
  await using _ = proxy
  const answers = await Promise.all(Array.from({ length: 200 }, () => ask(port)))
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(Math.max(one.most, two.most)).toBeLessThanOrEqual(3)
  expect(one.count + two.count).toBe(200)
}, 20_000)

test("without a queue requests over the limit are refused at once", async () => {
  await using origin = await new BusyOrigin().start(() => ({ status: 200, afterMs: 200 }))
  const { proxy, port } = await start([origin], { breaker: { requestsMax: 2 } })
  await using _ = proxy
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(port)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 503, 503, 503, 503])
  expect(answers.find(({ status }) => status === 503)).toMatchObject({ fault: "proxy.requests-max", retryAfter: "1" })
}, 20_000)

test("a worker that is killed with requests in flight and in the queue takes no place with it", async () => {
  await using origin = await new BusyOrigin().start(() => null)
  const { proxy, port } = await start([origin], { breaker: { requestsMax: 4, pendingMax: 4 }, queue: { timeout: "20s" } })
  await using _ = proxy
  const hanging = Array.from({ length: 12 }, () => ask(port, "/hang", { ms: 20_000 }).catch(() => null))
  await until(() => origin.now === 4)
  const live = async () => (await scrape(proxy)).get("bothways_workers_live") === 2
  for (const worker of [0, 1]) {
    await until(live)
    expect((await proxy.ask(`/workers/${worker}/terminate`, { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(202)
    await until(async () => !(await live()))
  }
  await Promise.all(hanging)
  origin.does = () => ({ status: 200, afterMs: 1 })
  await until(live)
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(port)))
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200))
  expect((await scrape(proxy)).get(`bothways_cluster_in_flight{cluster="app"}`)).toBe(0)
}, 30_000)
