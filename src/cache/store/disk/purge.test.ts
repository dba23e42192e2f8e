import { afterEach, describe, expect, test } from "bun:test"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import type { PurgeTarget } from "../contract.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { get, keyOf, octetsOf, openStore, put, type TestStore, untilState, writeAll } from "./disk.fixture.ts"
import type { AttachedDiskStore } from "./disk-contract.ts"

const opened: { close(): void | Promise<void> }[] = []

async function open(options: { path?: string; scanPauseMs?: number } = {}): Promise<TestStore & { other: AttachedDiskStore; path: string }> {
  const path = options.path ?? temporaryFolder("disk-store")
  const made = await openStore({ bytes: 50_000_000, ...options, path })
  const other = attachDiskStore(made.store.attachment(1), 1)
  opened.unshift(other, made)
  return { ...made, other, path }
}

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

const names = ["shop/1", "shop/2", "blog/1", "blog/2"]
async function fill(end: AttachedDiskStore): Promise<void> {
  for (const name of names)
    for (const variant of ["|a", "|b"]) expect(await put(end, keyOf(name, variant), octetsOf(name, 500), [name.slice(0, 4), variant])).toBe(true)
}

/** `name|variant` of what is there; "!" behind those that are marked. */
async function there(end: AttachedDiskStore): Promise<string[]> {
  const found: string[] = []
  for (const name of names) {
    for (const variant of ["|a", "|b"]) {
      const entry = await get(end, keyOf(name, variant))
      if (entry !== null) found.push(`${name}${variant}${entry.marked ? "!" : ""}`)
    }
  }
  return found
}

const targets: [PurgeTarget, string[]][] = [
  [{ by: "group", group: keyOf("shop/1").group }, ["shop/1|a", "shop/1|b"]],
  [{ by: "prefix", prefix: "http://shop.example/blog/" }, ["blog/1|a", "blog/1|b", "blog/2|a", "blog/2|b"]],
  [{ by: "prefix", prefix: "http://shop.example/shop/1|" }, []],
  [{ by: "label", label: "|b" }, ["shop/1|b", "shop/2|b", "blog/1|b", "blog/2|b"]],
  [{ by: "label", label: "shop" }, ["shop/1|a", "shop/1|b", "shop/2|a", "shop/2|b"]],
  [{ by: "all" }, ["shop/1|a", "shop/1|b", "shop/2|a", "shop/2|b", "blog/1|a", "blog/1|b", "blog/2|a", "blog/2|b"]],
]
const everything = ["shop/1|a", "shop/1|b", "shop/2|a", "shop/2|b", "blog/1|a", "blog/1|b", "blog/2|a", "blog/2|b"]

