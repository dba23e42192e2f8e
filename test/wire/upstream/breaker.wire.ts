import { expect, test } from "bun:test"
import { runBothways, startBothways } from "../../support/bothways.ts"
import { ask, BusyOrigin } from "../../support/busy-origin.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

async function start(origins: readonly BusyOrigin[], cluster: object, workers = 1) {
  const [port] = (await freePorts(1)) as [number]
  const proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { app: { peers: origins.map(origin => origin.address), health: { passive: "off" }, ...cluster } },
      routes: [{ match: {}, to: { cluster: "app" } }],
      observe: { accessLog: { to: "none" } },
    },
    { workers },
  )
  return { proxy, port }
}

test("the breaker opens, answers by itself, tries, and closes again; told in log, metrics and status", async () => {
  await using origin = await new BusyOrigin().start(() => ({ status: 500, afterMs: 0 }))
  const failures = { failureShare: 0.5, requestsMin: 10, open: "600ms", trials: 2 }
  const { proxy, port } = await start([origin], { resilience: { breaker: failures } }, 2)
  await using _ = proxy
  for (let i = 0; i < 10; i++) expect((await ask(port)).status).toBe(500)
  const refused = await ask(port)
  expect(refused).toMatchObject({ status: 503, fault: "proxy.breaker-open", retryAfter: "1" })
  expect(origin.count).toBe(10)
  expect((await scrape(proxy)).get(`bothways_cluster_breaker_state{cluster="app"}`)).toBe(2)
  const status = await runBothways(["status", "--admin", proxy.admin.replace("http://", "")])
  // It may be on trial by the time that the command has started.
  expect(status.stdout).toMatch(/breaker (?:open, trials in |half open)/)
  // a trial that fails opens it again
  await until(async () => (await ask(port)).status === 500)
  expect((await ask(port)).fault).toBe("proxy.breaker-open")
  origin.does = () => ({ status: 200, afterMs: 0 })
  await until(async () => (await ask(port)).status === 200)
  for (let i = 0; i < 10; i++) expect((await ask(port)).status).toBe(200)
  const samples = await scrape(proxy)
  expect(samples.get(`bothways_cluster_breaker_state{cluster="app"}`)).toBe(0)
  expect(samples.get(`bothways_cluster_breaker_opened_total{cluster="app"}`)).toBe(2)
  const said = `${proxy.program.lines.join("\n")}${proxy.program.stderr}`
  // The log says the same thing at most once in a while.
  expect(said).toContain("a breaker opens")
  expect(said).toContain("a breaker closes again")
}, 20_000)

test("a peer's own breaker takes it out, and the others serve", async () => {
  await using sick = await new BusyOrigin().start(() => ({ status: 503, afterMs: 0 }))
  await using well = await new BusyOrigin().start(() => ({ status: 200, afterMs: 0 }))
  const peer = { failureShare: 0.5, requestsMin: 5, open: "30s" }
  const { proxy, port } = await start([sick, well], { resilience: { breaker: { peer } } })
  await using _ = proxy
  for (let i = 0; i < 12; i++) await ask(port)
  const before = sick.count
  expect(before).toBeGreaterThanOrEqual(5)
  for (let i = 0; i < 10; i++) expect((await ask(port)).status).toBe(200)
  expect(sick.count).toBe(before)
}, 20_000)

test("pendingMax: too many without a connection are refused; retriesMax: no more than so many are sent again", async () => {
  await using origin = await new BusyOrigin().start(() => ({ status: 200, afterMs: 200 }))
  const limits = { pool: { connectionsMax: 1 }, resilience: { breaker: { pendingMax: 2 } } }
  const first = await start([origin], limits)
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(first.port)))
  const served = answers.filter(({ status }) => status === 200).length
  expect(served).toBeGreaterThanOrEqual(2)
  expect(served).toBeLessThanOrEqual(3)
  expect(answers.find(({ status }) => status !== 200)).toMatchObject({ status: 503, fault: "proxy.pending-max", retryAfter: "1" })
  await first.proxy.stop()
  await using failing = await new BusyOrigin().start(() => ({ status: 503, afterMs: 200 }))
  await using other = await new BusyOrigin().start(() => ({ status: 503, afterMs: 200 }))
  const second = await start([failing, other], { retry: { status: [503], attempts: 2 }, resilience: { breaker: { retriesMax: 3 } } })
  await Promise.all(Array.from({ length: 10 }, () => ask(second.port)))
  expect(failing.count + other.count).toBe(13)
  await second.proxy.stop()
}, 20_000)

test("panic: with too few peers left all of them get requests, and that is told", async () => {
  await using one = await new BusyOrigin().start(() => ({ status: 200, afterMs: 0 }))
  await using two = await new BusyOrigin().start(() => ({ status: 200, afterMs: 0 }))
  await using three = await new BusyOrigin().start(() => ({ status: 200, afterMs: 0 }))
  const origins = [one, two, three]
  // a probe of its own path fails at two of them
  for (const origin of [one, two]) origin.does = ({ start: line }) => ({ status: line.includes("/probe") ? 500 : 200, afterMs: 0 })
  const health = { http: { path: "/probe", every: "50ms", fall: 1, rise: 1 }, passive: "off" }
  const { proxy, port } = await start(origins, { health, resilience: { panicBelow: 0.5 } })
  await using _ = proxy
  await until(async () => {
    await ask(port)
    return (await scrape(proxy)).get(`bothways_cluster_panic{cluster="app"}`) === 1
  })
  const served = () => origins.map(origin => origin.paths.filter(path => path === "/").length)
  const before = served()
  for (let i = 0; i < 12; i++) expect((await ask(port)).status).toBe(200)
  expect(served().map((count, index) => count - before[index]!)).toEqual([4, 4, 4])
  two.does = () => ({ status: 200, afterMs: 0 })
  await until(async () => {
    await ask(port)
    return (await scrape(proxy)).get(`bothways_cluster_panic{cluster="app"}`) === 0
  })
  const alone = served()
  for (let i = 0; i < 12; i++) await ask(port)
  expect(served()[0]).toBe(alone[0]!)
  expect((await scrape(proxy)).get(`bothways_cluster_panic_attempts_total{cluster="app"}`)).toBeGreaterThan(11)
}, 20_000)
