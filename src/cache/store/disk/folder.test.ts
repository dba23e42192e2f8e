import { afterEach, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { type LogRecord, setLogSink } from "../../../base/index.ts"
import { createDiskStore } from "./create-disk-store.ts"
import { type Faults, get, keyOf, octetsOf, openStore, put, type TestStore, untilState } from "./disk.fixture.ts"
import type { DiskOptions } from "./disk-contract.ts"

const opened: TestStore[] = []
let records: LogRecord[] = []

async function open(faults: Faults = {}, options: Partial<DiskOptions> = {}): Promise<TestStore & { path: string }> {
  const path = options.path ?? temporaryFolder("disk-store")
  setLogSink(record => void records.push(record))
  const made = await openStore({ bytes: 10_000_000, ...options, path }, faults)
  opened.push(made)
  return { ...made, path }
}

async function closeAll(): Promise<void> {
  for (const each of opened.splice(0)) await each.close()
}

afterEach(async () => {
  await closeAll()
  setLogSink(null)
  records = []
})

const key = keyOf("a")

describe("the index", () => {
  const spoil: [string, (file: string) => void][] = [
    ["something else", file => writeFileSync(file, "not a database at all ".repeat(1000))],
    ["empty", file => writeFileSync(file, "")],
    ["gone", file => rmSync(file)],
    ["half of it zeros", zeroHalf],
    ["another program's", makeForeign],
  ]
  for (const [what, damage] of spoil) {
    test(`${what}: it is made anew from the files, and nothing is lost`, async () => {
      const first = await open({}, { bytes: 20_000_000 })
      for (let n = 0; n < 200; n++) expect(await put(first.end, keyOf(`${n}`), octetsOf(`${n}`, 3000), ["l"])).toBe(true)
      await first.store.purge({ by: "group", group: keyOf("7").group }, true)
      await closeAll()
      damage(join(first.path, "index.sqlite"))
      const second = await open({}, { path: first.path, bytes: 20_000_000 })
      expect((await until(() => get(second.end, keyOf("150")))).body!.equals(octetsOf("150", 3000))).toBe(true)
      await untilState(second.store, "ready")
      expect(second.store.stats().entries).toBe(200)
      for (let n = 0; n < 200; n++) {
        const found = (await get(second.end, keyOf(`${n}`)))!
        expect([found.marked, found.body!.length]).toEqual([n === 7, 3000])
      }
      expect(await second.store.purge({ by: "label", label: "l" }, false)).toBe(200)
      if (what !== "gone" && what !== "empty") expect(records.some(record => record.message.includes("set aside"))).toBe(true)
    })
  }

  test("held by somebody: set aside, too", async () => {
    const first = await open()
    expect(await put(first.end, key, Buffer.from("x"))).toBe(true)
    await closeAll()
    const holder = new DatabaseSync(join(first.path, "index.sqlite"))
    holder.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE")
    const second = await open({}, { path: first.path })
    expect((await get(second.end, key))!.body!.toString()).toBe("x")
    await untilState(second.store, "ready")
    expect(second.store.stats().entries).toBe(1)
    holder.close()
  })
})

describe("folders", () => {
  const options = { bytes: 1_000_000, keySeed: 0x5eed }

  test("one store at a time: the second is told so, here and in another process, and the first is not harmed", async () => {
    const { end, path } = await open()
    expect(createDiskStore({ ...options, path })).rejects.toThrow("another process uses this folder")
    const script = `
      const { createDiskStore } = await import(${JSON.stringify(join(import.meta.dir, "create-disk-store.ts"))})
      const { setKeySeed } = await import(${JSON.stringify(join(import.meta.dir, "..", "key.ts"))})
      setKeySeed(5)
      await createDiskStore({ path: ${JSON.stringify(path)}, bytes: 1000000, keySeed: 5 }).then(() => console.log("opened"), error => console.log(error.message))
      process.exit(0)`
    const { stdout } = Bun.spawnSync([process.execPath, "-e", script])
    expect(stdout.toString()).toContain("another process uses this folder")
    expect(await put(end, key, Buffer.from("x"))).toBe(true)
    await closeAll()
    const again = await open({}, { path })
    expect((await get(again.end, key))!.body!.toString()).toBe("x")
  })

  test("with other things in it are refused, and left as they are", async () => {
    const path = temporaryFolder("disk-store")
    writeFileSync(join(path, "precious.txt"), "mine")
    chmodSync(path, 0o755)
    expect(createDiskStore({ ...options, path })).rejects.toThrow('holds other things ("precious.txt")')
    await createDiskStore({ ...options, path }).catch(() => {})
    expect(readdirSync(path)).toEqual(["precious.txt"])
    expect(createDiskStore({ ...options, path: join(path, "precious.txt") })).rejects.toThrow("the folder cannot be used")
    expect(createDiskStore({ ...options, path: join(path, "precious.txt", "below") })).rejects.toThrow("the folder cannot be used")
    expect(readFileSync(join(path, "precious.txt"), "utf8")).toBe("mine")
  })

  test("half made by a start that was ended, or on a file system of its own, are taken", async () => {
    const path = temporaryFolder("disk-store")
    mkdirSync(join(path, "entries"))
    mkdirSync(join(path, "lost+found"))
    const { end } = await open({}, { path })
    expect(await put(end, key, Buffer.from("x"))).toBe(true)
  })

  test("options that make no sense are refused in their own words", async () => {
    const path = temporaryFolder("disk-store")
    expect(createDiskStore({ ...options, path: "" })).rejects.toThrow("path is empty")
    expect(createDiskStore({ ...options, path, bytes: 1000 })).rejects.toThrow("bytes is 1000; expected a whole number of at least 65536")
    expect(createDiskStore({ ...options, path, writersMax: 0 })).rejects.toThrow("writersMax is 0")
    expect(createDiskStore({ ...options, path, keySeed: 1 })).rejects.toThrow("keySeed")
  })
})

function zeroHalf(file: string): void {
  const octets = readFileSync(file)
  octets.fill(0, 4096 + ((octets.length / 2) & ~4095))
  writeFileSync(file, octets)
}

function makeForeign(file: string): void {
  rmSync(file)
  const database = new DatabaseSync(file)
  database.exec("CREATE TABLE addresses(name TEXT); INSERT INTO addresses VALUES('x')")
  database.close()
}
