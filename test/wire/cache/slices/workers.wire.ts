import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { isHit, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// Slices, and what is known of a URL, are one for all workers.
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start({ workers: 2, store: { memory: "128MB" } })
})
afterAll(() => world[Symbol.asyncDispose]())

describe("two workers", () => {
  test("many clients with ranges that overlap: each slice is fetched once", async () => {
    const { body } = world.origin.put("/film", 20 * MB)
    const all = Array.from({ length: 40 }, async (_, i) => {
      const first = (i * 524_287) % (18 * MB)
      const got = await world.ask("/film", { range: `bytes=${first}-${first + 2 * MB - 1}` })
      expect([got.status, got.body.equals(body.subarray(first, first + 2 * MB))]).toEqual([206, true])
    })
    await Promise.all(all)
    expect((await world.ask("/film")).body.equals(body)).toBe(true)
    expect(world.origin.rangesOf("/film").sort()).toEqual(slicesFrom(0, 19).sort())
    for (let i = 0; i < 8; i++) expect(isHit(await world.ask("/film"))).toBe(true)
  })

  test("what cannot be cut is tried once", async () => {
    world.origin.put("/none", 2 * MB, { ranges: false, fields: { "cache-control": "private" } })
    for (let i = 0; i < 12; i++) await world.ask("/none")
    expect(world.origin.rangesOf("/none").filter(range => range !== "").length).toBe(1)
  })

  test("a change is one for both", async () => {
    world.origin.put("/changes", 6 * MB)
    await world.ask("/changes", { range: `bytes=0-${3 * MB - 1}` })
    const { body } = world.origin.put("/changes", 6 * MB)
    await world.ask("/changes").catch(() => null)
    for (let i = 0; i < 8; i++) {
      const got = await world.ask("/changes").catch(() => null)
      if (got !== null) expect(got.body.equals(body)).toBe(true)
    }
    await until(async () => isHit(await world.ask("/changes")))
  })
})
