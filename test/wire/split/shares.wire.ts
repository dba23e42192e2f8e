import { describe, expect, test } from "bun:test"
import { shareOf, SplitWorld } from "./split-world.ts"

// Shares are what the config says, whatever the sizes of the clusters (ingress-nginx #3717, #9745: weight 20 sent 40 %).

const arms = (stable: number, canary: number) => [
  { cluster: "stable", weight: stable },
  { cluster: "canary", weight: canary },
]

describe("by weight, over two workers", () => {
  test("10,000 requests drift by less than 1 %, clusters of five and two peers, and steps hold at once", async () => {
    await using world = await SplitWorld.start({ stable: 5, canary: 2 }, { arms: arms(80, 20) })
    expect(Math.abs(shareOf(await world.send(10_000), "canary") - 0.2)).toBeLessThanOrEqual(0.01)
    await world.canary("start", "&to=37%25")
    expect(Math.abs(shareOf(await world.send(2000), "canary") - 0.37)).toBeLessThanOrEqual(0.01)
    await world.canary("promote")
    expect(shareOf(await world.send(200), "canary")).toBe(1)
    expect((await world.canary("abort")).arms.map(arm => arm.share)).toEqual([expect.closeTo(0.8, 6), expect.closeTo(0.2, 6)])
    expect(shareOf(await world.send(1000), "canary")).toBeCloseTo(0.2, 1)
  }, 60_000)

  test("weights count to their sum; 0 and all are exact", async () => {
    await using world = await SplitWorld.start({ stable: 1, canary: 2 }, { arms: arms(980, 20) })
    expect(Math.abs(shareOf(await world.send(2000), "canary") - 0.02)).toBeLessThanOrEqual(0.01)
    await world.canary("start", "&to=0")
    expect(shareOf(await world.send(500), "canary")).toBe(0)
    await world.canary("step", "&to=100%25")
    expect(shareOf(await world.send(500), "canary")).toBe(1)
    expect((await world.status()).state).toBe("promoted")
  }, 60_000)
})

describe("new clients that are given a cookie", () => {
  test("are in the arms as exactly", async () => {
    await using world = await SplitWorld.start({ stable: 1, canary: 1 }, { arms: arms(50, 50), stick: "cookie" })
    expect(Math.abs(shareOf(await world.send(3000), "canary") - 0.5)).toBeLessThanOrEqual(0.01)
  }, 60_000)
})

describe("three arms", () => {
  test("each has its own", async () => {
    const three = [...arms(60, 30), { cluster: "other", weight: 10 }]
    await using world = await SplitWorld.start({ stable: 1, canary: 1, other: 1 }, { arms: three, canary: { arm: "canary", auto: false } })
    const got = await world.send(2000)
    for (const [name, share] of [
      ["stable", 0.6],
      ["canary", 0.3],
      ["other", 0.1],
    ] as const)
      expect(Math.abs(shareOf(got, name) - share)).toBeLessThanOrEqual(0.01)
  }, 60_000)
})
