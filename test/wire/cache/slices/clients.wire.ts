import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rawClient } from "../../../support/raw-client.ts"
import { pause, until } from "../../../support/wait.ts"
import { isHit, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// Clients that are slow, leave or come together, and slices that break off.
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

const request = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`

describe("a client that does not read", () => {
  test("has no more fetched for it than what its connection takes and one slice", async () => {
    world.origin.put("/slow", 60 * MB)
    using client = await rawClient(world.port)
    client.pause()
    client.send(request("/slow"))
    await until(() => world.origin.rangesOf("/slow").length > 0)
    let before = -1
    // The kernel's buffers take some megabytes.
    while (before !== world.origin.rangesOf("/slow").length) {
      before = world.origin.rangesOf("/slow").length
      await pause(300)
    }
    expect(before).toBeLessThan(14)
    client.resume()
    await client.head()
    await client.bytes(60 * MB, 60_000)
    expect(world.origin.rangesOf("/slow")).toEqual(slicesFrom(0, 59))
  })

  test("and leaves: nothing more is fetched, and what was is stored", async () => {
    const { body } = world.origin.put("/leaves", 40 * MB)
    const client = await rawClient(world.port)
    client.pause()
    client.send(request("/leaves"))
    await until(() => world.origin.rangesOf("/leaves").length > 0)
    client.destroy()
    await pause(400)
    const before = world.origin.rangesOf("/leaves").length
    await pause(400)
    expect(world.origin.rangesOf("/leaves").length).toBe(before)
    const got = await world.ask("/leaves", { range: `bytes=0-${MB - 1}` })
    expect([got.body.equals(body.subarray(0, MB)), isHit(got)]).toEqual([true, true])
  })
})

describe("the slice behind the one that is read", () => {
  test("is asked for when half of that has been read, and not before", async () => {
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const file = world.origin.put("/ahead", 4 * MB)
    file.script = async ({ headers }, response) => {
      if (headers.range !== slicesFrom(0, 0)[0]) return false
      response.writeHead(206, { ...file.fields, etag: file.etag!, "content-range": `bytes 0-${MB - 1}/${4 * MB}`, "content-length": MB })
      response.write(file.body.subarray(0, 400_000))
      await steps[0]!.promise
      response.write(file.body.subarray(400_000, 700_000))
      await steps[1]!.promise
      response.end(file.body.subarray(700_000, MB))
      return true
    }
    using client = await rawClient(world.port)
    client.send(request("/ahead"))
    await client.head()
    await client.bytes(400_000)
    await pause(50)
    expect(world.origin.rangesOf("/ahead")).toEqual(slicesFrom(0, 0))
    steps[0]!.resolve()
    await until(() => world.origin.rangesOf("/ahead").length === 2)
    await pause(50)
    expect(world.origin.rangesOf("/ahead")).toEqual(slicesFrom(0, 1))
    steps[1]!.resolve()
    expect(Buffer.from(await client.bytes(4 * MB - 400_000), "latin1").equals(file.body.subarray(400_000))).toBe(true)
  })
})

describe("a client that leaves while its slice is fetched", () => {
  test("does not end the fetch: the next one has it from the store", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    const file = world.origin.put("/left", 3 * MB)
    file.script = async () => {
      await goOn
      return false
    }
    const client = await rawClient(world.port)
    client.send(request("/left"))
    await until(() => world.origin.rangesOf("/left").length === 1)
    client.destroy()
    const second = world.ask("/left", { range: "bytes=0-99" })
    await pause(50)
    resolve()
    expect((await second).body.equals(file.body.subarray(0, 100))).toBe(true)
    expect(world.origin.rangesOf("/left")).toEqual(slicesFrom(0, 0))
  })
})

describe("many clients at once", () => {
  test("at many places: each slice is fetched once", async () => {
    const { body } = world.origin.put("/many", 12 * MB)
    const asked = Array.from({ length: 24 }, (_, i) => (i * 7919 * 97) % (11 * MB))
    const all = asked.map(async first => {
      const got = await world.ask("/many", { range: `bytes=${first}-${first + MB}` })
      expect([got.status, got.body.equals(body.subarray(first, first + MB + 1))]).toEqual([206, true])
    })
    await Promise.all([...all, world.ask("/many").then(got => expect(got.body.equals(body)).toBe(true))])
    expect(world.origin.rangesOf("/many").sort()).toEqual(slicesFrom(0, 11).sort())
  })

  test("who comes while a slice is on its way reads along", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    const file = world.origin.put("/along", 2 * MB)
    file.script = async ({ headers }, response) => {
      if (headers.range !== slicesFrom(0, 0)[0]) return false
      response.writeHead(206, { ...file.fields, etag: file.etag!, "content-range": `bytes 0-${MB - 1}/${2 * MB}`, "content-length": MB })
      response.write(file.body.subarray(0, 5000))
      await goOn
      response.end(file.body.subarray(5000, MB))
      return true
    }
    const clients = [await rawClient(world.port), await rawClient(world.port)]
    for (const client of clients) {
      client.send(request("/along"))
      expect((await client.head()).split("\r\n")[0]).toBe("HTTP/1.1 200 OK")
      expect(Buffer.from(await client.bytes(5000), "latin1").equals(file.body.subarray(0, 5000))).toBe(true)
    }
    resolve()
    for (const client of clients) {
      expect(Buffer.from(await client.bytes(2 * MB - 5000), "latin1").equals(file.body.subarray(5000))).toBe(true)
      client.destroy()
    }
    expect(world.origin.rangesOf("/along")).toEqual(slicesFrom(0, 1))
  })
})

describe("a slice that breaks off", () => {
  // In its second half the next one has been asked for as well.
  for (const [when, octets] of [
    ["in its first half", 300_000],
    ["near its end", 1_000_000],
  ] as const)
    test(`${when}: is fetched once more, and the client notices nothing`, async () => {
      const file = world.origin.put("/broken", 4 * MB)
      await world.purge("url=http://a.test/broken")
      world.origin.seen.length = 0
      let cuts = 1
      file.script = ({ headers }, response) => {
        if (headers.range !== slicesFrom(2, 2)[0] || cuts-- <= 0) return false
        response.writeHead(206, {
          ...file.fields,
          etag: file.etag!,
          "content-range": `bytes ${2 * MB}-${3 * MB - 1}/${4 * MB}`,
          "content-length": MB,
        })
        response.write(file.body.subarray(2 * MB, 2 * MB + octets))
        setTimeout(() => response.destroy(), 30)
        return true
      }
      const got = await world.ask("/broken")
      expect(got.body.equals(file.body)).toBe(true)
      expect(world.origin.rangesOf("/broken").filter(range => range === slicesFrom(2, 2)[0]).length).toBe(2)
      expect(isHit(await world.ask("/broken"))).toBe(true)
    })

  test("each time: the client notices, and a part is never the whole", async () => {
    const file = world.origin.put("/cut", 3 * MB)
    file.script = ({ headers }, response) => {
      if (headers.range !== slicesFrom(1, 1)[0]) return false
      response.writeHead(206, { ...file.fields, etag: file.etag!, "content-range": `bytes ${MB}-${2 * MB - 1}/${3 * MB}`, "content-length": MB })
      response.write(file.body.subarray(MB, MB + 300_000))
      setTimeout(() => response.destroy(), 30)
      return true
    }
    await expect(world.ask("/cut")).rejects.toThrow()
    expect(world.origin.rangesOf("/cut").length).toBeLessThan(5)
    file.script = null
    const got = await world.ask("/cut")
    expect([got.body.equals(file.body), isHit(got)]).toEqual([true, false])
  })

  test("longer than it says, without a length: not stored", async () => {
    const file = world.origin.put("/long", 3 * MB)
    file.script = ({ headers }, response) => {
      if (headers.range !== slicesFrom(1, 1)[0]) return false
      response.writeHead(206, { ...file.fields, etag: file.etag!, "content-range": `bytes ${MB}-${2 * MB - 1}/${3 * MB}` })
      response.end(file.body.subarray(MB, 2 * MB + 5))
      return true
    }
    // Who reads along may have had all that it is to have before more comes.
    const first = await world.ask("/long").catch(() => null)
    if (first !== null) expect(first.body.equals(file.body)).toBe(true)
    file.script = null
    const got = await world.ask("/long", { range: `bytes=${MB}-${MB + 9}` })
    expect([got.body.equals(file.body.subarray(MB, MB + 10)), isHit(got)]).toEqual([true, false])
  })

  test("an origin that refuses in the middle: cut, what was stored stays", async () => {
    const file = world.origin.put("/refuses", 4 * MB)
    let down = true
    file.script = ({ headers }, response) => {
      if (!down || headers.range !== slicesFrom(2, 2)[0]) return false
      response.writeHead(503, { "content-length": 0 }).end()
      return true
    }
    await expect(world.ask("/refuses")).rejects.toThrow()
    down = false
    const before = world.origin.rangesOf("/refuses").length
    expect((await world.ask("/refuses")).body.equals(file.body)).toBe(true)
    expect(world.origin.rangesOf("/refuses").slice(before)).toEqual(slicesFrom(2, 3))
  })

  test("an origin that is gone before anything has left: its fault, and nobody waits in vain", async () => {
    const file = world.origin.put("/gone", 4 * MB)
    file.script = (_, response) => {
      response.destroy()
      return true
    }
    const all = await Promise.all(Array.from({ length: 5 }, () => world.ask("/gone")))
    expect(all.map(got => got.status)).toEqual([502, 502, 502, 502, 502])
    expect(world.origin.rangesOf("/gone").length).toBeLessThan(4)
    file.script = null
    expect((await world.ask("/gone")).body.equals(file.body)).toBe(true)
  })
})
