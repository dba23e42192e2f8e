import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { isHit, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// Each slice has a freshness of its own, and is asked about anew by itself.
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start({ cache: { status: true } })
})
afterAll(() => world[Symbol.asyncDispose]())

describe("a slice that is stale", () => {
  test("is asked about by its range and tag; a 304 is all that comes", async () => {
    const file = world.origin.put("/stale", 3 * MB, { fields: { "cache-control": "no-cache", "x-version": "1" } })
    await world.ask("/stale")
    const { bytes } = world.origin
    file.fields["x-version"] = "2"
    const got = await world.ask("/stale")
    expect([got.status, got.body.equals(file.body), got.fields["x-version"]]).toEqual([200, true, "2"])
    expect(got.fields["cache-status"]).toBe("bothways; fwd=stale; fwd-status=304; stored")
    const asked = world.origin.seen.filter(seen => seen.target === "/stale").slice(3)
    expect(asked.map(({ range, fields }) => [range, fields["if-none-match"]])).toEqual(slicesFrom(0, 2).map(range => [range, file.etag!]))
    expect(world.origin.bytes - bytes).toBe(0)
  })

  test("many clients at once: asked about once each", async () => {
    const file = world.origin.put("/stale-many", 2 * MB, { fields: { "cache-control": "max-age=1" } })
    await world.ask("/stale-many")
    await Bun.sleep(2100)
    const all = await Promise.all(Array.from({ length: 6 }, () => world.ask("/stale-many")))
    for (const got of all) expect(got.body.equals(file.body)).toBe(true)
    expect(world.origin.rangesOf("/stale-many")).toEqual([...slicesFrom(0, 1), ...slicesFrom(0, 1)])
  })

  test("as soon as it comes: who waited for it has asked before it was given", async () => {
    const file = world.origin.put("/no-cache", 2 * MB, { fields: { "cache-control": "no-cache" } })
    const { promise: goOn, resolve } = Promise.withResolvers<void>()
    file.script = async () => {
      await goOn
      return false
    }
    const all = Array.from({ length: 6 }, () => world.ask("/no-cache", { range: "bytes=0-99" }))
    await until(() => world.origin.rangesOf("/no-cache").length > 0)
    await Bun.sleep(100)
    resolve()
    for (const got of await Promise.all(all)) expect(got.body.equals(file.body.subarray(0, 100))).toBe(true)
    expect(world.origin.rangesOf("/no-cache")).toEqual(slicesFrom(0, 0))
    await world.ask("/no-cache", { range: "bytes=0-99" })
    expect(world.origin.rangesOf("/no-cache").length).toBe(2)
  })

  test("of a file that has changed: the new one", async () => {
    const change = { fields: { "cache-control": "no-cache" } }
    world.origin.put("/changed", 2 * MB, change)
    await world.ask("/changed")
    const { body } = world.origin.put("/changed", 3 * MB, change)
    const got = await world.ask("/changed")
    expect([got.status, got.body.equals(body)]).toEqual([200, true])
  })

  test("and whose 304 names another tag: asked for without a condition", async () => {
    const file = world.origin.put("/odd", 2 * MB, { fields: { "cache-control": "no-cache" } })
    await world.ask("/odd", { range: "bytes=0-9" })
    file.script = ({ headers }, response) => {
      if (headers["if-none-match"] === undefined) return false
      response.writeHead(304, { etag: '"other"' }).end()
      return true
    }
    const got = await world.ask("/odd", { range: "bytes=0-9" })
    expect([got.status, got.body.equals(file.body.subarray(0, 10))]).toEqual([206, true])
    const asked = world.origin.seen.filter(seen => seen.target === "/odd")
    expect(asked.map(({ fields }) => fields["if-none-match"] === undefined)).toEqual([true, false, true])
  })

  test("while it may be: is used, and asked about in the background", async () => {
    const file = world.origin.put("/swr", 2 * MB, { fields: { "cache-control": "max-age=1, stale-while-revalidate=60" } })
    await world.ask("/swr")
    await Bun.sleep(2100)
    const got = await world.ask("/swr")
    expect([got.body.equals(file.body), isHit(got)]).toEqual([true, true])
    await until(() => world.origin.rangesOf("/swr").length === 4)
    const fresh = await world.ask("/swr")
    expect([isHit(fresh), Number(fresh.fields.age) < 2, world.origin.rangesOf("/swr").length]).toEqual([true, true, 4])
  })

  test("stands in for an error where it may", async () => {
    const file = world.origin.put("/sie", 2 * MB, { fields: { "cache-control": "max-age=1, stale-if-error=60" } })
    await world.ask("/sie")
    await Bun.sleep(2100)
    for (const end of [500, 0]) {
      file.script = (_, response) => {
        if (end === 0) response.destroy()
        else response.writeHead(end, { "content-length": 0 }).end()
        return true
      }
      expect((await world.ask("/sie")).body.equals(file.body)).toBe(true)
    }
  })
})

