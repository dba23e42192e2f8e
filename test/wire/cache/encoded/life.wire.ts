import { describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import type { ResponseMessage } from "../../../support/message.ts"
import { decoded, TextOrigin, textOf } from "./text-origin.ts"
import { until } from "../../../support/wait.ts"

// An encoded body lives no longer than what it is of, and as long as that has the same octets.
const all = ["Accept-Encoding: br, zstd, gzip"]

/** The origin's tags are made of the body: whatever comes must fit its own. */
function expectTrue(response: ResponseMessage): void {
  expect(response.status).toBe(200)
  expect(response.fields.etag!.replace("W/", "")).toBe(`"${createHash("sha1").update(decoded(response)).digest("hex")}"`)
}

describe("a 304", () => {
  test("leaves it as it is: it is served at once, with the new fields", async () => {
    await using world = await TextOrigin.start(["br"])
    const page = { body: textOf(20_000), fields: { "cache-control": "no-cache", "x-count": "1" } }
    world.pages["/"] = page
    await world.ask("/")
    const made = await world.encoded("/", "br")
    for (let count = 2; count < 7; count++) {
      page.fields["x-count"] = String(count)
      const before = world.requests.length
      const response = await world.ask("/", all)
      expect([response.fields["x-count"], response.body === made.body, world.requests.length - before]).toEqual([String(count), true, 1])
    }
  })
  test("also where the origin sends all of it again and it is the same", async () => {
    await using world = await TextOrigin.start(["br"])
    world.pages["/"] = { body: textOf(20_000), fields: { "cache-control": "max-age=1", etag: undefined } }
    await world.ask("/")
    const made = await world.encoded("/", "br")
    const asked = world.requests.length
    await Bun.sleep(2100)
    // The answer that comes anew leaves as it comes.
    expect((await world.ask("/", all)).fields["content-encoding"]).toBeUndefined()
    expect([(await world.ask("/", all)).body === made.body, world.requests.length > asked]).toEqual([true, true])
  })
})

test("a page that changes without a sign of it is never the old one", async () => {
  await using world = await TextOrigin.start(["br", "gzip"])
  const accepts = ["br", "gzip"]
  for (let version = 0; version < 4; version++) {
    const body = textOf(20_000, version)
    world.pages["/"] = { body, fields: { etag: undefined } }
    // The new page takes the old one's place; the encoded ones stay where they are.
    await world.ask("/", ["Cache-Control: no-cache"])
    // The client may have the last octet a moment before the entry is complete.
    await until(async () => (await world.entries("/")).length === (version === 0 ? 1 : 3))
    for (const accept of accepts) expect(decoded(await world.ask("/", [`Accept-Encoding: ${accept}`])).equals(body)).toBe(true)
    for (const accept of accepts) expect(decoded(await world.encoded("/", accept)).equals(body)).toBe(true)
  }
})

describe("a purge", () => {
  test("takes all of it along, by URL, by tag and after a request that changes it", async () => {
    await using world = await TextOrigin.start(["br", "gzip"])
    world.pages["/"] = { body: textOf(20_000), fields: { "cache-tag": "a, b" } }
    const fill = async (): Promise<void> => {
      await world.ask("/")
      for (const coding of ["br", "gzip"]) await world.encoded("/", coding)
      await until(async () => (await world.entries("/")).length === 3)
    }
    const purged = async (query: string): Promise<number> => {
      const response = await world.proxy.ask(`/cache/purge?${query}`, { method: "POST", headers: { "x-bothways": "1" } })
      return ((await response.json()) as { purged: number }).purged
    }
    await fill()
    expect([await purged("url=http://a.test/"), await world.entries("/")]).toEqual([3, []])
    await fill()
    expect([await purged("tag=b"), await world.entries("/")]).toEqual([3, []])
    await fill()
    expect((await world.ask("/", ["Content-Length: 0"], "POST")).status).toBe(200)
    expect(await world.entries("/")).toEqual([])
  })
})

test("a reload keeps it; one without the option serves plain octets again", async () => {
  await using world = await TextOrigin.start(["br"])
  world.pages["/"] = { body: textOf(20_000) }
  await world.ask("/")
  const made = await world.encoded("/", "br")
  const config = JSON.parse(await Bun.file(world.proxy.configFile).text()) as { routes: { filters: { cache: { compress?: unknown } }[] }[] }
  const reload = async (compress: unknown): Promise<void> => {
    config.routes[0]!.filters[0]!.cache.compress = compress
    world.proxy.rewrite(config)
    expect((await world.proxy.ask("/reload", { method: "POST", headers: { "x-bothways": "1" } })).status).toBe(200)
  }
  await reload(["gzip", "br"])
  expect((await world.ask("/", ["Accept-Encoding: br"])).body).toBe(made.body)
  await reload("off")
  const plain = await world.ask("/", all)
  expect([plain.fields["content-encoding"], plain.fields.vary, plain.body === world.pages["/"].body.toString("latin1")]).toEqual([
    undefined,
    undefined,
    true,
  ])
})

test("two threads, pages that change, purges: whatever comes fits its tag, and fewer octets are sent", async () => {
  await using world = await TextOrigin.start(["br", "zstd", "gzip"], {
    top: { workers: 2, caches: { main: { memory: "4MB" } } },
  })
  const paths = ["/a", "/b", "/c", "/d"]
  const change = (path: string, version: number): void => {
    world.pages[path] = { body: textOf(5000 + version * 17, version), fields: { "cache-control": version % 3 === 0 ? "no-cache" : "max-age=1" } }
  }
  paths.forEach(change)
  const accepts = ["br", "zstd", "gzip", "gzip;q=0.1, zstd", "identity", "*"]
  let encoded = 0
  const client = async (index: number): Promise<void> => {
    for (let round = 0; round < 60; round++) {
      const path = paths[(index + round) % paths.length]!
      const response = await world.ask(path, [`Accept-Encoding: ${accepts[(index * 7 + round) % accepts.length]}`])
      expectTrue(response)
      if (response.fields["content-encoding"] !== undefined) encoded++
      if (index === 0 && round % 10 === 9) change(path, round)
      if (index === 1 && round % 15 === 14) await world.purge(path)
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, index) => client(index)))
  expect(encoded).toBeGreaterThan(100)
}, 30_000)