describe("purges", () => {
  for (const [target, meant] of targets) {
    test(`by ${JSON.stringify(target)}: removes and marks what is meant, nothing else, also after a restart`, async () => {
      const first = await open()
      await fill(first.end)
      expect(await first.store.purge(target, true)).toBe(meant.length)
      const marked = everything.map(each => (meant.includes(each) ? `${each}!` : each))
      expect(await there(first.other)).toEqual(marked)
      for (const each of opened.splice(0)) await each.close()
      const second = await open({ path: first.path })
      // There may be files that the index does not know and that were meant: nothing is looked up before it is loaded.
      await untilState(second.store, "ready")
      expect(await there(second.end)).toEqual(marked)
      expect((await second.store.list(target, 100)).map(({ marked }) => marked)).toEqual(meant.map(() => true))
      expect(await second.store.purge(target, false)).toBe(meant.length)
      expect(await there(second.end)).toEqual(everything.filter(each => !meant.includes(each)))
      expect(await second.store.list(target, 100)).toEqual([])
      expect(second.store.stats().entries).toBe(8 - meant.length)
      expect(second.store.stats().counts.purged).toBe(meant.length)
    })

    test(`by ${JSON.stringify(target)}: dooms writers that began before, of all threads, and no younger one`, async () => {
      const { store, end, other } = await open()
      const writers = everything.map((each, at) => {
        const [name, variant] = each.split("|") as [string, string]
        return [end, other][at % 2]!.begin(keyOf(name, `|${variant}`), Buffer.from("h"), 1, [name.slice(0, 4), `|${variant}`])!
      })
      for (const writer of writers) writer.write(Buffer.from("x"))
      // The keeper hears of this before it hears of the writers, or after: both are tried.
      const purged = store.purge(target, meant.length % 4 === 0)
      const young = end.begin(keyOf("shop/1", "|a"), Buffer.from("young"), 1, ["shop", "|a"])!
      young.write(Buffer.from("y"))
      await purged
      const stored = await Promise.all(writers.map(writer => writer.commit()))
      expect(everything.filter((_, at) => !stored[at])).toEqual(meant)
      expect(await young.commit()).toBe(true)
      expect((await get(end, keyOf("shop/1", "|a")))!.head).toBe("young")
      expect(store.stats().counts.doomed).toBe(meant.length)
    })
  }

  test("a purge that is heard of before the writer that began earlier dooms it all the same", async () => {
    const { store, end, other } = await open()
    for (let round = 0; round < 50; round++) {
      // The writer's end holds its messages back for a while, as a busy thread would: here by the order of ports.
      const writer = other.begin(keyOf("shop/1"), Buffer.from("h"), 1, [])!
      const removed = round % 2 === 0 ? end.removeGroup(keyOf("shop/1"), false) : store.purge({ by: "all" }, false)
      writer.write(Buffer.from("x"))
      await removed
      expect(await writer.commit()).toBe(false)
    }
    expect(store.stats().entries).toBe(0)
  })

  test("by a worker: a key, a group, a mark", async () => {
    const { end, other } = await open()
    await fill(end)
    expect(await end.remove(keyOf("shop/1", "|a"))).toBe(true)
    expect(await end.remove(keyOf("shop/1", "|a"))).toBe(false)
    expect(await end.removeGroup(keyOf("blog/1"), true)).toBe(2)
    expect(await other.removeGroup(keyOf("blog/2"), false)).toBe(2)
    expect(await there(other)).toEqual(["shop/1|b", "shop/2|a", "shop/2|b", "blog/1|a!", "blog/1|b!"])
    const writer = other.begin(keyOf("shop/2", "|a"), Buffer.from("h"), 1, [])!
    writer.write(Buffer.from("x"))
    await end.remove(keyOf("shop/2", "|a"))
    expect(await writer.commit()).toBe(false)
    expect(await end.load(keyOf("shop/2", "|a"))).toBeNull()
  })

  test("what is stored anew is not marked", async () => {
    const { store, end } = await open()
    await fill(end)
    await store.purge({ by: "all" }, true)
    expect(await put(end, keyOf("shop/1", "|a"), Buffer.from("new"))).toBe(true)
    expect((await there(end))[0]).toBe("shop/1|a")
  })

  test("thousands of entries, in slices, while others are stored", async () => {
    const { store, end } = await open()
    const count = 900
    const batch = (from: number, to: number) =>
      Promise.all(Array.from({ length: to - from }, (_, n) => put(end, keyOf(`n/${from + n}`), Buffer.from("x"))))
    for (let n = 0; n < count; n += 50) expect((await batch(n, n + 50)).every(Boolean)).toBe(true)
    const purged = store.purge({ by: "prefix", prefix: keyOf("n/").group }, false)
    // Answered behind the purge's first slice.
    await store.list({ by: "group", group: "" }, 1)
    expect(await put(end, keyOf("n/young"), Buffer.from("x"))).toBe(true)
    expect(await purged).toBe(count)
    expect(store.stats().entries).toBe(1)
    expect(await get(end, keyOf("n/young"))).not.toBeNull()
    expect((await store.list({ by: "all" }, 10)).map(({ key }) => key)).toEqual([keyOf("n/young").text])
  })

  test("lists what is there, up to a limit", async () => {
    const { store, end } = await open()
    await fill(end)
    expect(await store.list({ by: "all" }, 3)).toHaveLength(3)
    expect(await store.list({ by: "all" }, 0)).toEqual([])
    const [entry] = await store.list({ by: "group", group: keyOf("blog/2").group }, 1)
    const { key, group, bodyLength, marked, tier } = entry!
    expect([key, group, bodyLength, marked, tier]).toEqual([keyOf("blog/2", "|a").text, keyOf("blog/2").group, 500, false, "disk"])
    expect(Buffer.from(entry!.head).toString()).toBe(keyOf("blog/2", "|a").text)
  })
})

