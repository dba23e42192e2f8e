import { afterEach, describe, expect, test } from "bun:test"
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { type Faults, get, keyOf, octetsOf, openStore, put, type TestStore, untilState } from "./disk.fixture.ts"
import type { AttachedDiskStore, DiskOptions } from "./disk-contract.ts"
import { nameOf, pathOf } from "./entry-name.ts"
import { keeperFiles } from "./keeper/keeper-files.ts"

const opened: TestStore[] = []

async function open(path: string, options: Partial<DiskOptions> = {}, faults: Faults = {}): Promise<TestStore> {
  const made = await openStore({ bytes: 20_000_000, ...options, path }, faults)
  opened.push(made)
  return made
}

async function closeAll(): Promise<void> {
  for (const each of opened.splice(0)) await each.close()
}

afterEach(closeAll)

/** A folder with entries 0 to `count` - 1, closed. */
async function filled(count: number, state: "clean" | "killed" = "clean"): Promise<string> {
  const path = temporaryFolder("disk-store")
  const { end, store } = await open(path)
  await untilState(store, "ready")
  for (let n = 0; n < count; n++) expect(await put(end, keyOf(`${n}`), octetsOf(`${n}`, 3000), [n % 2 === 0 ? "even" : "odd"])).toBe(true)
  const killed = temporaryFolder("disk-store")
  // What a killed process leaves is what is there while it runs.
  if (state === "killed") cpSync(path, killed, { recursive: true })
  await closeAll()
  return state === "killed" ? killed : path
}

function withIndex(path: string, sql: string): void {
  const database = new DatabaseSync(join(path, "index.sqlite"))
  database.exec(sql)
  database.close()
}

