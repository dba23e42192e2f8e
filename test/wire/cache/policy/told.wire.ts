import { afterAll, describe, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { rawClient } from "../../../support/raw-client.ts"
import { answer, cachedOrigin, targetOf } from "../cached-origin.ts"

// What is said of the cache (`status`), and who may empty it by the method PURGE (`purgeMethod`).

const world = await cachedOrigin(
  (request, count) => {
    const target = targetOf(request)
    if (target === "/edge") return answer("edge", ["Cache-Status: edge; hit", "Cache-Control: private"])
    return answer(String(count), [target === "/private" ? "Cache-Control: private" : "Cache-Control: max-age=600"])
  },
  {
    "a.test": {},
    "silent.test": { status: false },
    "purge.test": { purgeMethod: { from: ["127.0.0.0/30", "10.0.0.0/8"] }, key: { query: { without: ["utm_*"] } } },
  },
)
afterAll(() => world[Symbol.asyncDispose]())

describe("status", () => {
  test("by default the answer says what the cache did (RFC 9211), behind what caches before it have said", async () => {
    const [miss, hit, kept] = [await world.ask("/told"), await world.ask("/told"), await world.ask("/private")]
    expect(miss.fields["cache-status"]).toBe("bothways; fwd=uri-miss; fwd-status=200; stored")
    expect(hit.fields["cache-status"]).toMatch(/^bothways; hit; ttl=(?:600|59\d)$/)
    expect(kept.fields["cache-status"]).toBe("bothways; fwd=uri-miss; fwd-status=200; detail=private")
    expect((await world.ask("/edge")).fields["cache-status"]).toBe("edge; hit, bothways; fwd=uri-miss; fwd-status=200; detail=private")
  })

  test("false: not a word, whatever it did; the log has it", async () => {
    for (const [target, method] of [["/silent"], ["/silent"], ["/private"], ["/private"], ["/silent", "HEAD"], ["/silent", "POST"]] as const) {
      const { fields } = await world.ask(target, ["Host: silent.test", "Content-Length: 0"].slice(0, method === "POST" ? 2 : 1), method)
      expect(fields["cache-status"]).toBeUndefined()
    }
    const lines = await until(() => {
      const found = world.proxy.log().filter(line => line.host === "silent.test")
      return found.length === 6 ? found : null
    })
    expect(lines.map(line => line.cache)).toEqual(["miss", "hit", "miss", "pass", "hit", "bypass"])
  })
})

describe("purgeMethod", () => {
  const purge = async (target: string, from = "127.0.0.1") => {
    using client = await rawClient(world.port, { from })
    client.send(`PURGE ${target} HTTP/1.1\r\nHost: purge.test\r\n\r\n`)
    return await client.response()
  }
  const page = async (target: string): Promise<string> => (await world.ask(target, ["Host: purge.test"])).body

  test("from the networks that are named, and it says how many entries", async () => {
    expect(await page("/p")).toBe("1")
    const answered = await purge("/p", "127.0.0.2")
    expect([answered.status, JSON.parse(answered.body)]).toEqual([200, { purged: 1 }])
    expect(JSON.parse((await purge("/p")).body)).toEqual({ purged: 0 })
    expect(await page("/p")).toBe("2")
  })

  test("from elsewhere 403, and nothing is gone", async () => {
    expect(await page("/kept")).toBe("1")
    expect((await purge("/kept", "127.0.0.4")).status).toBe(403)
    expect(await page("/kept")).toBe("1")
  })

  test("the page is the one that the key makes of the URL", async () => {
    expect(await page("/q?id=1&utm_a=1")).toBe("1")
    expect(JSON.parse((await purge("/q?utm_b=2&id=1")).body)).toEqual({ purged: 1 })
    expect(await page("/q?id=1")).toBe("1")
    expect(world.asked("/q?id=1")).toBe(1)
  })
})
