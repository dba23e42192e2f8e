import { afterAll, describe, expect, test } from "bun:test"
import type { ResponseMessage } from "../../support/message.ts"
import { answer, cachedOrigin, targetOf } from "./cached-origin.ts"

// O-21: what is for one user is for nobody else (RFC 9111 section 7.3).

const fieldsOf: Record<string, (count: number) => string[]> = {
  "/lifetime": n => ["Cache-Control: max-age=60", `Set-Cookie: sid=${n}`],
  "/silent": n => [`Set-Cookie: sid=${n}`],
  "/named": n => ['Cache-Control: max-age=60, no-cache="Set-Cookie"', `Set-Cookie: sid=${n}`],
  "/private-field": n => ['Cache-Control: max-age=60, private="set-cookie"', `Set-Cookie: sid=${n}`],
  "/public": n => ["Cache-Control: public, max-age=60", `Set-Cookie: sid=${n}`],
  "/two": n => ["Cache-Control: max-age=60", `Set-Cookie: sid=${n}`, `set-cookie: more=${n}`],
}
const world = await cachedOrigin(
  (request, count) => {
    const target = targetOf(request).split("?")[0]!
    if (target !== "/renewed") return answer(String(count), fieldsOf[target]!(count))
    if (request.fields["if-none-match"] !== '"v1"') return answer("first", ["Cache-Control: max-age=0", 'ETag: "v1"'])
    return `HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nCache-Control: max-age=60\r\nSet-Cookie: sid=${count}\r\n\r\n`
  },
  {
    "a.test": {},
    "ttl.test": { ttl: "60s" },
    "strip.test": { setCookie: "strip" },
    "refuse.test": { setCookie: "refuse" },
    "force.test": { forceTtl: "60s" },
  },
)
afterAll(() => world[Symbol.asyncDispose]())

async function thrice(target: string, host = "a.test"): Promise<ResponseMessage[]> {
  const responses: ResponseMessage[] = []
  while (responses.length < 3) responses.push(await world.ask(target, [`Host: ${host}`]))
  expect(responses.map(each => each.status)).toEqual([200, 200, 200])
  return responses
}
const bodies = (responses: ResponseMessage[]): string[] => responses.map(each => each.body)
const cookies = (responses: ResponseMessage[]): (string | undefined)[] => responses.map(each => each.fields["set-cookie"])

describe("O-21: Set-Cookie", () => {
  for (const [name, target, host] of [
    ["with a lifetime", "/lifetime", "a.test"],
    ["in two lines", "/two", "a.test"],
    ["without a lifetime, where the route has one", "/silent", "ttl.test"],
    ["where the route refuses", "/public?refuse", "refuse.test"],
    ["where the route has a lifetime whatever is said", "/lifetime?force", "force.test"],
  ] as const) {
    test(`${name}: everybody gets an answer of their own, and is told why`, async () => {
      const responses = await thrice(target, host)
      expect(bodies(responses)).toEqual(["1", "2", "3"])
      expect(cookies(responses).map(each => each?.split(",")[0])).toEqual(["sid=1", "sid=2", "sid=3"])
      for (const { fields } of responses) expect(fields["cache-status"]).toMatch(/; detail="?set-cookie\b/)
    })
  }

  for (const [name, target, host] of [
    ["in no-cache", "/named", "a.test"],
    ["in private", "/private-field", "a.test"],
    ["where the route strips", "/lifetime?strip", "strip.test"],
    ["with public", "/public", "a.test"],
  ] as const) {
    test(`${name}: the answer is for all, the cookie for nobody else than the one who caused it`, async () => {
      const responses = await thrice(target, host)
      expect(bodies(responses)).toEqual(["1", "1", "1"])
      expect(cookies(responses).slice(1)).toEqual([undefined, undefined])
      expect(world.asked(target)).toBe(1)
    })
  }

  test("of a 304: at most for the one whose request it answered", async () => {
    const responses = await thrice("/renewed")
    expect(bodies(responses)).toEqual(["first", "first", "first"])
    expect(cookies(responses)[0]).toBeUndefined()
    expect(["sid=2", undefined]).toContain(cookies(responses)[1])
    // Either a hit without the cookie, or, not trusting the 304, one more 304 of its own.
    expect([undefined, "sid=3"]).toContain(cookies(responses)[2])
  })
})