async function there(end: AttachedDiskStore, count: number): Promise<number[]> {
  const found: number[] = []
  for (let n = 0; n < count; n++) {
    const entry = await get(end, keyOf(`${n}`))
    if (entry !== null) expect(entry.body!.equals(octetsOf(`${n}`, 3000))).toBe(true)
    if (entry !== null) found.push(n)
  }
  return found
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

describe("a start", () => {
  for (const state of ["clean", "killed"] as const) {
    test(`after a ${state} end finds everything from the first moment on`, async () => {
      const path = await filled(50, state)
      const { end, store } = await open(path)
      expect(await there(end, 50)).toEqual(upTo(50))
      expect(store.stats()).toMatchObject({ entries: 50, bytes: 50 * 4096 })
      expect(await put(end, keyOf("new"), Buffer.from("x"))).toBe(true)
      await untilState(store, "ready")
      expect(store.stats()).toMatchObject({ entries: 51, bytes: 51 * 4096 })
      expect(store.stats().counts.adopted).toBe(0)
    })
  }

  test("removes what writers of a former life left, and nothing else", async () => {
    const path = await filled(1)
    writeFileSync(join(path, "temp", "17"), "half")
    writeFileSync(join(path, "temp", "-3"), "half")
    mkdirSync(join(path, "temp", "folder"))
    const { store } = await open(path)
    await untilState(store, "ready")
    expect(readdirSync(join(path, "temp"))).toEqual(["folder"])
  })

  test("files without a row become entries again; rows without a file go; the figures are right in the end", async () => {
    const path = await filled(60)
    withIndex(path, "DELETE FROM entries WHERE id % 3 = 0")
    for (let n = 0; n < 60; n += 4) rmSync(pathOf(path, nameOf(keyOf(`${n}`).text)), { force: true })
    const { end, store } = await open(path)
    await untilState(store, "ready")
    const left = upTo(60).filter(n => n % 4 !== 0)
    expect(await there(end, 60)).toEqual(left)
    expect(store.stats()).toMatchObject({ entries: left.length, bytes: left.length * 4096 })
    expect(store.stats().counts.adopted).toBe(left.filter(n => (n + 1) % 3 === 0).length)
    expect(await store.purge({ by: "label", label: "odd" }, false)).toBe(left.filter(n => n % 2 === 1).length)
    expect(await store.purge({ by: "group", group: keyOf("2").group }, false)).toBe(1)
  })

  test("damaged files without a row are removed, files with other names are left alone", async () => {
    const path = await filled(10)
    withIndex(path, "DELETE FROM entries")
    const files = upTo(10).map(n => pathOf(path, nameOf(keyOf(`${n}`).text)))
    truncateSync(files[0]!, 100)
    truncateSync(files[1]!, statSync(files[1]!).size - 1)
    writeFileSync(files[2]!, "x")
    // A whole entry, under the name of another key.
    cpSync(files[4]!, files[3]!)
    writeFileSync(`${files[5]}.note`, "left by somebody")
    const { end, store } = await open(path)
    await untilState(store, "ready")
    expect(await there(end, 10)).toEqual([4, 5, 6, 7, 8, 9])
    expect(files.slice(0, 4).some(existsSync)).toBe(false)
    expect(existsSync(`${files[5]}.note`)).toBe(true)
    expect(store.stats().counts).toMatchObject({ damageFaults: 4, adopted: 6 })
  })

  test("rows whose file had not its name yet when it ended are checked before anything else", async () => {
    const path = await filled(10)
    withIndex(path, "UPDATE entries SET pending = 1, bytes = 4096000 WHERE id IN (2, 3, 4)")
    rmSync(pathOf(path, nameOf(keyOf("1").text)))
    const { end, store } = await open(path)
    expect(store.stats()).toMatchObject({ entries: 9, bytes: 9 * 4096 })
    expect(await there(end, 10)).toEqual(upTo(10).filter(n => n !== 1))
  })
})

describe("a start after the machine's end", () => {
  const another: Faults = { keeperFiles: { text: path => (path.endsWith("boot_id") ? "another start of the machine\n" : keeperFiles.text(path)) } }

  test("writes nothing until all files are found, so that the limit holds; reads what is there", async () => {
    const path = await filled(40, "killed")
    withIndex(path, "UPDATE entries SET pending = 0; DELETE FROM entries WHERE id > 10; UPDATE entries SET bytes = 4096 * 100 WHERE id = 5")
    const { end, store } = await open(path, {}, another)
    expect(end.begin(keyOf("new"), Buffer.from("h"), 1, [])).toBeNull()
    // The index does not know this one.
    expect(await get(end, keyOf("35"))).not.toBeNull()
    await untilState(store, "ready")
    expect(await there(end, 40)).toEqual(upTo(40))
    expect(store.stats()).toMatchObject({ entries: 40, bytes: 40 * 4096 })
    expect(await put(end, keyOf("new"), Buffer.from("x"))).toBe(true)
  })

  test("a purge while it looks is one for the files that it has not found yet", async () => {
    const path = await filled(40, "killed")
    withIndex(path, "DELETE FROM entries")
    const { end, store } = await open(path, {}, another)
    await store.purge({ by: "label", label: "odd" }, false)
    expect((await there(end, 40)).filter(n => n % 2 === 1)).toEqual([])
    await untilState(store, "ready")
    expect(await there(end, 40)).toEqual(upTo(40).filter(n => n % 2 === 0))
  })

  test("after a clean end the index is believed", async () => {
    const path = await filled(5)
    const { end } = await open(path, {}, another)
    expect(await put(end, keyOf("new"), Buffer.from("x"))).toBe(true)
  })
})

describe("purges and ends", () => {
  test("what was purged before the scan came to it stays away, also when the process ends before, twice", async () => {
    const path = await filled(20)
    withIndex(path, "DELETE FROM entries WHERE id > 4")
    const slow = await open(path, { scanPauseMs: 60_000 })
    await untilState(slow.store, "scanning")
    expect(await slow.store.purge({ by: "label", label: "odd" }, false)).toBe(2)
    expect(await slow.store.purge({ by: "group", group: keyOf("6").group }, true)).toBe(0)
    expect(await slow.store.purge({ by: "prefix", prefix: keyOf("18").group }, false)).toBe(0)
    expect(await slow.end.remove(keyOf("8"))).toBe(false)
    let killed = temporaryFolder("disk-store")
    cpSync(path, killed, { recursive: true })
    await closeAll()
    for (let round = 0; round < 2; round++) {
      const again = await open(killed, { scanPauseMs: round === 0 ? 60_000 : 0 })
      await untilState(again.store, round === 0 ? "scanning" : "ready")
      const found = await there(again.end, 20)
      expect(found.filter(n => n % 2 === 1 || n === 8 || n === 18)).toEqual([])
      if (round === 1) expect(found).toEqual([0, 2, 4, 6, 10, 12, 14, 16])
      if (round === 1) expect((await get(again.end, keyOf("6")))!.marked).toBe(true)
      const next = temporaryFolder("disk-store")
      cpSync(killed, next, { recursive: true })
      killed = next
      await closeAll()
    }
  })

  test("a writer under way when the store is closed stores nothing; its end and later ones are quiet", async () => {
    const path = temporaryFolder("disk-store")
    const { end, store } = await open(path)
    const writer = end.begin(keyOf("a"), Buffer.from("h"), -1, [])!
    writer.write(octetsOf("a", 100_000))
    const call = end.removeGroup(keyOf("b"), false)
    await store.close()
    await call
    await until(() => writer.failed)
    expect(await writer.commit()).toBe(false)
    expect([end.mayHave(keyOf("a")), await end.load(keyOf("a")), end.begin(keyOf("a"), Buffer.from("h"), 1, [])]).toEqual([false, null, null])
    expect([
      await end.remove(keyOf("a")),
      await end.removeGroup(keyOf("a"), true),
      await end.updateHead(keyOf("a"), 1, Buffer.from("h"), []),
    ]).toEqual([false, 0, false])
    end.touch(keyOf("a"))
    expect(store.stats().state).toBe("closed")
    expect(store.purge({ by: "all" }, false)).rejects.toThrow("closed")
    expect(store.list({ by: "all" }, 1)).rejects.toThrow("closed")
    await store.close()
    expect(readdirSync(join(path, "temp")).length).toBeLessThanOrEqual(1)
  })
})
