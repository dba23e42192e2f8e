import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import type { RawClient } from "../../../support/raw-client.ts"
import { scrape } from "../../../support/scrape.ts"
import { until } from "../../../support/wait.ts"
import { answer } from "../cached-origin.ts"
import { EngineWorld, get } from "./engine-world.ts"

// What the log, the metrics and the admin API tell of a cache of two workers.

let world: EngineWorld
let count = 0
/** One of each worker. */
const clients: RawClient[] = []
beforeAll(async () => {
  world = await EngineWorld.start()
  clients.push(await world.clientOn(0), await world.clientOn(1))
})
afterAll(async () => {
  for (const client of clients) client.destroy()
  await world[Symbol.asyncDispose]()
})
beforeEach(async () => {
  world.answer = ({ target }) => answer(`${target} ${count++}`, fieldsOf(target))
  await world.change("/cache/purge?all=true")
})

function fieldsOf(target: string): string[] {
  if (target.startsWith("/private")) return ["Cache-Control: private"]
  if (target.startsWith("/stale")) return ["Cache-Control: max-age=0, stale-while-revalidate=600", 'ETag: "s"']
  if (target.startsWith("/asks")) return ["Cache-Control: no-cache", 'ETag: "s"']
  const vary = target.startsWith("/vary") ? ["Vary: X-A"] : []
  return ["Cache-Control: max-age=600", `Cache-Tag: all, tag-of-${target.split("/")[1]}`, ...vary]
}

async function ask(target: string, fields: readonly string[] = [], { method = "GET", worker = 0 } = {}): Promise<string> {
  const client = clients[worker]!
  client.send(get(target, fields, method))
  return (await client.response(method)).body
}

describe("the log and the metrics", () => {
  test("each result once, with its reason", async () => {
    const before = await scrape(world.proxy)
    const steps: [target: string, fields: string[], method: string, cache: string, reason: unknown][] = [
      ["/log", [], "GET", "miss", "stored"],
      ["/log", [], "GET", "hit", undefined],
      ["/private/log", [], "GET", "miss", "private"],
      ["/private/log", [], "GET", "pass", "private"],
      ["/log", ["Content-Length: 0"], "POST", "bypass", "method"],
      ["/stale/log", [], "GET", "miss", "stored"],
      ["/stale/log", [], "GET", "stale", undefined],
      ["/none/log", ["Cache-Control: only-if-cached"], "GET", "miss", "only-if-cached"],
      ["/other/log", ["Cache-Control: no-store"], "GET", "bypass", "request-no-store"],
    ]
    for (const [i, [target, fields, method]] of steps.entries()) await ask(target, [...fields, `X-Step: ${i}`], { method, worker: i % 2 })
    const lines = await until(() => {
      const found = world.proxy.log().filter(line => String(line.target).endsWith("/log"))
      return found.length === steps.length ? found : null
    })
    // Each worker writes its own lines.
    const told = (all: readonly unknown[][]): string[] => all.map(each => each.join(" ")).toSorted()
    expect(told(lines.map(({ target, method, cache, cacheReason }) => [target, method, cache, cacheReason]))).toEqual(
      told(steps.map(([target, , method, cache, reason]) => [target, method, cache, reason])),
    )
    const after = await scrape(world.proxy)
    const grown = (result: string): number => {
      const name = `bothways_cache_requests_total{route="route-1",result="${result}"}`
      return (after.get(name) ?? Number.NaN) - (before.get(name) ?? 0)
    }
    expect(Object.fromEntries(["hit", "miss", "pass", "bypass", "stale", "revalidated", "coalesced"].map(each => [each, grown(each)]))).toEqual({
      hit: 1,
      miss: 4,
      pass: 1,
      bypass: 2,
      stale: 1,
      revalidated: 0,
      coalesced: 0,
    })
  })

  test("what was asked about, and what was waited for", async () => {
    await ask("/asks/again")
    // The client has its answer a moment before the other worker can find it.
    await until(async () => JSON.stringify(await world.look("/cache/entries?url=http://a.test/asks/again")).includes('"response"'))
    world.answer = () => 'HTTP/1.1 304 Not Modified\r\nETag: "s"\r\n\r\n'
    await ask("/asks/again", [], { worker: 1 })
    world.answer = () => ""
    const three = [...clients, await world.clientOn(0)]
    for (const client of three) client.send(get("/together"))
    const { connection } = await world.reach("/together")
    // Those of the other thread are there by the time that this one has been answered.
    await world.look("/status")
    connection.send(answer("all", ["Cache-Control: max-age=600"]))
    for (const client of three) expect((await client.response()).body).toBe("all")
    const results = await until(() => {
      const found = world.proxy.log().filter(({ target }) => target === "/asks/again" || target === "/together")
      return found.length === 5 ? found.map(({ target, cache }) => `${target} ${cache}`) : null
    })
    expect(results.toSorted()).toEqual([
      "/asks/again miss",
      "/asks/again revalidated",
      "/together coalesced",
      "/together coalesced",
      "/together miss",
    ])
    three[2]!.destroy()
  })
})

