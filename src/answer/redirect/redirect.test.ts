import { describe, expect, test } from "bun:test"
import { FAULT } from "../../base/index.ts"
import { ANSWER, Exchange, FAULT_VERDICT } from "../../flow/index.ts"
import { fakeAnswerDeps } from "../answer-deps.fixture.ts"
import redirect from "./redirect.ts"

function ask(options: unknown, of: Partial<Exchange>): { verdict: number; x: Exchange } {
  const x = Object.assign(new Exchange(), of)
  return { verdict: redirect.build(redirect.options.parse(options), fakeAnswerDeps())(x), x }
}

describe("redirect", () => {
  test("fills in what the request says", () => {
    const { verdict, x } = ask({ to: "https://$host$path$query" }, { host: "a.test", path: "/p", query: "?q" })
    expect(verdict).toBe(ANSWER)
    expect(x.status).toBe(308)
    expect(x.response.extra).toContain("Location: https://a.test/p?q\r\n")
  })

  test("stays on this host when the path looks like another one", () => {
    expect(ask({ to: "$path" }, { host: "a.test", path: "//evil.test" }).x.response.extra).toContain("Location: /evil.test\r\n")
  })

  test("without a host there is nowhere to go", () => {
    const { verdict, x } = ask({ to: "https://$host/" }, {})
    expect([verdict, x.fault]).toEqual([FAULT_VERDICT, FAULT.badHost])
  })
})
