import { expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { ask, type Asked, BusyOrigin } from "../../support/busy-origin.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

// A sick peer among three, and nothing in the config but the word `careful`: clients see nearly nothing of it.

const sicknesses: Record<string, BusyOrigin["does"]> = {
  errors: () => ({ status: 500, afterMs: 1 }),
  slow: () => ({ status: 200, afterMs: 1200 }),
  hanging: () => null,
}

async function load(port: number, ms: number, at = 12): Promise<Asked[]> {
  const answers: Asked[] = []
  const until_ = performance.now() + ms
  const one = async (): Promise<void> => {
    while (performance.now() < until_)
      answers.push(await ask(port, "/", { ms: 8000 }).catch(() => ({ status: 0, tookMs: 8000, fault: "", retryAfter: "" })))
  }
  await Promise.all(Array.from({ length: at }, one))
  return answers
}

for (const [name, does] of Object.entries(sicknesses)) {
  test(`a peer of three is sick (${name}): nearly every client gets its answer soon, and the peer is ejected`, async () => {
    const well: BusyOrigin["does"] = () => ({ status: 200, afterMs: 5 })
    await using sick = await new BusyOrigin().start(well)
    await using second = await new BusyOrigin().start(well)
    await using third = await new BusyOrigin().start(well)
    const [port] = (await freePorts(1)) as [number]
    await using proxy = await startBothways(
      {
        listeners: { web: { bind: `127.0.0.1:${port}` } },
        clusters: { app: { peers: [sick, second, third].map(origin => origin.address), resilience: "careful" } },
        routes: [{ match: {}, to: { cluster: "app" } }],
        observe: { accessLog: { to: "none" } },
      },
      { workers: 2 },
    )
    await load(port, 1500)
    sick.does = does
    const during = await load(port, 5000)
    const failed = during.filter(({ status }) => status !== 200)
    expect(during.length).toBeGreaterThan(200)
    expect(failed.length).toBeLessThanOrEqual(during.length * 0.01)
    const slow = during.filter(({ tookMs }) => tookMs > 1000).length
    expect(slow).toBeLessThanOrEqual(during.length * 0.05)
    const samples = await scrape(proxy)
    expect(samples.get(`bothways_peer_ejections_total{cluster="app",peer="${sick.address}"}`)).toBeGreaterThan(0)
    expect(samples.get(`bothways_peer_ejections_total{cluster="app",peer="${second.address}"}`)).toBe(0)
    await until(async () => (await scrape(proxy)).get(`bothways_cluster_in_flight{cluster="app"}`) === 0)
  }, 40_000)
}