describe("/cache/purge", () => {
  for (const [query, gone] of [
    ["url=http://a.test/x/1", ["/x/1"]],
    ["url=http://A.TEST:80/x/1", ["/x/1"]],
    ["prefix=http://a.test/x", ["/x/1", "/x/2"]],
    ["host=a.test", ["/x/1", "/x/2", "/y/1", "/vary/1"]],
    ["host=b.test", []],
    ["tag=tag-of-x", ["/x/1", "/x/2"]],
    ["tag=all", ["/x/1", "/x/2", "/y/1", "/vary/1"]],
    ["tag=al", []],
    ["all=true", ["/x/1", "/x/2", "/y/1", "/vary/1"]],
    ["all=true&cache=main", ["/x/1", "/x/2", "/y/1", "/vary/1"]],
  ] as const) {
    for (const soft of [false, true]) {
      test(`${query}${soft ? ", soft" : ""}: what it names is asked for anew by both workers, and nothing else`, async () => {
        const targets = ["/x/1", "/x/2", "/y/1", "/vary/1"]
        const before = new Map<string, string>()
        for (const target of targets) before.set(target, await ask(target))
        const answered = await world.change(`/cache/purge?${query}${soft ? "&soft=true" : ""}`)
        expect([answered.status, Number(answered.purged) >= gone.length]).toEqual([200, true])
        for (const target of targets) {
          const isGone = (gone as readonly string[]).includes(target)
          const after = await ask(target, [], { worker: 1 })
          expect(`${target} ${after === before.get(target) ? "stays" : "goes"}`).toBe(`${target} ${isGone ? "goes" : "stays"}`)
          expect(await ask(target)).toBe(after)
        }
      }, 10_000)
    }
  }

  test("what is not clear changes nothing and says why", async () => {
    const before = await ask("/x/1")
    for (const [query, status] of [
      ["", 400],
      ["url=", 400],
      ["url=/x/1", 400],
      ["url=http://a.test/x/1&tag=all", 400],
      ["all=1", 400],
      ["all=true&soft=maybe", 400],
      ["all=true&cache=other", 404],
    ] as const) {
      const answered = await world.change(`/cache/purge?${query}`)
      expect([query, answered.status, typeof answered.error]).toEqual([query, status, "string"])
    }
    expect((await world.proxy.ask("/cache/purge?all=true")).status).toBe(405)
    expect((await world.proxy.ask("/cache/purge?all=true", { method: "POST" })).status).not.toBe(200)
    expect(await ask("/x/1")).toBe(before)
  })
})

describe("/cache/entries, /cache/stats, /cache/report", () => {
  test("show what both workers have stored, and what they have not", async () => {
    await ask("/x/1")
    await ask("/vary/1", ["X-A: 1"], { worker: 1 })
    await ask("/vary/1", ["X-A: 2"])
    for (let i = 0; i < 3; i++) await ask("/private/1", [], { worker: i % 2 })
    const { entries } = (await world.look("/cache/entries")) as {
      entries: { url: string; kind: string; vary: string; state: string; tags: string[] }[]
    }
    expect(entries.map(({ url, kind, state }) => `${kind} ${url} ${state}`).toSorted()).toEqual([
      "pass-rule http://a.test/private/1 fresh",
      "response http://a.test/vary/1 fresh",
      "response http://a.test/vary/1 fresh",
      "response http://a.test/x/1 fresh",
      "vary-rule http://a.test/vary/1 fresh",
    ])
    expect(entries.find(({ url }) => url.endsWith("/x/1"))!.tags).toEqual(["all", "tag-of-x"])
    const { caches } = (await world.look("/cache/stats")) as { caches: { main: { memory: { entries: number }; routes: object } } }
    expect([caches.main.memory.entries, Object.keys(caches.main.routes)]).toEqual([5, ["route-1"]])
    const { urls } = (await world.look("/cache/report")) as { urls: { url: string; reason: string; requests: number; meaning: string }[] }
    expect(urls.find(({ url }) => url === "http://a.test/private/1")).toMatchObject({
      reason: "private",
      requests: 3,
      meaning: expect.stringContaining("private"),
    })
  })
})
