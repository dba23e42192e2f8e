import { afterEach, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { type LogRecord, setLogSink } from "../../../base/index.ts"
import { type Faults, get, keyOf, octetsOf, openStore, put, type TestStore, untilState, writeAll } from "./disk.fixture.ts"
import type { DiskOptions } from "./disk-contract.ts"
import { fileCalls } from "./file-calls.ts"
import { keeperFiles } from "./keeper/keeper-files.ts"

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

const failure = (code: string): Error => Object.assign(new Error(`${code}: as it was put under the test`), { code })
const key = keyOf("a")

describe("trouble with the disk", () => {
  for (const code of ["ENOSPC", "EIO", "EACCES", "EROFS", "EDQUOT"]) {
    test(`${code} when writing: the writer fails, nothing is written for a while, look-ups go on, then all is well again`, async () => {
      let broken = false
      const write: typeof fileCalls.write = (fd, octets, at) => (broken ? Promise.reject(failure(code)) : fileCalls.write(fd, octets, at))
      const append: typeof keeperFiles.append = (path, octets) => {
        if (broken) throw failure(code)
        keeperFiles.append(path, octets)
      }
      const { end, store, path } = await open({ files: { write }, keeperFiles: { append } })
      for (let n = 0; n < 10; n++) expect(await put(end, keyOf(`${n}`), octetsOf("x", 10_000))).toBe(true)
      broken = true
      const writer = end.begin(key, Buffer.from("h"), -1, [])!
      let failures = 0
      writer.onFail = () => failures++
      await writeAll(writer, octetsOf("x", 200_000))
      await until(() => writer.failed)
      expect(await writer.commit()).toBe(false)
      expect(failures).toBe(1)
      await until(() => end.begin(key, Buffer.from("h"), 1, []) === null)
      expect(await get(end, keyOf("9"))).not.toBeNull()
      await new Promise(resolve => setTimeout(resolve, 150))
      expect(end.begin(key, Buffer.from("h"), 1, [])).toBeNull()
      expect(store.stats().counts.writeFaults).toBeGreaterThan(0)
      broken = false
      await until(() => put(end, key, Buffer.from("back")))
      expect((await get(end, key))!.body!.toString()).toBe("back")
      expect(readdirSync(join(path, "temp"))).toEqual([])
      // A full disk gets something back; others do not.
      expect(store.stats().counts.evicted > 0).toBe(code === "ENOSPC" || code === "EDQUOT")
      expect(records.filter(record => record.level === "error").length).toBeLessThanOrEqual(2)
    })
  }

  test("no file can be made: begin gives a writer that fails, then none", async () => {
    let broken = true
    const create: typeof fileCalls.create = path => (broken ? Promise.reject(failure("EMFILE")) : fileCalls.create(path))
    const { end } = await open({ files: { create } })
    expect(await put(end, key, Buffer.from("x"))).toBe(false)
    broken = false
    await until(() => put(end, key, Buffer.from("x")))
  })

  test("the disk gets full in the middle of a body: tails see it, the rest of the body is not taken", async () => {
    let left = 300_000
    const write: typeof fileCalls.write = async (fd, octets, at) => {
      left -= octets.length
      if (left < 0) throw failure("ENOSPC")
      return fileCalls.write(fd, octets, at)
    }
    const { end } = await open({ files: { write } })
    const writer = end.begin(key, Buffer.from("h"), -1, [])!
    const tail = writer.tail()
    await writeAll(writer, octetsOf("x", 1_000_000), 50_000)
    expect([writer.failed, tail.state]).toEqual([true, 2])
    expect(tail.written).toBeGreaterThan(100_000)
    expect(writer.write(Buffer.from("more"))).toBe(false)
    const first = (await tail.read(0, 1000))!
    expect(octetsOf("x", 1000).equals(first)).toBe(true)
    tail.close()
    writer.abort()
  })

  test("files that cannot be read: misses; many of them, and nothing is looked up for a while; one line a second", async () => {
    let broken = false
    const openFile: typeof fileCalls.open = path => (broken ? Promise.reject(failure("EACCES")) : fileCalls.open(path))
    const { end, store } = await open({ files: { open: openFile } }, { retryMs: 200 })
    expect(await put(end, key, Buffer.from("x"))).toBe(true)
    await untilState(store, "ready")
    broken = true
    for (let n = 0; n < 30; n++) expect(await end.load(key)).toBeNull()
    await until(() => !end.mayHave(key))
    expect(store.stats().counts.readFaults).toBeGreaterThanOrEqual(10)
    await until(() => records.length > 0)
    expect(records.filter(record => record.level === "error")).toHaveLength(1)
    broken = false
    await until(() => end.mayHave(key))
    expect((await get(end, key))!.body!.toString()).toBe("x")
  })

  test("the folder vanishes: misses, no writers; when it is back, what was in it is found again", async () => {
    const { end, store, path } = await open()
    expect(await put(end, key, Buffer.from("x"))).toBe(true)
    renameSync(path, `${path}.away`)
    writeFileSync(path, "something else has its name")
    expect(await end.load(key)).toBeNull()
    await untilState(store, "away")
    expect([end.mayHave(key), end.begin(key, Buffer.from("h"), 1, [])]).toEqual([false, null])
    expect(store.purge({ by: "all" }, false)).rejects.toThrow("cannot be reached")
    expect(await end.updateHead(key, 1, Buffer.from("h"), [])).toBe(false)
    rmSync(path)
    renameSync(`${path}.away`, path)
    await untilState(store, "ready")
    // The purge that could not be done was done before anything was looked up.
    expect(await get(end, key)).toBeNull()
    expect(store.stats().entries).toBe(0)
    expect(await put(end, key, Buffer.from("y"))).toBe(true)
    expect((await get(end, key))!.body!.toString()).toBe("y")
  })

  test("the folder is emptied under it: it begins anew", async () => {
    const { end, store, path } = await open()
    for (let n = 0; n < 5; n++) expect(await put(end, keyOf(`${n}`), Buffer.from("x"))).toBe(true)
    rmSync(path, { recursive: true })
    expect(await end.load(keyOf("0"))).toBeNull()
    await until(() => store.stats().entries === 0 && put(end, key, Buffer.from("new")))
    expect((await get(end, key))!.body!.toString()).toBe("new")
    expect(existsSync(join(path, "index.sqlite"))).toBe(true)
  })

  test("the disk fails under the keeper: it goes away, comes back, and knows what is there", async () => {
    let broken = false
    const rename: typeof keeperFiles.rename = (from, to) => {
      if (broken) throw failure("EIO")
      keeperFiles.rename(from, to)
    }
    const { end, store } = await open({ keeperFiles: { rename } })
    expect(await put(end, keyOf("before"), Buffer.from("x"))).toBe(true)
    broken = true
    const bystander = end.begin(keyOf("bystander"), Buffer.from("h"), -1, [])!
    await writeAll(bystander, octetsOf("x", 100_000))
    expect(await put(end, key, Buffer.from("x"))).toBe(false)
    expect(store.stats().state).toBe("away")
    await until(() => bystander.failed)
    broken = false
    await untilState(store, "ready")
    expect(await get(end, keyOf("before"))).not.toBeNull()
    expect(await get(end, key)).toBeNull()
    expect(store.stats()).toMatchObject({ entries: 1, writers: 0, reserved: 0 })
    expect(await put(end, key, Buffer.from("x"))).toBe(true)
  })

  test("the disk is full when it starts: it starts, and works once there is room", async () => {
    let broken = true
    const mkdir: typeof keeperFiles.mkdir = path => {
      if (broken) throw failure("ENOSPC")
      keeperFiles.mkdir(path)
    }
    const { end, store } = await open({ keeperFiles: { mkdir } })
    expect(store.stats().state).toBe("away")
    expect([await end.load(key), end.begin(key, Buffer.from("h"), 1, [])]).toEqual([null, null])
    broken = false
    await until(() => put(end, key, Buffer.from("x")))
  })
})
