import { afterAll, describe, expect, test } from "bun:test"
import { answer, cachedOrigin, targetOf } from "./cached-origin.ts"

// O-21: the field that is not for others is for the one who asked (RFC 9111 sections 5.2.2.4 and 5.2.2.7 take it out of what is stored, not out of what is forwarded).

const lifetimes: Record<string, string> = {
  "/named": 'max-age=60, no-cache="Set-Cookie"',
  "/private-field": 'max-age=60, private="set-cookie"',
  "/public": "public, max-age=60",
}
const world = await cachedOrigin((request, n) =>
  answer(String(n), [`Cache-Control: ${lifetimes[targetOf(request)]}`, `Set-Cookie: sid=${n}`, `Set-Cookie: more=${n}`]),
)
afterAll(() => world[Symbol.asyncDispose]())

describe("O-21: the cookies reach who caused them, and nobody else", () => {
  for (const target of Object.keys(lifetimes)) {
    test(lifetimes[target]!, async () => {
      const responses = [await world.ask(target), await world.ask(target), await world.ask(target)]
      expect(responses.map(each => each.body)).toEqual(["1", "1", "1"])
      expect(responses.map(each => each.fields["set-cookie"])).toEqual(["sid=1, more=1", undefined, undefined])
    })
  }
})
