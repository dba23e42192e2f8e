import { afterAll, describe, expect, test } from "bun:test"
import { until } from "../../../support/wait.ts"
import { answer, cachedOrigin, isHit } from "../cached-origin.ts"
import { reasonOf } from "./fates.ts"

// `bypass`: requests that the cache has no part in, told by the matchers that routes have.

const world = await cachedOrigin((_, count) => answer(String(count), ["Cache-Control: max-age=600"]), {
  "a.test": { bypass: { cookie: { sid: true } } },
  "any.test": { bypass: [{ path: "/admin/*" }, { header: { "x-preview": true }, query: { draft: "1" } }] },
})
afterAll(() => world[Symbol.asyncDispose]())

describe("bypass", () => {
  for (const [name, host, target, fields, passes] of [
    ["the cookie is there", "a.test", "/c", ["Cookie: sid=1"], true],
    ["another cookie is", "a.test", "/c", ["Cookie: lang=de"], false],
    ["the first of two", "any.test", "/admin/x", [], true],
    ["the second of two", "any.test", "/p?draft=1", ["X-Preview: 1"], true],
    ["half of the second", "any.test", "/p?draft=1", [], false],
    ["the other half", "any.test", "/p?draft=2", ["X-Preview: 1"], false],
  ] as const) {
    test(`${name}: ${passes ? "past the cache" : "of the cache"}`, async () => {
      const lines = [`Host: ${host}`, ...fields]
      const first = await world.ask(target, lines)
      const second = await world.ask(target, lines)
      expect([isHit(second), reasonOf(second)]).toEqual([!passes, passes ? "rule" : ""])
      if (passes) expect(second.fields["cache-status"]).toContain("fwd=bypass")
      expect(Number(second.body)).toBe(Number(first.body) + (passes ? 1 : 0))
    })
  }

  test("they neither take from what is stored nor add to it, and the log says so", async () => {
    const target = "/mixed"
    const bodies = [
      await world.ask(target, ["Cookie: sid=1"]),
      await world.ask(target),
      await world.ask(target, ["Cookie: sid=1"]),
      await world.ask(target),
    ].map(({ body }) => body)
    expect(bodies).toEqual(["1", "2", "3", "2"])
    const lines = await until(() => {
      const found = world.proxy.log().filter(line => line.target === target)
      return found.length === 4 ? found : null
    })
    expect(lines.map(line => [line.cache, line.cacheReason])).toEqual([
      ["bypass", "rule"],
      ["miss", "stored"],
      ["bypass", "rule"],
      ["hit", undefined],
    ])
  })
})