describe("a new head", () => {
  test("replaces the old one, with its labels, and takes the mark away; body and version stay", async () => {
    const { store, end, other } = await open()
    const key = keyOf("a")
    const body = octetsOf("a", 600_000)
    expect(await put(end, key, body, ["old"])).toBe(true)
    await store.purge({ by: "label", label: "old" }, true)
    const { version } = (await get(end, key))!
    for (const head of ["fresh", "fresher", "x".repeat(5000), "short again"]) {
      expect(await other.updateHead(key, version, Buffer.from(head), ["new"])).toBe(true)
      const found = (await get(end, key))!
      expect([found.head, found.marked, found.version]).toEqual([head, false, version])
      expect(found.body!.equals(body)).toBe(true)
    }
    expect(await store.purge({ by: "label", label: "old" }, true)).toBe(0)
    expect(await store.purge({ by: "label", label: "new" }, true)).toBe(1)
    expect(store.stats()).toMatchObject({ entries: 1, reserved: 0, writers: 0 })
  })

  test("does not land on another body, nor on one that was purged since", async () => {
    const { store, end, other } = await open()
    const key = keyOf("a")
    expect(await put(end, key, Buffer.from("one"))).toBe(true)
    const { version } = (await get(end, key))!
    expect(await put(other, key, Buffer.from("two"))).toBe(true)
    expect(await end.updateHead(key, version, Buffer.from("of one"), [])).toBe(false)
    const second = (await get(end, key))!
    expect([second.head, second.body!.toString()]).toEqual([key.text, "two"])
    const marked = store.purge({ by: "all" }, true)
    await marked
    expect(await end.updateHead(key, second.version, Buffer.from("fresh"), [])).toBe(true)
    const late = end.updateHead(key, second.version, Buffer.from("late"), [])
    await store.purge({ by: "all" }, true)
    await late
    expect((await get(end, key))!.marked).toBe(true)
    expect(await end.updateHead(keyOf("none"), 5, Buffer.from("x"), [])).toBe(false)
  })

  test("survives a restart, also one that needed a copy", async () => {
    const first = await open()
    expect(await put(first.end, keyOf("a"), octetsOf("a", 5000))).toBe(true)
    const { version } = (await get(first.end, keyOf("a")))!
    expect(await first.end.updateHead(keyOf("a"), version, Buffer.from("y".repeat(3000)), ["l"])).toBe(true)
    for (const each of opened.splice(0)) await each.close()
    const second = await open({ path: first.path })
    expect((await get(second.end, keyOf("a")))!.head).toBe("y".repeat(3000))
    expect(await second.store.purge({ by: "label", label: "l" }, false)).toBe(1)
  })
})

describe("purges and the memory of them", () => {
  test("are forgotten once every worker has answered, so that they do not pile up", async () => {
    const { DiskKeeper } = await import("./keeper/disk-keeper.ts")
    const { keeperFiles } = await import("./keeper/keeper-files.ts")
    const { diskSettings } = await import("./disk-settings.ts")
    const { SharedState } = await import("./shared-state.ts")
    const { MessageChannel } = await import("node:worker_threads")
    const settings = diskSettings({ path: temporaryFolder("disk-store"), bytes: 1_000_000, keySeed: 0x5eed, workersMax: 2 })
    const shared = new SharedState(settings, null)
    const keeper = new DiskKeeper(settings, shared.buffer, () => {}, keeperFiles)
    keeper.start()
    const { port1, port2 } = new MessageChannel()
    keeper.hearControl({ type: "attach", self: 0, port: port1 })
    const end = attachDiskStore({ shared: shared.buffer, port: port2, settings }, 0)
    for (let n = 0; n < 100; n++) await end.removeGroup(keyOf(`${n}`), false)
    expect(keeper.book.remembered).toBeGreaterThan(0)
    await until(() => keeper.book.remembered === 0)
    const writer = end.begin(keyOf("1"), Buffer.from("h"), 0, [])!
    expect(await writer.commit()).toBe(true)
    await writeAll(writer, Buffer.alloc(0))
    end.close()
    keeper.hearControl({ type: "close" })
  })

  test("wait for the scan's files too: what a purge before meant does not come back", async () => {
    const first = await open()
    await fill(first.end)
    await untilState(first.store, "ready")
    for (const each of opened.splice(0)) await each.close()
    const { rmSync } = await import("node:fs")
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${first.path}/index.sqlite${suffix}`, { force: true })
    const second = await open({ path: first.path })
    await second.store.purge({ by: "label", label: "shop" }, false)
    await second.store.purge({ by: "group", group: keyOf("blog/1").group }, true)
    expect((await there(second.other)).filter(each => each.startsWith("shop"))).toEqual([])
    await untilState(second.store, "ready")
    expect(await there(second.end)).toEqual(["blog/1|a!", "blog/1|b!", "blog/2|a", "blog/2|b"])
    expect(second.store.stats().entries).toBe(4)
  })
})

test("heads that change all the time are read whole, each of them", async () => {
  const { store, end, other } = await open()
  const key = keyOf("a")
  expect(await put(end, key, octetsOf("a", 50_000))).toBe(true)
  const { version } = (await get(end, key))!
  let changing = true
  const changes = (async () => {
    for (let n = 0; n < 300; n++) expect(await other.updateHead(key, version, Buffer.from(String(n % 10).repeat(100)), [])).toBe(true)
    changing = false
  })()
  let read = 0
  while (changing) {
    const found = (await get(end, key))!
    expect(found.head === key.text || found.head === found.head[0]!.repeat(100)).toBe(true)
    read++
  }
  await changes
  expect(read).toBeGreaterThan(10)
  expect(store.stats().counts.damageFaults).toBe(0)
})
