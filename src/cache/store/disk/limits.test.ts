import { afterEach, describe, expect, test } from "bun:test"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { Random } from "../../../base/index.ts"
import { get, keyOf, octetsOf, openStore, put, type TestStore, untilState, writeAll } from "./disk.fixture.ts"
import type { DiskOptions } from "./disk-contract.ts"

const opened: TestStore[] = []

async function open(options: Partial<DiskOptions> & { bytes: number }): Promise<TestStore & { path: string }> {
  const path = options.path ?? temporaryFolder("disk-store")
  const made = await openStore({ ...options, path })
  opened.push(made)
  await untilState(made.store, "ready")
  return { ...made, path }
}

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

/** What files take, each rounded up. */
function taken(path: string): number {
  let sum = 0
  for (const folder of ["entries", "temp"]) {
    for (const entry of readdirSync(join(path, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      try {
        sum += Math.ceil(statSync(join(entry.parentPath, entry.name)).size / 4096) * 4096
      } catch {
        // Gone meanwhile.
      }
    }
  }
  return sum
}

describe("limits of the store", () => {
  test("files never take more than `bytes`, whatever is written at the same time; the figures are exact", async () => {
    const bytes = 4_000_000
    const { end, store, path } = await open({ bytes, entryBytesMax: 2_000_000 })
    const random = new Random(3)
    let most = 0
    let writing = true
    const watched = (async () => {
      while (writing) {
        most = Math.max(most, taken(path))
        await new Promise(resolve => setTimeout(resolve, 1))
      }
    })()
    const run = async (): Promise<void> => {
      for (let round = 0; round < 40; round++) {
        const key = keyOf(`${random.below(200)}`)
        const length = random.below(10) === 0 ? random.below(1_200_000) : random.below(60_000)
        const writer = end.begin(key, Buffer.from("h"), random.below(2) === 0 ? length : -1, [])
        if (writer === null) continue
        await writeAll(writer, octetsOf(key.text, length), 20_000)
        if (random.below(5) === 0) writer.abort()
        else await writer.commit()
        const found = await get(end, keyOf(`${random.below(200)}`))
        if (found?.body === null) throw new Error("a damaged body")
        if (random.below(10) === 0) await end.remove(keyOf(`${random.below(200)}`))
      }
    }
    await Promise.all(Array.from({ length: 8 }, run))
    writing = false
    await watched
    await until(() => store.stats().writers === 0)
    expect(most).toBeGreaterThan(bytes / 2)
    expect(most).toBeLessThanOrEqual(bytes)
    const { counts, ...stats } = store.stats()
    expect([stats.bytes, stats.reserved]).toEqual([taken(path), 0])
    expect(stats.entries).toBe((await store.list({ by: "all" }, 1000)).length)
    expect(counts.evicted).toBeGreaterThan(50)
    expect(counts).toMatchObject({ damageFaults: 0, readFaults: 0, writeFaults: 0, indexFaults: 0 })
  })

  test("entries are limited, too", async () => {
    const { end, store } = await open({ bytes: 10_000_000, entriesMax: 20 })
    for (let n = 0; n < 100; n++) expect(await put(end, keyOf(`${n}`), Buffer.from("x"))).toBe(true)
    expect(store.stats().entries).toBe(20)
    expect(store.stats().counts.evicted).toBe(80)
    let known = 0
    for (let n = 0; n < 100; n++) if (end.mayHave(keyOf(`${n}`))) known++
    expect(known).toBe(20)
  })

  test("room that writers have set aside is nobody else's; when there is none, a writer is refused", async () => {
    const { end, store } = await open({ bytes: 1_000_000, entryBytesMax: 900_000 })
    const large = end.begin(keyOf("large"), Buffer.from("h"), 800_000, [])!
    await until(() => store.stats().writers === 1)
    expect(store.stats().reserved).toBe(Math.ceil((800_000 + 800) / 4096) * 4096)
    const second = end.begin(keyOf("second"), Buffer.from("h"), 300_000, [])!
    await until(() => second.failed)
    expect(await put(end, keyOf("small"), octetsOf("s", 50_000))).toBe(true)
    await writeAll(large, octetsOf("l", 800_000))
    expect(await large.commit()).toBe(true)
    expect((await get(end, keyOf("large")))!.body!.equals(octetsOf("l", 800_000))).toBe(true)
  })

  test("a body that grows beyond what there is fails, and gives its room back", async () => {
    const { end, store } = await open({ bytes: 1_000_000, entryBytesMax: 1_000_000 })
    const holds = end.begin(keyOf("holds"), Buffer.from("h"), 500_000, [])!
    const grows = end.begin(keyOf("grows"), Buffer.from("h"), -1, [])!
    await writeAll(grows, octetsOf("g", 700_000), 10_000)
    expect(await grows.commit()).toBe(false)
    holds.abort()
    await until(() => store.stats().reserved === 0)
    expect(await put(end, keyOf("after"), octetsOf("g", 700_000))).toBe(true)
  })

  test("what is used stays, what comes once goes (S3-FIFO)", async () => {
    const { end } = await open({ bytes: 100 * 4096 })
    for (let n = 0; n < 20; n++) expect(await put(end, keyOf(`hot ${n}`), Buffer.from("x"))).toBe(true)
    for (let round = 0; round < 500; round++) {
      expect(await put(end, keyOf(`once ${round}`), Buffer.from("x"))).toBe(true)
      if (round % 40 !== 0) continue
      for (let n = 0; n < 20; n++) end.touch(keyOf(`hot ${n}`))
      // Uses are told when there are many, or after a second.
      for (let n = 0; n < 1024; n++) end.touch(keyOf(`not there ${n}`))
    }
    let hot = 0
    for (let n = 0; n < 20; n++) if ((await get(end, keyOf(`hot ${n}`))) !== null) hot++
    expect(hot).toBe(20)
    expect(await get(end, keyOf("once 0"))).toBeNull()
    expect(await get(end, keyOf("once 499"))).not.toBeNull()
  })

  test("what was evicted and comes back soon is kept longer than what is new", async () => {
    const { end } = await open({ bytes: 100 * 4096 })
    for (let n = 0; n < 105; n++) expect(await put(end, keyOf(`a ${n}`), Buffer.from("x"))).toBe(true)
    expect(end.mayHave(keyOf("a 0"))).toBe(false)
    expect(await put(end, keyOf("a 0"), Buffer.from("x"))).toBe(true)
    for (let n = 0; n < 98; n++) expect(await put(end, keyOf(`b ${n}`), Buffer.from("x"))).toBe(true)
    expect(end.mayHave(keyOf("a 0"))).toBe(true)
    expect(end.mayHave(keyOf("a 50"))).toBe(false)
  })

  test("lower limits hold before anything is written after the start", async () => {
    const first = await open({ bytes: 2_000_000 })
    for (let n = 0; n < 100; n++) expect(await put(first.end, keyOf(`${n}`), octetsOf("x", 10_000))).toBe(true)
    for (const each of opened.splice(0)) await each.close()
    const second = await open({ path: first.path, bytes: 500_000 })
    expect(taken(first.path)).toBeLessThanOrEqual(500_000)
    expect(second.store.stats().bytes).toBe(taken(first.path))
    expect(second.store.stats().entries).toBe(40)
    expect(await put(second.end, keyOf("new"), octetsOf("x", 10_000))).toBe(true)
  })

  test("one used over and over does not hold the keeper up when room is needed", async () => {
    const { end } = await open({ bytes: 1000 * 4096, entriesMax: 1000 })
    for (let n = 0; n < 990; n += 30) await Promise.all(Array.from({ length: 30 }, (_, at) => put(end, keyOf(`${n + at}`), Buffer.from("x"))))
    for (let round = 0; round < 3; round++) for (let n = 0; n < 1024; n++) end.touch(keyOf(`${n % 990} ${n >= 990 ? n : ""}`.trim()))
    for (let n = 0; n < 200; n++) expect(await put(end, keyOf(`more ${n}`), Buffer.from("x"))).toBe(true)
  })
})
