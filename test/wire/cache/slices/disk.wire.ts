import { describe, expect, test } from "bun:test"
import { startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { until } from "../../../support/wait.ts"
import { ask, isHit, KB, MB, RangeOrigin, SlicedWorld, slicedConfig, slicesFrom } from "./sliced-world.ts"

// Slices are entries like others: they go to the disk, and are found there.

/** Numbers of the slices on disk. */
async function onDisk(admin: (path: string) => Promise<Response>, target: string): Promise<number[]> {
  const response = await admin(`/cache/entries?url=${encodeURIComponent(`http://a.test${target}`)}`)
  const { entries } = (await response.json()) as { entries: { key: string; tier: string }[] }
  return entries
    .filter(({ tier }) => tier === "disk")
    .flatMap(({ key }) => /slice(\d+)$/.exec(key)?.[1] ?? [])
    .map(Number)
}

describe("slices on disk", () => {
  test("after a restart: what is there is used, what is missing is fetched, and a small body too", async () => {
    const origin = new RangeOrigin()
    const peer = await origin.listen()
    const store = { memory: "16MB", disk: { path: temporaryFolder("slices"), size: "256MB" } }
    const { body } = origin.put("/film", 8 * MB)
    const small = origin.put("/small", 200 * KB)
    let port = await freePort()
    {
      await using proxy = await startBothways(slicedConfig(port, peer, { store }))
      await ask(port, "/film", { range: `bytes=${2 * MB}-${5 * MB - 1}` })
      await ask(port, "/small")
      await until(async () => (await onDisk(path => proxy.ask(path), "/film")).length === 3)
    }
    expect(origin.rangesOf("/film").sort()).toEqual(slicesFrom(2, 4))
    port = await freePort()
    {
      await using proxy = await startBothways(slicedConfig(port, peer, { store }))
      await until(async () => /"ready"|"scanning"/.test(await (await proxy.ask("/cache/stats")).text()))
      const part = await ask(port, "/film", { range: `bytes=${3 * MB + 7}-${4 * MB}` })
      expect([part.status, part.body.equals(body.subarray(3 * MB + 7, 4 * MB + 1)), isHit(part)]).toEqual([206, true, true])
      expect(origin.rangesOf("/film").length).toBe(3)
      expect((await ask(port, "/film")).body.equals(body)).toBe(true)
      expect(origin.rangesOf("/film").sort()).toEqual(slicesFrom(0, 7))
      const range = await ask(port, "/small", { range: "bytes=7-9" })
      expect([range.status, range.body.equals(small.body.subarray(7, 10)), origin.rangesOf("/small").length]).toEqual([206, true, 1])
    }
    origin.close()
  })

  test("more than memory has room for: read from disk, fetched once", async () => {
    await using world = await SlicedWorld.start({ store: { memory: "8MB", disk: { path: temporaryFolder("slices"), size: "512MB" } } })
    const { body } = world.origin.put("/film", 40 * MB)
    expect((await world.ask("/film")).body.equals(body)).toBe(true)
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 40)
    for (const first of [0, 20 * MB + 5]) {
      const got = await world.ask("/film", { range: `bytes=${first}-` })
      expect([got.body.equals(body.subarray(first)), isHit(got)]).toEqual([true, true])
    }
    expect(world.origin.rangesOf("/film")).toEqual(slicesFrom(0, 39))
    await world.purge("url=http://a.test/film")
    const after = await world.ask("/film", { range: "bytes=0-9" })
    expect([after.status, world.origin.rangesOf("/film").length]).toEqual([206, 41])
  })

  test("that were marked by a soft purge are asked about", async () => {
    for (const [slice, memory] of [
      ["1MB", "8MB"],
      ["4MB", "8MB"],
    ] as const) {
      await using world = await SlicedWorld.start({ cache: { slice }, store: { memory, disk: { path: temporaryFolder("slices"), size: "512MB" } } })
      const { body } = world.origin.put("/film", 24 * MB)
      await world.ask("/film")
      const count = 24 / Number.parseInt(slice, 10)
      await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === count)
      await world.purge("url=http://a.test/film&soft=true")
      const { bytes } = world.origin
      expect((await world.ask("/film")).body.equals(body)).toBe(true)
      expect([world.origin.bytes - bytes, world.origin.rangesOf("/film").length]).toEqual([0, 2 * count])
    }
  }, 15_000)

  test("of a file that has changed: they go from the disk, too", async () => {
    await using world = await SlicedWorld.start({ store: { memory: "8MB", disk: { path: temporaryFolder("slices"), size: "512MB" } } })
    world.origin.put("/film", 20 * MB)
    await world.ask("/film", { range: `bytes=${3 * MB}-` })
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 17)
    const { body } = world.origin.put("/film", 20 * MB)
    // The first three are new.
    expect((await world.ask("/film")).body.equals(body)).toBe(true)
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 20)
    expect([isHit(await world.ask("/film")), world.origin.rangesOf("/film").length]).toEqual([true, 37])
    // Shorter now: what lies behind its end goes, too.
    world.origin.put("/film", 5 * MB)
    await world.purge("url=http://a.test/film&soft=true")
    await world.ask("/film", { range: "bytes=0-9" })
    await world.ask("/film").catch(() => null)
    await world.ask("/film")
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 5)
  })

  test("slices that are larger than an entry of the memory may be", async () => {
    await using world = await SlicedWorld.start({
      cache: { slice: "4MB" },
      store: { memory: "8MB", disk: { path: temporaryFolder("slices"), size: "512MB" } },
    })
    const { body } = world.origin.put("/film", 18 * MB)
    const [one, two] = await Promise.all([world.ask("/film"), world.ask("/film", { range: `bytes=${3 * MB}-${9 * MB}` })])
    expect([one.body.equals(body), two.body.equals(body.subarray(3 * MB, 9 * MB + 1))]).toEqual([true, true])
    expect(world.origin.rangesOf("/film").sort()).toEqual(slicesFrom(0, 4, 4 * MB).sort())
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 5)
    const got = await world.ask("/film", { range: `bytes=${4 * MB - 10}-${16 * MB}` })
    expect([got.body.equals(body.subarray(4 * MB - 10, 16 * MB + 1)), isHit(got), world.origin.rangesOf("/film").length]).toEqual([true, true, 5])
  })

  test("that are stale there are asked about, and hold", async () => {
    await using world = await SlicedWorld.start({
      cache: { slice: "4MB" },
      store: { memory: "8MB", disk: { path: temporaryFolder("slices"), size: "512MB" } },
    })
    const file = world.origin.put("/film", 9 * MB, { fields: { "cache-control": "no-cache" } })
    await world.ask("/film")
    await until(async () => (await onDisk(path => world.proxy.ask(path), "/film")).length === 3)
    const { bytes } = world.origin
    expect((await world.ask("/film")).body.equals(file.body)).toBe(true)
    expect(world.origin.bytes - bytes).toBe(0)
  })
})

describe("no room", () => {
  test("slices go to their clients one by one, held back by whoever reads, and whole", async () => {
    // Entries may have a quarter of the memory: a slice fits, what several clients read at a time does not.
    await using world = await SlicedWorld.start({ cache: { slice: "3MB" }, store: { memory: "16MB" } })
    const bodies = Array.from({ length: 8 }, (_, i) => world.origin.put(`/${i}`, 14 * MB).body)
    const all = await Promise.all(bodies.map((_, i) => world.ask(`/${i}`)))
    expect(all.map((got, i) => got.body.equals(bodies[i]!))).toEqual(bodies.map(() => true))
  })

  test("a slice that could never be stored: as without slices", async () => {
    await using world = await SlicedWorld.start({ cache: { slice: "8MB" }, store: { memory: "16MB" } })
    const { body } = world.origin.put("/large", 20 * MB)
    expect((await world.ask("/large")).body.equals(body)).toBe(true)
    expect(world.origin.rangesOf("/large")).toEqual([""])
  })
})
