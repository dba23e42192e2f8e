import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { ask, type Asked, BusyOrigin } from "../../support/busy-origin.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { pause, until } from "../../support/wait.ts"

async function start(origins: readonly BusyOrigin[], cluster: object) {
  const [port] = (await freePorts(1)) as [number]
  const proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: origins.map(origin => origin.address), health: { passive: "off" }, ...cluster } },
    routes: [{ match: {}, to: { cluster: "app" } }],
    observe: { accessLog: { to: "none" } },
  })
  return { proxy, port }
}

/** This many, a few at the same time. */
async function askMany(port: number, count: number, path = "/", options = {}): Promise<Asked[]> {
  const answers: Asked[] = []
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) answers.push(await ask(port, path, options))
  }
  await Promise.all(Array.from({ length: 8 }, one))
  return answers
}

function percentile(answers: readonly Asked[], share: number): number {
  const sorted = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)]!
}

test("one slow peer of three: second attempts cut the slow answers, and are no more than their share", async () => {
  let slow = 0
  const fast: BusyOrigin["does"] = () => ({ status: 200, afterMs: 2 })
  // every sixth of its requests, one in eighteen of all
  await using first = await new BusyOrigin().start(() => ({ status: 200, afterMs: ++slow % 6 === 0 ? 1500 : 2 }))
  await using second = await new BusyOrigin().start(fast)
  await using third = await new BusyOrigin().start(fast)
  const origins = [first, second, third]
  const plain = await start(origins, {})
  const before = await askMany(plain.port, 300)
  await plain.proxy.stop()
  expect(percentile(before, 0.97)).toBeGreaterThan(1400)
  for (const origin of origins) origin.count = 0
  const { proxy, port } = await start(origins, { resilience: { hedge: { after: "100ms", shareMax: 0.2 } } })
  await using _ = proxy
  const answers = await askMany(port, 300)
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(percentile(answers, 0.97)).toBeLessThan(1000)
  const seen = origins.reduce((sum, origin) => sum + origin.count, 0)
  expect(seen).toBeGreaterThan(300)
  expect(seen).toBeLessThanOrEqual(300 * 1.2 + 1)
  const samples = await scrape(proxy)
  const hedges = samples.get(`bothways_cluster_hedges_total{cluster="app"}`)!
  expect(hedges).toBe(seen - 300)
  expect(samples.get(`bothways_cluster_hedges_won_total{cluster="app"}`)).toBeGreaterThan(hedges / 2)
  // who was slower is no failure, nor is anything left behind
  expect(samples.get(`bothways_cluster_failures_total{cluster="app"}`)).toBe(0)
  await until(async () => (await scrape(proxy)).get(`bothways_peer_in_flight{cluster="app",peer="${first.address}"}`) === 0)
  expect((await scrape(proxy)).get(`bothways_cluster_in_flight{cluster="app"}`)).toBe(0)
}, 40_000)

test("a share of a tenth allows a tenth; POST is never sent twice", async () => {
  await using first = await new BusyOrigin().start(() => ({ status: 200, afterMs: 150 }))
  await using second = await new BusyOrigin().start(() => ({ status: 200, afterMs: 150 }))
  const { proxy, port } = await start([first, second], { retry: { budget: 1 }, resilience: { hedge: { after: "20ms", shareMax: 0.1 } } })
  await using _ = proxy
  await askMany(port, 40, "/", { method: "POST" })
  expect(first.count + second.count).toBe(40)
  await askMany(port, 100)
  const extra = first.count + second.count - 140
  expect(extra).toBeGreaterThan(3)
  expect(extra).toBeLessThanOrEqual(14)
}, 20_000)

test("the slower connection is closed at once; a client that leaves ends both", async () => {
  await using first = await new BusyOrigin().start(() => null)
  await using second = await new BusyOrigin().start(() => null)
  const { proxy, port } = await start([first, second], { resilience: { hedge: { after: "50ms", shareMax: 1 } } })
  await using _ = proxy
  const both = () => first.now + second.now
  const request = ask(port, "/", { ms: 400 }).catch(() => null)
  await until(() => both() === 2)
  await request
  await until(() => both() === 0)
  const [hanging, other] = first.count > 0 ? [first, second] : [second, first]
  other.does = () => ({ status: 200, afterMs: 1 })
  hanging.does = () => null
  for (let i = 0; i < 4; i++) expect((await ask(port)).status).toBe(200)
  await until(() => both() === 0)
  await pause(50)
  expect((await scrape(proxy)).get(`bothways_peer_in_flight{cluster="app",peer="${hanging.address}"}`)).toBe(0)
}, 20_000)

test("the first attempt fails while the second is under way: that one's answer is the client's", async () => {
  let broken = 0
  await using first = await new BusyOrigin().start(() => null)
  await using second = await new BusyOrigin().start(() => ({ status: 200, afterMs: 400 }))
  const { proxy, port } = await start([first, second], { retry: { attempts: 1 }, resilience: { hedge: { after: "50ms", shareMax: 1 } } })
  await using _ = proxy
  for (let i = 0; i < 6; i++) {
    const before = first.count
    const asked = ask(port)
    await until(() => first.now + second.now === 2)
    if (first.count > before) {
      broken++
      for (const connection of first.server.connections) connection.destroy()
    }
    expect((await asked).status).toBe(200)
  }
  expect(broken).toBeGreaterThan(1)
}, 20_000)
