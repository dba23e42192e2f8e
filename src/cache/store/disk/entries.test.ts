import { afterEach, describe, expect, test } from "bun:test"
import { readdirSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { MessageChannel } from "node:worker_threads"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { pause, until } from "../../../../test/support/wait.ts"
import { Key } from "../key.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { get, keyOf, octetsOf, openStore, put, type TestStore, writeAll } from "./disk.fixture.ts"
import type { DiskOptions } from "./disk-contract.ts"
import { fileCalls } from "./file-calls.ts"
import { BLOCK, CHECK } from "./file-layout.ts"
import type { FromWorker } from "./messages.ts"

const MB = 1_000_000
const opened: TestStore[] = []

async function open(options: Partial<DiskOptions> = {}): Promise<TestStore & { path: string }> {
  const path = options.path ?? temporaryFolder("disk-store")
  const made = await openStore({ path, bytes: 50 * MB, ...options })
  opened.push(made)
  return { ...made, path }
}

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true }).flatMap(entry => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []))
}

describe("entries on disk", () => {
  test("come back as they were, whatever their length, known before or not", async () => {
    const { end } = await open()
    for (const length of [0, 1, 1000, 40_000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 5000]) {
      for (const known of [true, false]) {
        const key = keyOf(`${length}`, known ? "k" : "u")
        const body = octetsOf(key.text, length)
        const writer = end.begin(key, Buffer.from(`head of ${length}`), known ? length : -1, ["x"])!
        await writeAll(writer, body, 30_000)
        expect(await writer.commit()).toBe(true)
        expect(writer.written).toBe(length)
        expect(end.mayHave(key)).toBe(true)
        const found = (await get(end, key))!
        expect([found.head, found.marked, found.version]).toEqual([`head of ${length}`, false, writer.version])
        expect(found.body!.equals(body)).toBe(true)
      }
    }
  })

  test("a head larger than the first read, a body read in small steps from anywhere", async () => {
    const { end } = await open()
    const key = keyOf("large-head")
    const head = octetsOf("head", 100_000)
    const body = octetsOf("body", BLOCK + 50_000)
    const writer = end.begin(key, head, -1, [])!
    await writeAll(writer, body)
    expect(await writer.commit()).toBe(true)
    const entry = (await end.load(key))!
    expect(head.equals(entry.head)).toBe(true)
    for (const [at, max] of [
      [0, 1],
      [BLOCK - 3, 10],
      [BLOCK, 7],
      [12_345, 99_999],
      [BLOCK + 49_999, 50],
    ] as const) {
      const piece = (await entry.read(at, max))!
      expect(piece.length).toBeGreaterThan(0)
      expect(body.subarray(at, at + piece.length).equals(piece)).toBe(true)
    }
    expect(await entry.read(body.length, 10)).toHaveLength(0)
    expect(await entry.read(body.length + 1, 10)).toBeNull()
    entry.close()
    expect(await entry.read(0, 10)).toBeNull()
  })

  test("nobody sees one before it is stored; the one under its key stays until then", async () => {
    const { end } = await open()
    const key = keyOf("a")
    const first = end.begin(key, Buffer.from("1"), 3, [])!
    first.write(Buffer.from("one"))
    expect(await end.load(key)).toBeNull()
    expect(await first.commit()).toBe(true)
    const second = end.begin(key, Buffer.from("2"), 3, [])!
    second.write(Buffer.from("two"))
    const open1 = (await end.load(key))!
    expect((await get(end, key))!.head).toBe("1")
    expect(await second.commit()).toBe(true)
    expect((await get(end, key))!.head).toBe("2")
    expect(Buffer.from((await open1.read(0, 9))!).toString()).toBe("one")
    open1.close()
  })

  test("a body that is too short, too long, aborted or empty-handed stores nothing and leaves no file", async () => {
    const { end, path, store } = await open()
    const short = end.begin(keyOf("short"), Buffer.from("h"), 10, [])!
    short.write(Buffer.from("12345"))
    expect(await short.commit()).toBe(false)
    const long = end.begin(keyOf("long"), Buffer.from("h"), 3, [])!
    let failures = 0
    long.onFail = () => failures++
    expect(long.write(Buffer.from("12345"))).toBe(false)
    expect([failures, long.failed]).toEqual([1, true])
    expect(await long.commit()).toBe(false)
    const aborted = end.begin(keyOf("aborted"), Buffer.from("h"), -1, [])!
    await writeAll(aborted, octetsOf("x", 300_000))
    aborted.abort()
    aborted.abort()
    expect(await aborted.commit()).toBe(false)
    await until(() => store.stats().writers === 0 && store.stats().reserved === 0)
    expect(filesIn(join(path, "temp"))).toEqual([])
    for (const name of ["short", "long", "aborted"]) expect(end.mayHave(keyOf(name))).toBe(false)
    expect(store.stats().counts.refused).toBe(1)
  })

  test("commit twice, or abort after commit, changes nothing", async () => {
    const { end } = await open()
    const writer = end.begin(keyOf("a"), Buffer.from("h"), 1, [])!
    writer.write(Buffer.from("x"))
    const stored = writer.commit()
    expect(await writer.commit()).toBe(false)
    expect(await stored).toBe(true)
    writer.abort()
    expect((await get(end, keyOf("a")))!.body!.toString()).toBe("x")
  })

  test("a writer asks for pauses, and does not take more than may wait", async () => {
    const { end } = await open({ bytesWaitingMax: 4 * MB })
    const writer = end.begin(keyOf("a"), Buffer.from("h"), -1, [])!
    const piece = octetsOf("piece", 100_000)
    let taken = 0
    while (writer.write(piece)) taken += piece.length
    taken += piece.length
    expect(writer.failed).toBe(false)
    expect(taken).toBeLessThan(700_000)
    let drained = 0
    await new Promise<void>(resolve => {
      writer.onDrain = () => {
        drained++
        resolve()
      }
    })
    expect(drained).toBe(1)
    // One that does not listen is cut off.
    for (let n = 0; n < 60; n++) writer.write(piece)
    expect(writer.failed).toBe(true)
    expect(await writer.commit()).toBe(false)
    expect(await put(end, keyOf("b"), octetsOf("b", 3 * MB))).toBe(true)
  })

  test("limits of a worker: writers, heads, keys, entries, files that are open", async () => {
    const { end, store } = await open({ writersMax: 2, headBytesMax: 1000, entryBytesMax: 100_000, readersMax: 2 })
    const writers = [1, 2].map(n => end.begin(keyOf(`${n}`), Buffer.from("h"), 5, [])!)
    expect(end.begin(keyOf("3"), Buffer.from("h"), 5, [])).toBeNull()
    for (const writer of writers) writer.abort()
    expect(end.begin(keyOf("head"), Buffer.alloc(1001), 5, [])).toBeNull()
    expect(end.begin(keyOf("labels"), Buffer.from("h"), 5, ["x".repeat(1001)])).toBeNull()
    expect(end.begin(keyOf("entry"), Buffer.from("h"), 100_000, [])).toBeNull()
    expect(end.begin(keyOf("x".repeat(70_000)), Buffer.from("h"), 5, [])).toBeNull()
    expect(end.begin(new Key("http://shop.example/\u1234", ""), Buffer.from("h"), 5, [])).toBeNull()
    expect(store.stats().counts.refused).toBe(6)
    const growing = end.begin(keyOf("grows"), Buffer.from("h"), -1, [])!
    await writeAll(growing, octetsOf("x", 120_000), 10_000)
    expect(growing.failed).toBe(true)
    expect(await put(end, keyOf("a"), octetsOf("a", 50_000))).toBe(true)
    const both = [(await end.load(keyOf("a")))!, (await end.load(keyOf("a")))!]
    expect(await end.load(keyOf("a"))).toBeNull()
    both[0]!.close()
    expect((await get(end, keyOf("a")))!.body).toHaveLength(50_000)
    both[1]!.close()
  })

  test("all is for the owner alone, and no name comes from a key", async () => {
    const { end, path } = await open({ path: join(temporaryFolder("disk-store"), "made", "below") })
    for (const name of ["../../../../etc/passwd", "/etc/passwd", "a\0b", "..", "x".repeat(5000)]) {
      expect(await put(end, keyOf(name), Buffer.from(name))).toBe(true)
      expect((await get(end, keyOf(name)))!.body!.toString()).toBe(name)
    }
    const writer = end.begin(keyOf("temporary"), Buffer.from("h"), -1, [])!
    await writeAll(writer, octetsOf("x", 200_000))
    const entries = filesIn(join(path, "entries"))
    expect(entries).toHaveLength(5)
    for (const file of entries) expect(file.slice(path.length)).toMatch(/^\/entries\/[0-9a-f]\/[0-9a-f]{2}\/[0-9a-f]{32}$/)
    for (const entry of [path, ...readdirSync(path, { recursive: true, encoding: "utf8" }).map(name => join(path, name))]) {
      const stat = statSync(entry)
      expect([entry, stat.mode & 0o777]).toEqual([entry, stat.isDirectory() ? 0o700 : 0o600])
    }
    writer.abort()
  })

  test("what was replaced often is gone when it is removed once", async () => {
    const { end, store } = await open()
    await until(() => store.stats().state === "ready")
    for (let n = 0; n < 5; n++) expect(await put(end, keyOf("a"), Buffer.from(`${n}`))).toBe(true)
    expect(store.stats().entries).toBe(1)
    expect(await end.remove(keyOf("a"))).toBe(true)
    expect(end.mayHave(keyOf("a"))).toBe(false)
  })

  test("a file that is not what its writer says is not stored", async () => {
    const { end, path, store } = await open()
    const writer = end.begin(keyOf("a"), Buffer.from("h"), BLOCK, [])!
    await writeAll(writer, octetsOf("a", BLOCK))
    await until(() => filesIn(join(path, "temp")).some(file => statSync(file).size > BLOCK + CHECK))
    truncateSync(filesIn(join(path, "temp"))[0]!, 5000)
    expect(await writer.commit()).toBe(false)
    expect(store.stats().counts.writeFaults).toBe(1)
    expect(filesIn(path).filter(file => !/\/(?:lock|index\.[^/]+)$/.test(file))).toEqual([])
  })

  test("nothing is written before there is room for it", async () => {
    const { path, store } = await open()
    // The scan ends with removing files of writers that the keeper does not know.
    await until(() => store.stats().state === "ready")
    const { settings, shared } = store.attachment(1)
    const { port1, port2 } = new MessageChannel()
    const lone = attachDiskStore({ shared, port: port2, settings: { ...settings } }, 1)
    const asked: FromWorker[] = []
    port1.on("message", (message: FromWorker) => void asked.push(message))
    const writer = lone.begin(keyOf("a"), Buffer.from("h"), 300_000, [])!
    await writeAll(writer, octetsOf("a", 300_000))
    await pause(50)
    expect(filesIn(join(path, "temp"))).toEqual([])
    expect(asked.map(({ type }) => type)).toEqual(["begin"])
    port1.postMessage({ type: "granted", ticket: writer.ticket, bytes: 100_000 })
    await until(() => filesIn(join(path, "temp")).length === 1)
    await pause(50)
    expect(statSync(filesIn(join(path, "temp"))[0]!).size).toBeLessThanOrEqual(100_000)
    port1.postMessage({ type: "granted", ticket: writer.ticket, bytes: 400_000 })
    await until(() => writer.written === 300_000)
    writer.abort()
    port1.close()
  })

  test("a table of keys answers for what is not there: no message and no file is needed", async () => {
    const opens: string[] = []
    const path = temporaryFolder("disk-store")
    const counted = (file: string): Promise<number> => {
      opens.push(file)
      return fileCalls.open(file)
    }
    const made = await openStore({ path, bytes: 50 * MB }, { files: { open: counted } })
    opened.push(made)
    await until(() => made.store.stats().state === "ready")
    expect(await put(made.end, keyOf("there"), Buffer.from("x"))).toBe(true)
    for (let n = 0; n < 1000; n++) expect(await made.end.load(keyOf(`missing ${n}`))).toBeNull()
    expect(opens.length).toBeLessThanOrEqual(1)
    expect(await get(made.end, keyOf("there"))).not.toBeNull()
    expect(made.store.stats().counts).toMatchObject({ misses: 1000, hits: 1, stored: 1 })
  })
})
