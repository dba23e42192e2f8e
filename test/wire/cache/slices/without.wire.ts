import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { until } from "../../../support/wait.ts"
import { isHit, KB, MB, SlicedWorld } from "./sliced-world.ts"

// What cannot be cut into slices is answered and stored as on a route without them, and is not tried again for a while.
let world: SlicedWorld
beforeAll(async () => {
  world = await SlicedWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

const slice = `bytes=0-${MB - 1}`

describe("an origin without ranges", () => {
  test("its 200 is answered with and stored: one request, for the whole and for a range", async () => {
    const { body } = world.origin.put("/none", 3 * MB, { ranges: false })
    const first = await world.ask("/none")
    expect([first.status, first.body.equals(body)]).toEqual([200, true])
    const second = await world.ask("/none", { range: "bytes=100-199" })
    expect([second.status, second.body.equals(body.subarray(100, 200)), isHit(second)]).toEqual([206, true, true])
    expect(world.origin.rangesOf("/none")).toEqual([slice])
  })

  test("the same for who comes with a range", async () => {
    const { body } = world.origin.put("/none-range", 3 * MB, { ranges: false })
    const first = await world.ask("/none-range", { range: `bytes=${2 * MB}-${2 * MB + 9}` })
    expect([first.status, first.body.equals(body.subarray(2 * MB, 2 * MB + 10))]).toEqual([206, true])
    expect(isHit(await world.ask("/none-range"))).toBe(true)
    expect(world.origin.rangesOf("/none-range").length).toBe(1)
  })

  test("many at once: one request", async () => {
    const { body } = world.origin.put("/none-many", 2 * MB, { ranges: false })
    const got = await Promise.all(Array.from({ length: 8 }, () => world.ask("/none-many")))
    for (const { body: its } of got) expect(its.equals(body)).toBe(true)
    expect(world.origin.rangesOf("/none-many").length).toBe(1)
  })

  test("what may not be stored is asked for in slices once, and then as clients ask", async () => {
    world.origin.put("/private", 2 * MB, { ranges: false, fields: { "cache-control": "private" } })
    for (let i = 0; i < 3; i++) expect((await world.ask("/private")).status).toBe(200)
    expect(world.origin.rangesOf("/private")).toEqual([slice, "", ""])
  })
})

describe("a 206 that is of no use", () => {
  const fields = { "cache-control": "max-age=600" }
  const kinds: Record<string, (first: number, last: number, body: Buffer) => Record<string, string | number>> = {
    "a weak tag": (first, last, body) => ({ ...fields, etag: 'W/"a"', "content-range": `bytes ${first}-${last}/${body.length}` }),
    "no validator": (first, last, body) => ({ ...fields, "content-range": `bytes ${first}-${last}/${body.length}` }),
    "a date that is not strong": (first, last, body) => {
      const now = new Date().toUTCString()
      return { ...fields, date: now, "last-modified": now, "content-range": `bytes ${first}-${last}/${body.length}` }
    },
    "no length": (first, last) => ({ ...fields, etag: '"a"', "content-range": `bytes ${first}-${last}/*` }),
    "not to be stored": (first, last, body) => ({
      "cache-control": "no-store",
      etag: '"a"',
      "content-range": `bytes ${first}-${last}/${body.length}`,
    }),
  }
  for (const [name, head] of Object.entries(kinds))
    test(name, async () => {
      const target = `/${encodeURIComponent(name)}`
      const file = world.origin.put(target, 3 * MB)
      file.script = ({ headers }, response) => {
        const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "")
        const [first, last] = range === null ? [0, 3 * MB - 1] : [Number(range[1]), Number(range[2])]
        const said = head(first, last, file.body)
        if (range === null) delete said["content-range"]
        response.writeHead(range === null ? 200 : 206, said).end(file.body.subarray(first, last + 1))
        return true
      }
      const whole = await world.ask(target)
      expect([whole.status, whole.body.equals(file.body)]).toEqual([200, true])
      expect(world.origin.rangesOf(target)).toEqual([slice, ""])
      const part = await world.ask(target, { range: "bytes=5-9" })
      expect([part.status, part.body.equals(file.body.subarray(5, 10))]).toEqual([206, true])
      expect(world.origin.rangesOf(target).slice(2)).toEqual(name === "not to be stored" ? ["bytes=5-9"] : [])
    })

  test("another part than the one that was asked for", async () => {
    const file = world.origin.put("/shorter", 3 * MB)
    file.script = ({ headers }, response) => {
      if (headers.range === undefined) return false
      response.writeHead(206, { ...file.fields, etag: file.etag!, "content-range": `bytes 0-99/${3 * MB}` }).end(file.body.subarray(0, 100))
      return true
    }
    const whole = await world.ask("/shorter")
    expect([whole.status, whole.body.equals(file.body)]).toEqual([200, true])
  })
})

describe("other answers are those of any miss", () => {
  test("404 is stored if it says so, 503 is passed on and forgotten", async () => {
    for (let i = 0; i < 2; i++) expect((await world.ask("/missing", { range: "bytes=0-5" })).status).toBe(404)
    expect((await world.ask("/missing")).body.toString()).toBe("none")
    expect(isHit(await world.ask("/missing"))).toBe(true)
    const file = world.origin.put("/down", 2 * MB)
    file.script = (_, response) => {
      response.writeHead(503, { "content-length": 4 }).end("down")
      return true
    }
    expect((await world.ask("/down")).status).toBe(503)
    file.script = null
    // For a moment after an answer that could not be stored requests go by themselves.
    await until(async () => isHit(await world.ask("/down", { range: "bytes=0-9" })))
    expect(world.origin.rangesOf("/down").at(-1)).toBe(slice)
    expect((await world.ask("/down")).body.equals(file.body)).toBe(true)
  })
})

describe("what is no longer than a slice", () => {
  test("is stored whole, by one request, for the whole and for a range", async () => {
    for (const [target, headers] of [
      ["/small", {}],
      ["/small-range", { range: "bytes=10-19" }],
    ] as const) {
      const { body } = world.origin.put(target, 300 * KB)
      const first = await world.ask(target, headers)
      expect(first.body.equals(target === "/small" ? body : body.subarray(10, 20))).toBe(true)
      expect([first.status, first.fields["content-length"]]).toEqual(target === "/small" ? [200, String(300 * KB)] : [206, "10"])
      const second = await world.ask(target)
      expect([second.status, second.body.equals(body), isHit(second), second.fields["content-range"]]).toEqual([200, true, true, undefined])
      expect(world.origin.rangesOf(target)).toEqual([slice])
      expect((await world.entries(target)).some(key => key.includes("slice"))).toBe(false)
    }
  })

  test("and exactly a slice, or nothing", async () => {
    const { body } = world.origin.put("/exact", MB)
    expect((await world.ask("/exact")).body.equals(body)).toBe(true)
    expect(isHit(await world.ask("/exact"))).toBe(true)
    world.origin.put("/empty", 0)
    expect((await world.ask("/empty", { range: "bytes=0-1" })).status).toBe(416)
    const empty = await world.ask("/empty")
    expect([empty.status, empty.body.length]).toEqual([200, 0])
    expect(isHit(await world.ask("/empty"))).toBe(true)
  })
})

describe("what would have been compressed", () => {
  test("is stored in that coding with the second request, and none gets the wrong one", async () => {
    const text = Buffer.from("all work and no play ".repeat(100_000))
    const zipped = gzipSync(text)
    const file = world.origin.put("/text", 0, { body: text })
    file.fields = { "cache-control": "max-age=600", vary: "Accept-Encoding", "content-type": "text/plain" }
    file.script = ({ headers }, response) => {
      if (!/gzip/.test(headers["accept-encoding"] ?? "")) return false
      response.writeHead(200, { ...file.fields, "content-encoding": "gzip", "content-length": zipped.length }).end(zipped)
      return true
    }
    file.ranges = false
    const gzip = { "accept-encoding": "gzip" }
    expect((await world.ask("/text", gzip)).body.equals(text)).toBe(true)
    for (let i = 0; i < 2; i++) {
      const got = await world.ask("/text", gzip)
      expect([got.fields["content-encoding"], got.body.equals(zipped), isHit(got)]).toEqual(["gzip", true, i === 1])
    }
    expect((await world.ask("/text")).body.equals(text)).toBe(true)
  })
})
