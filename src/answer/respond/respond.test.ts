import { describe, expect, test } from "bun:test"
import { ANSWER, Exchange } from "../../flow/index.ts"
import { fakeAnswerDeps } from "../answer-deps.fixture.ts"
import respond from "./respond.ts"

function answer(options: unknown): Exchange {
  const x = new Exchange()
  expect(respond.build(respond.options.parse(options), fakeAnswerDeps())(x)).toBe(ANSWER)
  return x
}

describe("respond", () => {
  test("text with its type and length", () => {
    const x = answer({ body: "grüß" })
    expect([x.status, x.responseLength, Buffer.from(x.localBody!).toString()]).toEqual([200, 6, "grüß"])
    expect(x.response.extra).toContain("Content-Type: text/plain; charset=utf-8\r\n")
  })

  test("a type of one's own, and no body with 204", () => {
    expect(answer({ body: "{}", headers: { "content-type": "application/json" } }).response.extra).not.toContain("text/plain")
    expect(answer({ status: 204, body: "x" }).localBody).toBeNull()
  })

  test("a 2xx is said to be one, for CONNECT", () => {
    expect([200, 403].map(status => respond.says2xx!(respond.options.parse({ status })))).toEqual([true, false])
  })

  test.each([[{ headers: { "Content-Length": "1" } }], [{ headers: { a: "b\r\nc" } }], [{ status: 99 }], [{ text: "" }]])("refuses %j", options => {
    expect(respond.options.safeParse(options).success).toBe(false)
  })
})
