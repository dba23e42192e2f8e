import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { isHit, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// Octets of two representations never stand in one answer (RFC 9111 section 3.4).
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

/** Numbers of the slices that are stored. */
async function stored(target: string): Promise<number[]> {
  const keys = await world.entries(target)
  return keys.flatMap(key => /slice(\d+)$/.exec(key)?.[1] ?? []).map(Number)
}

describe("the origin's file changes between slices", () => {
  test("a download that has begun is cut, what is old goes, and the next one is the new file", async () => {
    world.origin.put("/cut", 6 * MB)
    await world.ask("/cut", { range: `bytes=0-${2 * MB - 1}` })
    const { body } = world.origin.put("/cut", 6 * MB)
    await expect(world.ask("/cut")).rejects.toThrow()
    await until(async () => !(await stored("/cut")).some(number => number < 2))
    const whole = await world.ask("/cut")
    expect([whole.status, whole.body.equals(body)]).toEqual([200, true])
  })

  test("the same length, and a date for a validator", async () => {
    const fields = (date: string): Record<string, string> => ({ "cache-control": "max-age=600", "last-modified": date })
    world.origin.put("/dated", 4 * MB, { etag: null, fields: fields("Tue, 01 Jul 2025 10:00:00 GMT") })
    await world.ask("/dated", { range: "bytes=0-99" })
    const { body } = world.origin.put("/dated", 4 * MB, { etag: null, fields: fields("Tue, 01 Jul 2025 10:00:01 GMT") })
    await expect(world.ask("/dated")).rejects.toThrow()
    expect((await world.ask("/dated")).body.equals(body)).toBe(true)
    expect(isHit(await world.ask("/dated"))).toBe(true)
  })

  test("the same tag, and another length", async () => {
    world.origin.put("/longer", 4 * MB, { etag: '"always"' })
    await world.ask("/longer", { range: "bytes=0-99" })
    const { body } = world.origin.put("/longer", 5 * MB, { etag: '"always"' })
    await expect(world.ask("/longer")).rejects.toThrow()
    expect((await world.ask("/longer")).body.equals(body)).toBe(true)
  })

  test("it is small now, or gone: cut, and then what it is", async () => {
    world.origin.put("/shrinks", 4 * MB)
    await world.ask("/shrinks", { range: "bytes=0-99" })
    const { body } = world.origin.put("/shrinks", 1000)
    await expect(world.ask("/shrinks")).rejects.toThrow()
    expect((await world.ask("/shrinks")).body.equals(body)).toBe(true)
    world.origin.put("/goes", 4 * MB)
    await world.ask("/goes", { range: "bytes=0-99" })
    delete world.origin.files["/goes"]
    await expect(world.ask("/goes")).rejects.toThrow()
    expect((await world.ask("/goes")).status).toBe(404)
  })

  test("nothing has left yet: it begins again with the new one", async () => {
    world.origin.put("/tail", 4 * MB + 9)
    await world.ask("/tail", { range: "bytes=0-9" })
    const { body, etag } = world.origin.put("/tail", 6 * MB + 9)
    // The old length puts it into slice 4, which shows the new one.
    const got = await world.ask("/tail", { range: "bytes=-5" })
    expect([got.status, got.fields.etag, got.body.equals(body.subarray(6 * MB + 4))]).toEqual([206, etag!, true])
    expect((await world.ask("/tail")).body.equals(body)).toBe(true)
  })

  test("nor has it where the last slice is an old one: that is fetched anew", async () => {
    world.origin.put("/old-tail", 4 * MB + 9)
    await world.ask("/old-tail", { range: `bytes=${4 * MB}-` })
    const { body } = world.origin.put("/old-tail", 4 * MB + 9)
    const got = await world.ask("/old-tail", { range: "bytes=-5" })
    expect([got.status, got.body.equals(body.subarray(4 * MB + 4))]).toEqual([206, true])
    expect(world.origin.rangesOf("/old-tail")).toEqual([...slicesFrom(4, 4), ...slicesFrom(0, 0), ...slicesFrom(4, 4)])
  })

  test("If-Range by the new tag, where the old one is stored: the whole of the new one", async () => {
    world.origin.put("/if", 3 * MB)
    await world.ask("/if", { range: "bytes=0-9" })
    const { body, etag } = world.origin.put("/if", 3 * MB)
    const got = await world.ask("/if", { range: `bytes=${2 * MB}-`, "if-range": etag! })
    expect([got.status, got.body.equals(body.subarray(2 * MB))]).toEqual([206, true])
  })

  test("what is left of an older one is fetched anew, and nothing is cut", async () => {
    const { body: old } = world.origin.put("/mixed", 5 * MB)
    await world.ask("/mixed", { range: `bytes=${3 * MB}-` })
    const { body } = world.origin.put("/mixed", 5 * MB)
    // Slices 3 and 4 are old and fresh, and there is no telling.
    const part = await world.ask("/mixed", { range: `bytes=${4 * MB}-` })
    expect(part.body.equals(old.subarray(4 * MB))).toBe(true)
    const whole = await world.ask("/mixed")
    expect([whole.status, whole.body.equals(body)]).toEqual([200, true])
    expect(world.origin.rangesOf("/mixed")).toEqual([...slicesFrom(3, 4), ...slicesFrom(0, 4)])
    expect(isHit(await world.ask("/mixed"))).toBe(true)
  })

  test("again and again: no answer that is whole is of two", async () => {
    let { body } = world.origin.put("/restless", 3 * MB)
    const bodies = [body]
    let whole = 0
    for (let i = 0; i < 30; i++) {
      if (i % 4 === 1) {
        body = world.origin.put("/restless", 3 * MB).body
        bodies.push(body)
      }
      const got = await world.ask("/restless", i % 3 === 0 ? { range: `bytes=${MB * (i % 2)}-${MB * (1 + (i % 2)) + 5}` } : {}).catch(() => null)
      if (got === null) continue
      whole++
      const from = got.status === 206 ? MB * (i % 2) : 0
      expect(bodies.some(each => each.subarray(from, from + got.body.length).equals(got.body))).toBe(true)
    }
    expect(whole).toBeGreaterThan(15)
  })
})

describe("a purge", () => {
  test("takes all slices along, by URL, by tag and after a request that changes it", async () => {
    const file = world.origin.put("/purged", 5 * MB)
    file.fields["cache-tag"] = "films"
    const fill = async (): Promise<void> => {
      expect((await world.ask("/purged")).body.equals(world.origin.files["/purged"]!.body)).toBe(true)
      await until(async () => (await stored("/purged")).length === 5)
    }
    await fill()
    expect([await world.purge("url=http://a.test/purged"), await stored("/purged")]).toEqual([5, []])
    await fill()
    expect([await world.purge("tag=films"), await stored("/purged")]).toEqual([5, []])
    await fill()
    file.script = ({ method }, response) => {
      if (method !== "PUT") return false
      response.writeHead(204).end()
      return true
    }
    await world.ask("/purged", {}, "PUT")
    expect(await stored("/purged")).toEqual([])
    world.origin.put("/purged", 5 * MB)
    await fill()
  })

  test("while it is read: what is not changed goes on, and what was under way is not found later", async () => {
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>()
    const { promise: goOn, resolve: letGo } = Promise.withResolvers<void>()
    const file = world.origin.put("/meanwhile", 3 * MB)
    file.script = async ({ headers }) => {
      if (!headers.range?.startsWith(`bytes=${MB}-`)) return false
      isAsked()
      await goOn
      return false
    }
    const whole = world.ask("/meanwhile")
    await asked
    await world.purge("url=http://a.test/meanwhile")
    letGo()
    expect((await whole).body.equals(file.body)).toBe(true)
    expect(await stored("/meanwhile")).toEqual([2])
  })

  test("while it is asked for, and it turns out that it cannot be cut: it is not stored", async () => {
    for (const [target, change] of [
      ["/late-whole", { ranges: false }],
      ["/late-small", {}],
    ] as const) {
      const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>()
      const { promise: goOn, resolve: letGo } = Promise.withResolvers<void>()
      const file = world.origin.put(target, target === "/late-small" ? 5000 : 2 * MB, change)
      file.script = async () => {
        isAsked()
        await goOn
        return false
      }
      const whole = world.ask(target)
      await asked
      await world.purge(`url=http://a.test${target}`)
      letGo()
      expect((await whole).body.equals(file.body)).toBe(true)
      // For the small one the client that waited has caused another request, whose answer may be stored.
      await world.ask(target)
      expect(world.origin.rangesOf(target)).toEqual([...slicesFrom(0, 0), ""])
    }
  })
})
