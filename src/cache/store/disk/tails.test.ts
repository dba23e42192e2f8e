import { afterEach, describe, expect, test } from "bun:test"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { attachDiskStore } from "./attach-disk-store.ts"
import { keyOf, octetsOf, openStore, type TestStore, writeAll } from "./disk.fixture.ts"
import { type AttachedDiskStore, type DiskTail, TAIL_FAILED, TAIL_GROWING, TAIL_WHOLE } from "./disk-contract.ts"

const MB = 1_000_000
let closers: (() => void | Promise<void>)[] = []

async function open(): Promise<TestStore & { other: AttachedDiskStore }> {
  const made = await openStore({ path: temporaryFolder("disk-store"), bytes: 50 * MB })
  // Another end does not know the first one's writers: to it they are another thread's.
  const other = attachDiskStore(made.store.attachment(1), 1)
  closers = [() => other.close(), () => made.close()]
  return { ...made, other }
}

afterEach(async () => {
  for (const close of closers) await close()
})

/** Reads to the end, as it comes. */
async function readTail(tail: DiskTail): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let at = 0
  while (true) {
    const piece = await tail.read(at, 50_000)
    if (piece === null) throw new Error(`read failed at ${at}`)
    pieces.push(piece)
    at += piece.length
    if (piece.length > 0) continue
    if (tail.state !== TAIL_GROWING && at === tail.written) return Buffer.concat(pieces)
    if (at === tail.written) await new Promise<void>(resolve => tail.watch(resolve))
  }
}

describe("tails", () => {
  test("read along from the first octet to the last, in the writer's thread and in others", async () => {
    const { end, other } = await open()
    const body = octetsOf("body", 2 * MB)
    for (const known of [true, false]) {
      const key = keyOf("a", `${known}`)
      const writer = end.begin(key, Buffer.from("head"), known ? body.length : -1, [])!
      const tail = writer.tail()
      expect([tail.written, tail.state, tail.bodyLength]).toEqual([0, TAIL_GROWING, known ? body.length : -1])
      const own = readTail(tail)
      const theirs = other.follow(key, writer.ticket).then(async followed => {
        expect(Buffer.from(followed!.head).toString()).toBe("head")
        expect(followed!.bodyLength).toBe(known ? body.length : -1)
        const all = await readTail(followed!)
        expect([followed!.state, followed!.bodyLength]).toEqual([TAIL_WHOLE, body.length])
        followed!.close()
        return all
      })
      for (let at = 0; at < body.length; at += 200_000) {
        await writeAll(writer, body.subarray(at, at + 200_000))
        await new Promise(resolve => setTimeout(resolve, 3))
      }
      expect(await writer.commit()).toBe(true)
      expect((await own).equals(body)).toBe(true)
      expect([tail.state, tail.bodyLength]).toEqual([TAIL_WHOLE, body.length])
      expect((await theirs).equals(body)).toBe(true)
      tail.close()
    }
  })

  test("a few octets are there soon, without a block being full", async () => {
    const { end, other } = await open()
    const writer = end.begin(keyOf("slow"), Buffer.from("head"), -1, [])!
    writer.write(Buffer.from("abc"))
    const followed = (await other.follow(keyOf("slow"), writer.ticket))!
    await until(() => writer.written === 3)
    const tail = writer.tail()
    expect(Buffer.from((await tail.read(0, 100))!).toString()).toBe("abc")
    if (followed.written < 3) await new Promise<void>(resolve => followed.watch(resolve))
    expect(Buffer.from((await followed.read(1, 100))!).toString()).toBe("bc")
    expect(await followed.read(3, 100)).toHaveLength(0)
    expect(await tail.read(3, 100)).toHaveLength(0)
    tail.close()
    followed.close()
    writer.abort()
  })

  test("of a writer that fails end as failed, with what was written to read", async () => {
    const { end, other } = await open()
    const key = keyOf("fails")
    const writer = end.begin(key, Buffer.from("head"), -1, [])!
    await writeAll(writer, octetsOf("x", 100_000))
    await until(() => writer.written === 100_000)
    const tail = writer.tail()
    const followed = (await other.follow(key, writer.ticket))!
    const changed = Promise.all([tail, followed].map(each => new Promise<void>(resolve => each.watch(resolve))))
    writer.abort()
    await changed
    for (const each of [tail, followed]) {
      expect([each.state, each.written]).toEqual([TAIL_FAILED, 100_000])
      expect((await readTail(each)).equals(octetsOf("x", 100_000))).toBe(true)
      each.close()
    }
    expect(await other.follow(key, writer.ticket)).toBeNull()
    expect(await end.follow(key, writer.ticket)).toBeNull()
  })

  test("of a writer that a purge dooms end whole: who reads along is served", async () => {
    const { store, end, other } = await open()
    const key = keyOf("doomed")
    const writer = end.begin(key, Buffer.from("head"), -1, [])!
    const tail = writer.tail()
    await writeAll(writer, octetsOf("x", 300_000))
    const followed = (await other.follow(key, writer.ticket))!
    await store.purge({ by: "all" }, false)
    await writeAll(writer, octetsOf("y", 300_000))
    expect(await writer.commit()).toBe(false)
    for (const each of [tail, followed]) {
      expect((await readTail(each)).equals(Buffer.concat([octetsOf("x", 300_000), octetsOf("y", 300_000)]))).toBe(true)
      expect(each.state).toBe(TAIL_WHOLE)
      each.close()
    }
  })

  test("find the file under its last name, and know the writer's end when its place is taken by others", async () => {
    const { end, other } = await open()
    const key = keyOf("renamed")
    const writer = end.begin(key, Buffer.from("head"), -1, [])!
    await writeAll(writer, octetsOf("x", 70_000))
    const early = (await other.follow(key, writer.ticket))!
    expect(await writer.commit()).toBe(true)
    const late = (await other.follow(key, writer.ticket))!
    for (let n = 0; n < 200; n++) {
      const next = end.begin(keyOf(`${n}`), Buffer.from("head"), -1, [])!
      next.write(Buffer.from("z"))
      expect(await next.commit()).toBe(true)
    }
    for (const each of [early, late]) {
      if (each.state === TAIL_GROWING) await new Promise<void>(resolve => each.watch(resolve))
      expect(each.state).toBe(TAIL_WHOLE)
      expect((await readTail(each)).equals(octetsOf("x", 70_000))).toBe(true)
      each.close()
    }
  })

  test("no file is left open", async () => {
    const { readdirSync, readlinkSync } = await import("node:fs")
    if (process.platform !== "linux") return expect(process.platform).not.toBe("linux")
    const { end, other } = await open()
    const openFiles = (): number =>
      readdirSync("/proc/self/fd").filter(fd => {
        try {
          return /\/(?:temp|entries)\//.test(readlinkSync(`/proc/self/fd/${fd}`))
        } catch {
          return false
        }
      }).length
    for (let n = 0; n < 20; n++) {
      const writer = end.begin(keyOf(`${n}`), Buffer.from("head"), -1, [])!
      const tails = [writer.tail(), writer.tail()]
      await writeAll(writer, octetsOf("x", 150_000))
      const followed = await other.follow(keyOf(`${n}`), writer.ticket)
      if (n % 2 === 0) await writer.commit()
      else writer.abort()
      for (const tail of tails) tail.close()
      followed?.close()
      const entry = await end.load(keyOf(`${n}`))
      const reading = entry?.read(0, 10)
      entry?.close()
      await reading
    }
    await until(() => openFiles() === 0)
  })
})
