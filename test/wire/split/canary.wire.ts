import { describe, expect, test } from "bun:test"
import { until } from "../../support/wait.ts"
import { type Got, shareOf, SplitWorld } from "./split-world.ts"

// Two versions behind one address; what the proxy makes of a new one that is good, broken or slow.

const arms = (stable: number, canary: number) => [
  { cluster: "stable", weight: stable },
  { cluster: "canary", weight: canary },
]
const analysis = { samplesMin: 50, alpha: "1%", errors: { difference: "1%" }, latency: { ratio: 1.5 } }

/** Sends until `over`, 100 at a time; all answers. */
async function sendUntil(world: SplitWorld, over: () => Promise<boolean>, ms = 30_000): Promise<Got[]> {
  const got: Got[] = []
  await until(
    async () => {
      got.push(...(await world.send(100)))
      return over()
    },
    ms,
    "the end of the canary",
  )
  return got
}

describe("the drill", () => {
  test("a canary at 10 % starts to fail: it is rolled back within its window, and nothing but its own answers failed", async () => {
    const canary = { steps: ["10%", "50%"], every: "30s", analysis: { ...analysis, latency: "off" } }
    await using world = await SplitWorld.start({ stable: 2, canary: 1 }, { arms: arms(90, 10), canary })
    expect(await world.status()).toMatchObject({ state: "running", arms: [{ share: expect.closeTo(0.9, 6) }, { share: expect.closeTo(0.1, 6) }] })
    const good = await world.send(1000)
    expect(good.every(one => one.status === 200)).toBe(true)
    expect((await world.status()).state).toBe("running")

    const began = Date.now()
    let failed = 0
    // One in two: no peer is ejected for a row of failures.
    world.versions["canary"]!.answer = (_, response) => {
      const fails = world.versions["canary"]!.requests % 2 === 0
      if (fails) failed++
      response.writeHead(fails ? 500 : 200).end("canary")
    }
    const during = await sendUntil(world, async () => (await world.status()).state === "rolled-back")
    expect(Date.now() - began).toBeLessThan(30_000)
    expect(during.filter(one => one.status !== 200).every(one => one.status === 500 && one.body === "canary")).toBe(true)
    expect(during.filter(one => one.status === 500).length).toBe(failed)
    const after = await world.send(300)
    expect([shareOf(after, "stable"), after.every(one => one.status === 200)]).toEqual([1, true])
    const { events, arms: now } = await world.status()
    expect(now[1]!.share).toBe(0)
    expect(events.at(-1)!.what).toMatch(
      /^rolled back from 10 % to 0 %: canary \d+ of \d+ requests failed \([\d.]+ %\), stable 0 of [\d,]+ requests failed \(0 %\), p at most /,
    )
    expect(world.proxy.program.stderr).toContain("the canary is rolled back")
    expect(world.proxy.log().some(line => line["cluster"] === "canary" && line["status"] === 500)).toBe(true)
  }, 60_000)

  test("one that cannot be reached is not kept for its samples", async () => {
    const canary = { steps: ["20%", "100%"], every: "30s", analysis: { ...analysis, samplesMin: 100_000 } }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), canary })
    await world.versions["canary"]![Symbol.asyncDispose]()
    expect((await world.canary("start")).state).toBe("running")
    await sendUntil(world, async () => (await world.status()).state === "rolled-back")
    expect((await world.status()).arms[1]!.share).toBe(0)
  }, 60_000)

  test("one that takes longer than it may is rolled back", async () => {
    const canary = { steps: ["50%"], every: "30s", analysis: { ...analysis, latency: { ratio: 1.5 } } }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), canary })
    const slow =
      (ms: number) =>
      (_: unknown, response: { end(text: string): void }): void =>
        void setTimeout(() => response.end("x"), ms)
    world.versions["stable"]!.answer = slow(5)
    world.versions["canary"]!.answer = slow(60)
    await world.canary("start")
    await sendUntil(world, async () => (await world.status()).state !== "running")
    expect((await world.status()).events.at(-1)!.what).toMatch(/^rolled back from 50 % to 0 %: canary's \d+ % quantile [\d.e+]+ ms, stable's /)
  }, 60_000)

  test("a good one goes up its steps by itself and gets everything", async () => {
    const canary = { steps: ["10%", "50%", "100%"], every: "300ms", analysis: { ...analysis, latency: "off" } }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), canary })
    await world.canary("start")
    const got = await sendUntil(world, async () => (await world.status()).state === "promoted")
    expect(got.every(one => one.status === 200)).toBe(true)
    expect((await world.status()).events.map(event => event.what.split(/ (?:by|:)|:/)[0])).toEqual([
      "started at 10 %",
      "stepped to 50 %",
      expect.stringMatching(/^promoted/),
    ])
    expect(shareOf(await world.send(100), "canary")).toBe(1)
    // Everything back at once.
    await world.canary("abort")
    expect(shareOf(await world.send(100), "stable")).toBe(1)
  }, 60_000)

  test("without auto it says what it would do", async () => {
    const canary = { steps: ["50%"], auto: false, analysis }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(100, 0), canary })
    world.versions["canary"]!.answer = (_, response) => void response.writeHead(503).end("canary")
    await world.canary("start")
    await world.send(300)
    const status = await until(async () => {
      const now = await world.status()
      return now.events.length > 1 ? now : null
    })
    expect([status.state, status.arms[1]!.share]).toEqual(["running", 0.5])
    expect(status.events.at(-1)!.what).toMatch(/^left alone as auto is off, it would be rolled back: canary /)
  }, 60_000)
})

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
    const folder = (await import("../../support/processes.ts")).temporaryFolder("shares")
    const split = { arms: arms(100, 0), persist: `${folder}/shop.json` }
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, split)
    await world.canary("promote")
    await world.proxy.stop()
    const { startBothways } = await import("../../support/bothways.ts")
    await using again = await startBothways(JSON.parse(await Bun.file(world.proxy.configFile).text()))
    const { splits } = (await (await again.ask("/canary")).json()) as { splits: { state: string; arms: { share: number }[] }[] }
    expect(splits[0]).toMatchObject({ state: "promoted", arms: [{ share: 0 }, { share: 1 }] })
  }, 30_000)
})
