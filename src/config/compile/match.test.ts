import { describe, expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../../base/index.ts"
import { Exchange } from "../../flow/index.ts"
import { rulePath, rulePathResult } from "../../http/index.ts"
import { compileMatch } from "./match.ts"

const clock = new FakeClock()
const deps = { reading: (name: string) => ({ name, text: "", read: () => 0 }), time: { clock, wheel: new TimerWheel(0) } }
const matchOf = (rules: Record<string, unknown>) =>
  compileMatch({ rules: Object.entries(rules).map(([name, options]) => ({ name, options })), when: null }, deps)

function asked(path: string, host = "a.test"): Exchange {
  const x = Object.assign(new Exchange(), { host, method: "GET", port: 80 })
  x.rulePath = rulePath(path)
  x.path = rulePathResult.forwardPath
  x.encodedSlash = rulePathResult.encodedSlash
  return x
}

describe("match", () => {
  test("all conditions must hold, in order, and the first that does not says why", () => {
    const match = matchOf({ host: "a.test", path: "/a/*", method: "GET" })
    expect([match.names, match.holds(asked("/a/b")), match.failure(asked("/a/b"))]).toEqual([["host", "path", "method"], true, ""])
    expect([match.holds(asked("/b")), match.failure(asked("/b"))]).toEqual([false, "path is /b, not /a/*"])
    expect(matchOf({}).holds(asked("/"))).toBe(true)
  })

  test("what is refused is refused in any reading of an encoded slash, what is allowed must be so in all of them", () => {
    const secret = matchOf({ path: "/secret/*" })
    const spelt = asked("/secret%2f1")
    expect([secret.holds(spelt), secret.holdsInOne(spelt), secret.holdsInAll(spelt)]).toEqual([false, true, false])
    const top = matchOf({ url: "~^http://a\\.test/[^/]+$" })
    expect([top.holds(spelt), top.holdsInOne(spelt), top.holdsInAll(spelt)]).toEqual([true, true, false])
    expect(spelt.rulePath).toBe("/secret%2F1")
    const plain = asked("/secret/1")
    expect([secret.holdsInOne(plain), secret.holdsInAll(plain)]).toEqual([true, true])
    expect(matchOf({ host: "a.test" }).holdsInAll(spelt)).toBe(true)
  })
})
