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
