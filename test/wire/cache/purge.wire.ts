import { afterAll, describe, expect, test } from "bun:test"
import { answer, cachedOrigin, isHit, targetOf } from "./cached-origin.ts"

// O-24: after a purge nobody gets what was there before, whatever he accepts (RFC 9111 section 4.4 for unsafe methods).

const statuses: Record<string, string> = { "/403": "403 Forbidden", "/404": "404 Not Found" }
const world = await cachedOrigin((request, count) => {
  const target = targetOf(request)
  if (request.start.startsWith("PUT /refused")) return answer("no", [], "500 Internal Server Error")
  if (!request.start.startsWith("GET")) return answer("done")
  const lifetime = target.startsWith("/stale") ? "max-age=0, stale-while-revalidate=600, stale-if-error=600" : "max-age=600"
  const fields = [`Cache-Control: ${lifetime}`, "Vary: Accept-Encoding, Accept", `Cache-Tag: all, tag-of-${target.slice(1)}`]
  return answer(String(count), fields, statuses[target])
})
afterAll(() => world[Symbol.asyncDispose]())

const variants = ["br", "gzip"].flatMap(coding => ["text/html", "application/json"].map(type => [`Accept-Encoding: ${coding}`, `Accept: ${type}`]))

async function purge(query: Record<string, string>): Promise<void> {
  const response = await world.proxy.ask(`/cache/purge?${new URLSearchParams(query)}`, { method: "POST", headers: { "x-bothways": "1" } })
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("purged")])
}
const purgeUrl = (target: string): Promise<void> => purge({ url: `http://a.test${target}` })

async function four(target: string): Promise<string[]> {
  const bodies: string[] = []
  for (const variant of variants) bodies.push((await world.ask(target, variant)).body)
  return bodies
}

describe("O-24: purge", () => {
  for (const target of ["/p", "/p?q=1", "/403", "/404"]) {
    test(`${target}: all variants are gone`, async () => {
      expect(await four(target)).toEqual(["1", "2", "3", "4"])
      expect(await four(target)).toEqual(["1", "2", "3", "4"])
      await purgeUrl(target)
      expect(await four(target)).toEqual(["5", "6", "7", "8"])
      expect(await four(target)).toEqual(["5", "6", "7", "8"])
    })
  }

  test("by tag, by prefix and by host: all that they name, and nothing else", async () => {
    const three = ["/in/a", "/in/b?c", "/other"]
    for (const target of three) expect(await four(target)).toEqual(["1", "2", "3", "4"])
    await purge({ tag: "tag-of-in/b?c" })
    expect([await four(three[0]!), await four(three[1]!)]).toEqual([
      ["1", "2", "3", "4"],
      ["5", "6", "7", "8"],
    ])
    await purge({ prefix: "http://a.test/in/" })
    expect([await four(three[0]!), await four(three[1]!)]).toEqual([
      ["5", "6", "7", "8"],
      ["9", "10", "11", "12"],
    ])
    expect(await four(three[2]!)).toEqual(["1", "2", "3", "4"])
    await purge({ host: "b.test" })
    expect(await four(three[2]!)).toEqual(["1", "2", "3", "4"])
    await purge({ host: "a.test" })
    expect(await four(three[2]!)).toEqual(["5", "6", "7", "8"])
  })

  test("soft: it is asked for again", async () => {
    expect(await four("/soft")).toEqual(["1", "2", "3", "4"])
    await purge({ url: "http://a.test/soft", soft: "true" })
    expect(await four("/soft")).toEqual(["5", "6", "7", "8"])
  })

  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    test(`an answered ${method} does the same`, async () => {
      const target = `/unsafe-${method}`
      expect(await four(target)).toEqual(["1", "2", "3", "4"])
      expect((await world.ask(target, ["Content-Length: 0"], method)).status).toBe(200)
      expect(await four(target)).toEqual(["6", "7", "8", "9"])
    })
  }

  test("an unsafe method that failed leaves everything as it was", async () => {
    expect(await four("/refused")).toEqual(["1", "2", "3", "4"])
    expect((await world.ask("/refused", ["Content-Length: 0"], "PUT")).status).toBe(500)
    expect(await four("/refused")).toEqual(["1", "2", "3", "4"])
  })

  test("what may be served stale is not, after a purge", async () => {
    await world.ask("/stale")
    await purgeUrl("/stale")
    const after = await world.ask("/stale")
    expect([isHit(after), Number(after.body) > 1]).toEqual([false, true])
  })

  test("nothing else than that URL", async () => {
    for (const target of ["/kept", "/kept?x", "/kept/x"]) await four(target)
    await purgeUrl("/kept?x")
    for (const target of ["/kept", "/kept/x"]) expect(await four(target)).toEqual(["1", "2", "3", "4"])
    expect(await four("/kept?x")).toEqual(["5", "6", "7", "8"])
  })
})
