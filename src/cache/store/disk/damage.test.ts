import { afterEach, describe, expect, test } from "bun:test"
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { temporaryFolder } from "../../../../test/support/processes.ts"
import { until } from "../../../../test/support/wait.ts"
import { Random } from "../../../base/index.ts"
import type { Key } from "../key.ts"
import { type Faults, get, keyOf, octetsOf, openStore, put, readBody, type TestStore, untilState } from "./disk.fixture.ts"
import { nameOf, pathOf } from "./entry-name.ts"
import { fileCalls } from "./file-calls.ts"
import { BLOCK } from "./file-layout.ts"

const opened: TestStore[] = []

async function open(faults: Faults = {}, at = temporaryFolder("disk-store")): Promise<TestStore & { path: string; fileOf(key: Key): string }> {
  const made = await openStore({ path: at, bytes: 50_000_000 }, faults)
  opened.push(made)
  return { ...made, path: at, fileOf: key => pathOf(at, nameOf(key.text)) }
}

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

const key = keyOf("a")
const other = keyOf("b")
const body = octetsOf("a", 2 * BLOCK + 1000)

describe("damaged files", () => {
  const ways: [string, (file: string, foreign: string) => void][] = [
    ["cut off in the body", file => truncateSync(file, BLOCK)],
    ["cut off by one octet", file => truncateSync(file, readFileSync(file).length - 1)],
    ["cut off in the head", file => truncateSync(file, 70)],
    ["empty", file => truncateSync(file, 0)],
    ["longer by one octet", file => writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(1)]))],
    ["zeros, as long as it was", file => writeFileSync(file, Buffer.alloc(readFileSync(file).length))],
    ["another's file", (file, foreign) => copyFileSync(foreign, file)],
    ["something else", file => writeFileSync(file, "#!/bin/sh\necho hello\n".repeat(100))],
    ["a link to elsewhere", replaceByLink],
    ["a folder", replaceByFolder],
  ]
  for (const [what, damage] of ways) {
    test(`${what}: a miss, a fault, and the file is gone`, async () => {
      const { end, store, fileOf } = await open()
      expect(await put(end, key, body)).toBe(true)
      expect(await put(end, other, octetsOf("b", 5000))).toBe(true)
      damage(fileOf(key), fileOf(other))
      expect(await end.load(key)).toBeNull()
      expect(store.stats().counts).toMatchObject({ damageFaults: 1, readFaults: 0 })
      await until(() => !existsSync(fileOf(key)) && store.stats().entries === 1)
      expect((await get(end, other))!.body!.equals(octetsOf("b", 5000))).toBe(true)
      // And the place can be used again.
      expect(await put(end, key, body)).toBe(true)
      expect((await get(end, key))!.body!.equals(body)).toBe(true)
    })
  }

  test("a flipped bit anywhere: never a wrong octet, and the entry goes when it is met", async () => {
    const { end, store, fileOf } = await open()
    const random = new Random(11)
    for (let round = 0; round < 60; round++) {
      expect(await put(end, key, body)).toBe(true)
      const octets = readFileSync(fileOf(key))
      // Half of the rounds in the head, where there is more to it.
      const at = random.below(round % 2 === 0 ? 700 : octets.length)
      octets[at]! ^= 1 << random.below(8)
      writeFileSync(fileOf(key), octets)
      const faults = store.stats().counts.damageFaults
      const found = await get(end, key)
      if (found === null || found.body === null) {
        expect(store.stats().counts.damageFaults).toBe(faults + 1)
        await until(() => !existsSync(fileOf(key)))
      } else {
        // The bit was in the mark, or in octets that mean nothing.
        expect([found.head, found.body.equals(body)]).toEqual([key.text, true])
      }
    }
    expect(store.stats().counts.damageFaults).toBeGreaterThan(30)
  })

  test("a block in the middle: what comes before it is served, the read there fails, the entry is gone", async () => {
    const { end, fileOf, store } = await open()
    expect(await put(end, key, body)).toBe(true)
    const octets = readFileSync(fileOf(key))
    octets[octets.length - BLOCK]! ^= 4
    writeFileSync(fileOf(key), octets)
    const entry = (await end.load(key))!
    expect(body.subarray(0, BLOCK).equals((await entry.read(0, BLOCK))!)).toBe(true)
    expect(await entry.read(BLOCK, BLOCK)).toBeNull()
    entry.close()
    await until(() => !existsSync(fileOf(key)))
    expect(await end.load(key)).toBeNull()
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0, counts: { damageFaults: 1 } })
  })

  test("two blocks of one file in each other's place, or a block of an older body, are noticed", async () => {
    const { end, fileOf } = await open()
    const twoAlike = Buffer.concat([octetsOf("same", BLOCK), octetsOf("different", BLOCK)])
    expect(await put(end, key, twoAlike)).toBe(true)
    const old = readFileSync(fileOf(key))
    const start = old.length - 2 * (BLOCK + 4)
    const [first, second] = [old.subarray(start, start + BLOCK + 4), old.subarray(start + BLOCK + 4)]
    writeFileSync(fileOf(key), Buffer.concat([old.subarray(0, start), second, first]))
    const swapped = (await end.load(key))!
    expect(await readBody(swapped)).toBeNull()
    swapped.close()
    await until(() => !existsSync(fileOf(key)))
    expect(await put(end, key, twoAlike)).toBe(true)
    const now = readFileSync(fileOf(key))
    writeFileSync(fileOf(key), Buffer.concat([now.subarray(0, start), first, now.subarray(start + BLOCK + 4)]))
    const mixed = (await end.load(key))!
    expect(await mixed.read(0, 10)).toBeNull()
    mixed.close()
  })

  test("zeros at the end, as a power cut leaves them, with the right length", async () => {
    const { end, fileOf } = await open()
    expect(await put(end, key, body)).toBe(true)
    const octets = readFileSync(fileOf(key))
    octets.fill(0, BLOCK + 8192)
    writeFileSync(fileOf(key), octets)
    const entry = (await end.load(key))!
    expect((await entry.read(0, 100))!.length).toBe(100)
    expect(await entry.read(BLOCK + 5, 100)).toBeNull()
    entry.close()
  })

  test("a sector that cannot be read: the read fails, the entry is gone, others are served", async () => {
    let bad = false
    const read: typeof fileCalls.read = (fd, into, at) =>
      bad && at > BLOCK ? Promise.reject(Object.assign(new Error("i/o error"), { code: "EIO" })) : fileCalls.read(fd, into, at)
    const { end, store, fileOf } = await open({ files: { read } })
    expect(await put(end, key, body)).toBe(true)
    expect(await put(end, other, octetsOf("b", 5000))).toBe(true)
    bad = true
    const entry = (await end.load(key))!
    expect((await entry.read(0, 10))!.length).toBe(10)
    expect(await entry.read(BLOCK, 10)).toBeNull()
    entry.close()
    await until(() => !existsSync(fileOf(key)))
    expect(await get(end, other)).not.toBeNull()
    expect(store.stats().counts).toMatchObject({ readFaults: 1, damageFaults: 1 })
  })

  test("files that are gone are misses, and their rows go", async () => {
    const { end, store, fileOf } = await open()
    await untilState(store, "ready")
    expect(await put(end, key, body)).toBe(true)
    rmSync(fileOf(key))
    expect(end.mayHave(key)).toBe(true)
    expect(await end.load(key)).toBeNull()
    await until(() => store.stats().entries === 0)
    expect(end.mayHave(key)).toBe(false)
    expect(store.stats()).toMatchObject({ bytes: 0, state: "ready" })
  })
})

function replaceByLink(file: string): void {
  rmSync(file)
  symlinkSync("/etc/passwd", file)
}

function replaceByFolder(file: string): void {
  rmSync(file)
  mkdirSync(`${file}/full/of`, { recursive: true })
}
