import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Got, isHit, KB, MB, SlicedWorld, slicesFrom } from "./sliced-world.ts"

// What a client may ask of a body that is stored in slices (RFC 9110 sections 13 and 14), and what it gets.
let world: SlicedWorld
let body: Buffer
let etag: string
const length = 3 * MB + 100
beforeAll(async () => {
  world = await SlicedWorld.start()
  const file = world.origin.put("/file", length)
  body = file.body
  etag = file.etag!
  file.fields["last-modified"] = "Tue, 01 Jul 2025 10:00:00 GMT"
  await world.ask("/file")
})
afterAll(() => world[Symbol.asyncDispose]())

function part(got: Got, first: number, last: number): unknown[] {
  return [got.status, got.fields["content-range"], got.body.equals(body.subarray(first, last + 1)), isHit(got)]
}

function partOf(first: number, last: number): unknown[] {
  return [206, `bytes ${first}-${last}/${length}`, true, true]
}

describe("a range", () => {
  const cases: Record<string, [string, number, number]> = {
    "one octet": ["bytes=0-0", 0, 0],
    "the last octet": [`bytes=${length - 1}-`, length - 1, length - 1],
    "the last octets": ["bytes=-150", length - 150, length - 1],
    "more last octets than there are": [`bytes=-${length * 2}`, 0, length - 1],
    "over the end": [`bytes=${3 * MB}-${9 * MB}`, 3 * MB, length - 1],
    "exactly a slice": [`bytes=${MB}-${2 * MB - 1}`, MB, 2 * MB - 1],
    "over the edge of a slice": [`bytes=${MB - 1}-${MB}`, MB - 1, MB],
    "over three slices": [`bytes=${MB - 7}-${3 * MB + 5}`, MB - 7, 3 * MB + 5],
    "to the end": [`bytes=${700 * KB}-`, 700 * KB, length - 1],
  }
  for (const [name, [range, first, last]] of Object.entries(cases))
    test(name, async () => {
      const got = await world.ask("/file", { range })
      expect(part(got, first, last)).toEqual(partOf(first, last))
      expect([got.fields["content-length"], got.fields.etag]).toEqual([String(last - first + 1), etag])
    })

  test("behind the end is not satisfiable, in a slice that is there and in one that could not be", async () => {
    for (const range of [`bytes=${length}-`, `bytes=${50 * MB}-${51 * MB}`, "bytes=-0"]) {
      const got = await world.ask("/file", { range })
      expect([got.status, got.fields["content-range"], got.body.length]).toEqual([416, `bytes */${length}`, 0])
    }
  })

  test("that is none, or of another unit: the whole", async () => {
    for (const range of ["bytes=9-3", "lines=0-5", "bytes=x"]) {
      const got = await world.ask("/file", { range })
      expect([got.status, got.body.equals(body), isHit(got)]).toEqual([200, true, true])
    }
  })

  test("if it is still the same: by tag, by date, and the whole where it is not", async () => {
    const range = `bytes=${MB}-${MB + 9}`
    for (const ifRange of [etag, "Tue, 01 Jul 2025 10:00:00 GMT"])
      expect(part(await world.ask("/file", { range, "if-range": ifRange }), MB, MB + 9)).toEqual(partOf(MB, MB + 9))
    for (const ifRange of ['"other"', `W/${etag}`, "Tue, 01 Jul 2025 10:00:01 GMT"]) {
      const got = await world.ask("/file", { range, "if-range": ifRange })
      expect([got.status, got.body.equals(body)]).toEqual([200, true])
    }
  })

  test("several go to the origin as they are", async () => {
    const before = world.origin.rangesOf("/file").length
    await world.ask("/file", { range: "bytes=0-5,10-15" })
    expect(world.origin.rangesOf("/file").slice(before)).toEqual(["bytes=0-5,10-15"])
    expect(isHit(await world.ask("/file", { range: "bytes=0-5" }))).toBe(true)
  })
})

describe("a request for the whole", () => {
  test("has all of it, with the length and without a range", async () => {
    const got = await world.ask("/file")
    expect([got.status, got.body.equals(body), got.fields["content-length"], got.fields["content-range"], isHit(got)]).toEqual([
      ...[200, true, String(length), undefined, true],
    ])
    expect([got.fields["accept-ranges"], got.fields["content-type"], Number(got.fields.age) >= 0]).toEqual(["bytes", "video/mp4", true])
  })

  test("on a condition: 304 from a slice's head, or all of it", async () => {
    for (const [name, value] of [
      ["if-none-match", etag],
      ["if-none-match", `"x", W/${etag}`],
      ["if-modified-since", "Wed, 02 Jul 2025 10:00:00 GMT"],
    ] as const) {
      const got = await world.ask("/file", { [name]: value })
      expect([got.status, got.body.length, got.fields.etag, got.fields["content-type"], isHit(got)]).toEqual([304, 0, etag, undefined, true])
    }
    expect((await world.ask("/file", { "if-none-match": '"x"' })).status).toBe(200)
    expect((await world.ask("/file", { "if-none-match": etag, range: "bytes=0-1" })).status).toBe(304)
  })

  test("HEAD is the origin's", async () => {
    const got = await world.ask("/file", {}, "HEAD")
    expect([got.status, got.fields["content-length"], got.body.length]).toEqual([200, String(length), 0])
  })
})

describe("what the origin is asked", () => {
  test("aligned ranges without Accept-Encoding and without the client's conditions, and everything else as it came", async () => {
    world.origin.put("/asked", 2 * MB)
    await world.ask("/asked", { range: "bytes=9-", "if-range": '"x"', "accept-encoding": "gzip", "accept-language": "de", "if-none-match": '"y"' })
    expect(world.origin.rangesOf("/asked")).toEqual(slicesFrom(0, 1))
    for (const { fields } of world.origin.seen.filter(seen => seen.target === "/asked")) {
      expect([fields["accept-encoding"], fields["if-range"], fields["if-none-match"]]).toEqual([undefined, undefined, undefined])
      expect(fields["accept-language"]).toBe("de")
    }
  })

  test("the last octets: the first slice for the length, then the last", async () => {
    const { body } = world.origin.put("/tail", 5 * MB + 7)
    const got = await world.ask("/tail", { range: "bytes=-7" })
    expect([got.status, got.body.equals(body.subarray(5 * MB)), got.fields["cache-status"]]).toEqual([
      206,
      true,
      "bothways; fwd=partial; fwd-status=206; stored",
    ])
    expect(world.origin.rangesOf("/tail")).toEqual([...slicesFrom(0, 0), ...slicesFrom(5, 5)])
    // The first is there, the last is not.
    world.origin.put("/tail-only", 5 * MB + 7)
    await world.ask("/tail-only", { range: "bytes=0-9" })
    expect((await world.ask("/tail-only", { range: "bytes=-7" })).fields["cache-status"]).toBe("bothways; fwd=partial; fwd-status=206; stored")
    expect(isHit(await world.ask("/tail-only", { range: "bytes=-7" }))).toBe(true)
  })

  test("nothing for only-if-cached, which has what is there and 504 otherwise", async () => {
    world.origin.put("/only", 3 * MB)
    const only = { "cache-control": "only-if-cached" }
    expect((await world.ask("/only", only)).status).toBe(504)
    await world.ask("/only", { range: "bytes=0-99" })
    expect((await world.ask("/only", { ...only, range: "bytes=50-60" })).status).toBe(206)
    expect((await world.ask("/only", { ...only, range: `bytes=${2 * MB}-` })).status).toBe(504)
    expect(world.origin.rangesOf("/only")).toEqual(slicesFrom(0, 0))
  })
})
