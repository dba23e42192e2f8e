import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { RawClient } from "../../../support/raw-client.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"

// Purges, changes and reloads, with clients of two workers, while something is under way and while nothing is.

const FRESH = ["Cache-Control: max-age=600"]
let world: EngineWorld
let count = 0
beforeAll(async () => {
  world = await EngineWorld.start()
})
afterAll(() => world[Symbol.asyncDispose]())

async function bodyFor(worker: number, target: string): Promise<string> {
  using client = await world.clientOn(worker)
  client.send(get(target))
  return (await client.response()).body
}

/** From here on each request has an answer of its own number. */
function counted(...fields: string[]): void {
  world.answer = () => answer(String(++count), [...FRESH, ...fields])
}

async function waiting(worker: number, target: string, ...fields: string[]): Promise<RawClient> {
  const client = await world.clientOn(worker)
  client.send(get(target, fields))
  return client
}

describe("a purge while a fetch is under way", () => {
  for (const [name, vary, path] of [
    ["of a URL, by URL", [], "url=http://a.test/p1"],
    ["of a URL with variants, by URL", ["Vary: X-A"], "url=http://a.test/p2"],
    ["of a URL with variants, by prefix", ["Vary: X-A"], "prefix=http://a.test/p3"],
    ["of a URL with variants, by a tag that it turns out to have", ["Vary: X-A", "Cache-Tag: t"], "tag=t"],
    ["of everything", [], "all=true"],
    ["marks of everything", [], "all=true&soft=true"],
  ] as const) {
    test(`${name}: who asked before is served, nobody later has that, in neither worker`, async () => {
      world.answer = () => ""
      const target = `/p${/p(\d)/.exec(path)?.[1] ?? `9-${path}`}`
      const first = await waiting(0, target)
      const { connection } = await world.reach(target)
      expect((await world.change(`/cache/purge?${path}`)).status).toBe(200)
      counted(...vary)
      connection.send(answer("old", [...FRESH, ...vary]))
      expect((await first.response()).body).toBe("old")
      first.destroy()
      const later = [await bodyFor(1, target), await bodyFor(0, target)]
      expect(later).toEqual([String(count), String(count)])
      const other = await waiting(1, target, "X-A: other")
      expect((await other.response()).body).not.toBe("old")
      expect(await bodyFor(1, target)).not.toBe("old")
      other.destroy()
    })
  }

  test("those who wait for it, in both workers, have what is fetched after it", async () => {
    world.answer = () => ""
    const clients = [await waiting(0, "/w"), await waiting(1, "/w"), await waiting(0, "/w")]
    const { connection } = await world.reach("/w")
    counted()
    await world.change("/cache/purge?url=http://a.test/w")
    const later = [await clients[1]!.response(), await clients[2]!.response()]
    connection.send(answer("old", FRESH))
    expect((await clients[0]!.response()).body).toBe("old")
    expect(later.map(({ body }) => body)).toEqual([String(count), String(count)])
    expect([await bodyFor(0, "/w"), await bodyFor(1, "/w")]).toEqual([String(count), String(count)])
    for (const client of clients) client.destroy()
  })

  test("the same by a POST that another worker lets through", async () => {
    world.answer = () => ""
    const first = await waiting(0, "/posted")
    const { connection } = await world.reach("/posted")
    counted()
    using poster = await world.clientOn(1)
    poster.send(get("/posted", ["Content-Length: 0"], "POST"))
    expect((await poster.response()).status).toBe(200)
    connection.send(answer("old", FRESH))
    expect((await first.response()).body).toBe("old")
    first.destroy()
    for (const worker of [0, 1]) expect(await bodyFor(worker, "/posted")).not.toBe("old")
  })
})

describe("a soft purge", () => {
  test("of what may be stale for a while serves it once more and refreshes it", async () => {
    counted("Cache-Control: stale-while-revalidate=600")
    const before = await bodyFor(0, "/soft")
    await world.change("/cache/purge?url=http://a.test/soft&soft=true")
    const stale = await bodyFor(1, "/soft")
    await world.reach("/soft", 1)
    let after = await bodyFor(1, "/soft")
    while (after === before) after = await bodyFor(1, "/soft")
    expect([stale, Number(after) > Number(before)]).toEqual([before, true])
  })
})

describe("a reload", () => {
  async function reload(
    change: (config: { caches: { main: Record<string, unknown> }; routes: { filters: { cache: Record<string, unknown> }[] }[] }) => void,
  ): Promise<void> {
    const config = JSON.parse(readFileSync(world.proxy.configFile, "utf8"))
    change(config)
    world.proxy.rewrite(config)
    expect(await world.change("/reload")).toMatchObject({ status: 200, ok: true })
  }

  test("keeps what is stored, and what is under way", async () => {
    counted()
    const stored = await bodyFor(0, "/kept")
    world.answer = () => ""
    const under = await waiting(1, "/under")
    const { connection } = await world.reach("/under")
    await reload(({ routes }) => Object.assign(routes[0]!.filters[0]!.cache, { negativeTtl: { 404: "1s" } }))
    connection.send(answer("under way", FRESH))
    expect((await under.response()).body).toBe("under way")
    under.destroy()
    for (const worker of [0, 1]) {
      expect(await bodyFor(worker, "/kept")).toBe(stored)
      expect(await bodyFor(worker, "/under")).toBe("under way")
    }
  })

  test("with another size of the memory begins anew", async () => {
    counted()
    const stored = await bodyFor(0, "/sized")
    await reload(({ caches }) => Object.assign(caches.main, { memory: "32MB" }))
    const after = await bodyFor(0, "/sized")
    expect(after).not.toBe(stored)
    expect(await bodyFor(1, "/sized")).toBe(after)
    expect((await world.look("/cache/stats")) as unknown).toMatchObject({ caches: { main: { memory: { bytes: 32 * 2 ** 20 } } } })
  })

  test("while a body comes into the old memory: who reads it has it all", async () => {
    world.answer = () => ""
    const reading = await waiting(0, "/across")
    const { connection } = await world.reach("/across")
    connection.send(`HTTP/1.1 200 OK\r\n${FRESH[0]}\r\nContent-Length: 8\r\n\r\nhalf`)
    await reading.through("half")
    await reload(({ caches }) => Object.assign(caches.main, { memory: "48MB" }))
    counted()
    const other = await bodyFor(1, "/across")
    connection.send("half")
    expect(await reading.bytes(4)).toBe("half")
    expect(await bodyFor(0, "/across")).toBe(other)
    reading.destroy()
  })
})
