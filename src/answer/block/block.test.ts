import { expect, test } from "bun:test"
import { ANSWER, Exchange, type Plan } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { fakeAnswerDeps } from "../answer-deps.fixture.ts"
import block from "./block.ts"

function asked(options: object, accept: string): Exchange {
  const x = Object.assign(new Exchange(), { host: "a.test", port: 80, method: "GET", path: "/" })
  x.plan = { route: { name: "games" } } as unknown as Plan
  x.request = Fields.of([["Accept", accept]])
  expect(block.build(block.options.parse(options), fakeAnswerDeps())(x)).toBe(ANSWER)
  return x
}

test("the route's name is the rule, on the page and in the notes", () => {
  const x = asked({ status: 451, message: "No games." }, "application/json")
  expect(JSON.parse(Buffer.from(x.localBody!).toString("utf8"))).toMatchObject({
    status: 451,
    rule: "games",
    message: "No games.",
    reference: x.notes!.reference,
  })
  expect([x.status, x.reason, x.notes?.rule, x.notes?.action, x.fault?.code]).toEqual([
    451,
    "Blocked by policy: games",
    "games",
    "block",
    "proxy.blocked",
  ])
})

test("a page for people", () => {
  expect(Buffer.from(asked({ title: "Stop" }, "text/html").localBody!).toString("utf8")).toContain("<h1>Stop</h1>")
})

test("says what is wrong", () => {
  expect(block.options.safeParse({ status: 200 }).success).toBe(false)
  expect(block.problems!(block.options.parse({ file: "/nowhere/page.html" }))[0]).toMatchObject({ severity: "error", at: ["file"] })
})
