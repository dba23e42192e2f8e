import { describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"
import { type Got, shareOf, SplitWorld } from "./split-world.ts"

// Shares are where they were after reloads, lost workers and restarts.

const arms = (stable: number, canary: number) => [
  { cluster: "stable", weight: stable },
  { cluster: "canary", weight: canary },
]

describe("over time", () => {
  test("steps and reloads under load lose nothing and move nobody but by the share", async () => {
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), stick: { cookie: { name: "place" } } })
    const config = JSON.parse(await Bun.file(world.proxy.configFile).text())
    await world.canary("start", "&to=0")
    let over = false
    const load = (async () => {
      const got: Got[] = []
      while (!over) got.push(...(await world.send(100, () => ["Cookie: place=20000000"])))
      return got
    })()
    for (const share of [10, 30, 49, 51, 70]) {
      await world.canary("step", `&to=${share}%25`)
      config.routes.unshift({ name: `r${share}`, match: { path: `/r${share}` }, to: { respond: { status: 204 } } })
      world.proxy.rewrite(config)
      expect((await world.proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
    }
    over = true
    const got = await load
    expect(got.filter(one => one.status !== 200)).toEqual([])
    // This client's place is the middle: it moves once, between 49 % and 51 %. Eight connections go at their own pace.
    expect([got[0]!.body, got.at(-1)!.body]).toEqual(["stable", "canary"])
    expect((await world.send(20, () => ["Cookie: place=20000000"])).every(one => one.body === "canary")).toBe(true)
  }, 30_000)

  test("a reload that leaves the split as it is moves nothing; other weights begin anew", async () => {
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), canary: { steps: ["30%"], auto: false } })
    await world.canary("start")
    const config = JSON.parse(await Bun.file(world.proxy.configFile).text())
    const reload = async (): Promise<void> => {
      world.proxy.rewrite(config)
      expect((await world.proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
    }
    config.routes.unshift({ name: "other", match: { path: "/other" }, to: { respond: { status: 204 } } })
    config.routes[1].to.split.canary.steps = ["30%", "60%"]
    await reload()
    expect(await world.status()).toMatchObject({ state: "running", arms: [{}, { share: expect.closeTo(0.3, 6) }] })
    expect((await world.canary("step")).arms[1]!.share).toBeCloseTo(0.6, 6)
    config.routes[1].to.split.arms = arms(95, 5)
    await reload()
    expect(await world.status()).toMatchObject({ state: "idle", arms: [{}, { share: expect.closeTo(0.05, 6) }] })
  }, 30_000)

  test("a worker that dies takes no share and no count with it", async () => {
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0) })
    await world.canary("start", "&to=50%25")
    await world.send(400)
    await world.proxy.ask("/workers/0/terminate", { method: "POST", headers: { "X-Bothways": "1" } })
    await until(async () => {
      const workers = ((await (await world.proxy.ask("/status")).json()) as { workers: { state: string; restarts: number }[] }).workers
      return workers.every(worker => worker.state === "live") && workers[0]!.restarts === 1
    })
    const got = await world.send(400)
    expect(Math.abs(shareOf(got, "canary") - 0.5)).toBeLessThanOrEqual(0.02)
    const { state, arms: now } = await world.status()
    expect(state).toBe("running")
    // Eight connections: what was answered when it died may not have been counted yet.
    expect(now.reduce((sum, arm) => sum + arm.requests, 0)).toBeGreaterThanOrEqual(792)
  }, 30_000)

  test("what a file keeps is there after a restart", async () => {
    const folder = temporaryFolder("shares")
    const split = { arms: arms(100, 0), persist: `${folder}/shop.json` }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, split)
    await world.canary("promote")
    await world.proxy.stop()
    await using again = await startBothways(JSON.parse(await Bun.file(world.proxy.configFile).text()))
    const { splits } = (await (await again.ask("/canary")).json()) as { splits: { state: string; arms: { share: number }[] }[] }
    expect(splits[0]).toMatchObject({ state: "promoted", arms: [{ share: 0 }, { share: 1 }] })
  }, 30_000)
})
