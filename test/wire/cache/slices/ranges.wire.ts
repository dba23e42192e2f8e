import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { isHit, KB, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// Large bodies are fetched and stored in aligned ranges, each once, whatever range clients ask for.
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

describe("20 MB in slices of 1 MB", () => {
  test("two clients with ranges that overlap, at once: each slice is fetched once", async () => {
    const { body } = world.origin.put("/both", 20 * MB)
    const [one, two] = await Promise.all([
      world.ask("/both", { range: `bytes=${2 * MB + 10}-${8 * MB}` }),
      world.ask("/both", { range: `bytes=${5 * MB}-${11 * MB + 99}` }),
    ])
    expect([one.status, two.status]).toEqual([206, 206])
    expect(one.body.equals(body.subarray(2 * MB + 10, 8 * MB + 1))).toBe(true)
    expect(two.body.equals(body.subarray(5 * MB, 11 * MB + 100))).toBe(true)
    expect(one.fields["content-range"]).toBe(`bytes ${2 * MB + 10}-${8 * MB}/${20 * MB}`)
    expect(two.fields["content-length"]).toBe(String(6 * MB + 100))
    expect(world.origin.rangesOf("/both").sort()).toEqual(slicesFrom(2, 11).sort())
  })

  test("seeking like a player, and then the whole: only what is missing is fetched", async () => {
    const { body } = world.origin.put("/film", 20 * MB)
    for (const at of [0, 700 * KB, 12 * MB + 5, 4 * MB, 19 * MB + 1, 12 * MB]) {
      const last = Math.min(at + 300 * KB, 20 * MB) - 1
      const got = await world.ask("/film", { range: `bytes=${at}-${last}` })
      expect([got.status, got.body.equals(body.subarray(at, last + 1))]).toEqual([206, true])
    }
    // No more than was asked for, but for the one behind what ended in the second half of a slice.
    expect(world.origin.rangesOf("/film").sort()).toEqual([0, 4, 12, 19].flatMap(n => slicesFrom(n, n)).sort())
    const whole = await world.ask("/film")
    expect([whole.status, whole.fields["content-length"], whole.body.equals(body)]).toEqual([200, String(20 * MB), true])
    expect(whole.fields["content-range"]).toBeUndefined()
    expect(world.origin.rangesOf("/film").sort()).toEqual(slicesFrom(0, 19).sort())
    expect([isHit(whole), whole.fields["cache-status"]]).toEqual([false, "bothways; fwd=partial"])
    const again = await world.ask("/film")
    expect([isHit(again), again.body.equals(body), world.origin.rangesOf("/film").length]).toEqual([true, true, 20])
  })
})
