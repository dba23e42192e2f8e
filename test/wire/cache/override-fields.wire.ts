import { afterAll, describe, expect, test } from "bun:test"
import { answer, cachedOrigin, isHit } from "./cached-origin.ts"

// O-23: fields by which some frameworks let a request be another one. On a route with a cache they are not passed on, or tell its pages apart (RFC 9111 section 7.1).

const overrides: Record<string, string> = {
  "x-original-url": "/admin",
  "x-rewrite-url": "/admin",
  "x-http-method-override": "DELETE",
  "x-http-method": "DELETE",
  "x-method-override": "DELETE",
  "x-host": "evil.test",
  "x-forwarded-server": "evil.test",
  "x-forwarded-scheme": "evil",
}
const names = Object.keys(overrides)
const world = await cachedOrigin(request => answer(JSON.stringify(names.map(name => request.fields[name])), ["Cache-Control: max-age=60"]))
afterAll(() => world[Symbol.asyncDispose]())

describe("O-23: the second visitor does not get what the first one asked for by", () => {
  for (const name of names) {
    test(name, async () => {
      const target = `/${name}`
      await world.ask(target, [`${name}: ${overrides[name]}`])
      expect((await world.ask(target)).body).not.toContain(overrides[name]!)
      expect(isHit(await world.ask(target))).toBe(true)
      // Nor is there a way to keep asking past the cache that others would pay for: one more request at most.
      await world.ask(target, [`${name}: ${overrides[name]}`])
      expect(world.asked(target)).toBeLessThanOrEqual(2)
    })
  }
})
