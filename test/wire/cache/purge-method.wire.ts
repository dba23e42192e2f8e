import { afterAll, describe, expect, test } from "bun:test"
import { rawClient } from "../../support/raw-client.ts"
import { answer, cachedOrigin } from "./cached-origin.ts"

// O-24, by the method PURGE, where a route takes it.

const world = await cachedOrigin((_, count) => answer(String(count), ["Cache-Control: max-age=600", "Vary: Accept"]), {
  "a.test": { purgeMethod: { from: ["127.0.0.1/32"] } },
  "b.test": {},
})
afterAll(() => world[Symbol.asyncDispose]())

const bodies = async (target: string): Promise<string[]> => [
  (await world.ask(target, ["Accept: a/a"])).body,
  (await world.ask(target, ["Accept: b/b"])).body,
]

describe("O-24: PURGE", () => {
  test("all variants of the URL are gone, and the origin hears nothing of it", async () => {
    expect(await bodies("/p?q")).toEqual(["1", "2"])
    expect((await world.ask("/p?q", [], "PURGE")).status).toBeLessThan(300)
    expect(await bodies("/p?q")).toEqual(["3", "4"])
  })

  test("of what is not there: no failure, and the origin hears nothing of it", async () => {
    expect((await world.ask("/nothing", [], "PURGE")).status).toBeLessThan(500)
    expect(world.asked("/nothing")).toBe(0)
  })

  test("from elsewhere it is refused", async () => {
    expect(await bodies("/kept")).toEqual(["1", "2"])
    using other = await rawClient(world.port, { from: "127.0.0.2" })
    other.send("PURGE /kept HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await other.response()).status).toBeGreaterThanOrEqual(400)
    expect(await bodies("/kept")).toEqual(["1", "2"])
    expect(world.origin.requests.filter(({ start }) => start.startsWith("PURGE"))).toEqual([])
  })

  test("on a route that does not take it, it is a method like others", async () => {
    const fields = ["Host: b.test"]
    await world.ask("/b", fields)
    expect((await world.ask("/b", fields, "PURGE")).body).toBe("2")
  })
})