describe("who may share slices", () => {
  test("Vary: those whose fields are the same", async () => {
    const file = world.origin.put("/vary", 2 * MB, { fields: { "cache-control": "max-age=60", vary: "Origin, Accept-Encoding" } })
    const [one, two] = [{ origin: "http://one.test" }, { origin: "http://two.test" }]
    for (const headers of [one, two, one, { ...two, "accept-encoding": "gzip" }]) {
      expect((await world.ask("/vary", headers)).body.equals(file.body)).toBe(true)
    }
    expect(world.origin.seen.filter(seen => seen.target === "/vary").map(seen => seen.fields.origin)).toEqual([
      ...[one.origin, one.origin, two.origin, two.origin],
    ])
    expect(isHit(await world.ask("/vary", { ...one, range: "bytes=0-9" }))).toBe(true)
  })

  test("Vary, and they come at once: nobody has another's", async () => {
    const bodies: Record<string, Buffer> = {}
    for (const name of ["a", "b", "c"]) bodies[name] = world.origin.put("/made", 2 * MB).body
    const file = world.origin.files["/made"]!
    file.script = ({ headers }, response) => {
      const body = bodies[String(headers.origin)]!
      const [first, last] = /(\d+)-(\d+)/.exec(headers.range!)!.slice(1).map(Number) as [number, number]
      const head = { "cache-control": "max-age=60", vary: "Origin", etag: `"${String(headers.origin)}"` }
      response.writeHead(206, { ...head, "content-range": `bytes ${first}-${last}/${2 * MB}` }).end(body.subarray(first, last + 1))
      return true
    }
    const asked = ["a", "b", "c", "a", "b", "c", "a"]
    const all = await Promise.all(asked.map(origin => world.ask("/made", { origin })))
    expect(all.map((got, i) => got.body.equals(bodies[asked[i]!]!))).toEqual(asked.map(() => true))
  })

  test("nobody with credentials, whose requests go as they are", async () => {
    world.origin.put("/secret", 2 * MB)
    await world.ask("/secret", { authorization: "Basic eDp5", range: "bytes=5-9" })
    expect(world.origin.rangesOf("/secret")).toEqual(["bytes=5-9"])
  })

  test("a cookie that comes with a slice is for the one who caused it", async () => {
    const file = world.origin.put("/cookie", 2 * MB, { fields: { "cache-control": "public, max-age=60", "set-cookie": "id=1" } })
    expect((await world.ask("/cookie")).fields["set-cookie"]).toEqual(["id=1"])
    const second = await world.ask("/cookie")
    expect([isHit(second), second.fields["set-cookie"], second.body.equals(file.body)]).toEqual([true, undefined, true])
  })
})

describe("options that hold for slices as well", () => {
  test("minUses: what is asked for once is not cut", async () => {
    await using own = await SlicedWorld.start({ cache: { minUses: 2 } })
    const { body } = own.origin.put("/film", 3 * MB)
    for (let i = 0; i < 3; i++) expect((await own.ask("/film", { range: "bytes=5-9" })).body.equals(body.subarray(5, 10))).toBe(true)
    expect(own.origin.rangesOf("/film")).toEqual(["bytes=5-9", ...slicesFrom(0, 0)])
  })

  test("coalesce.wait: who has waited for so long goes by itself; off: nobody waits", async () => {
    for (const coalesce of [{ wait: "150ms" }, "off"]) {
      await using own = await SlicedWorld.start({ cache: { coalesce } })
      const file = own.origin.put("/film", 3 * MB)
      const { promise: goOn, resolve } = Promise.withResolvers<void>()
      let first = true
      file.script = async () => {
        if (!first) return false
        first = false
        await goOn
        return false
      }
      const slow = own.ask("/film", { range: "bytes=0-9" })
      await until(() => own.origin.rangesOf("/film").length === 1)
      expect((await own.ask("/film", { range: "bytes=5-9" })).body.equals(file.body.subarray(5, 10))).toBe(true)
      expect(own.origin.rangesOf("/film")).toEqual([...slicesFrom(0, 0), ...slicesFrom(0, 0)])
      resolve()
      expect((await slow).body.equals(file.body.subarray(0, 10))).toBe(true)
    }
  })
})
