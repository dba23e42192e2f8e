import { describe, expect, test } from "bun:test"
import { Exchange } from "../../flow/index.ts"
import { BODY_LENGTH, Fields } from "../../http/index.ts"
import { BodyFeed } from "./body-feed.ts"
import icap from "./icap.ts"
import { IcapError } from "./icap-connection.ts"
import { answerWith, askWith, requestHead } from "./message.ts"

describe("a body that is fed", () => {
  test("parts of it, as they come", async () => {
    const feed = new BodyFeed(10)
    let came = false
    const three = feed.atLeast(3).then(() => (came = true))
    expect(feed.chunkCame(Buffer.from("ab"))).toBe(true)
    await Promise.resolve()
    expect(came).toBe(false)
    feed.chunkCame(Buffer.from("cd"))
    await three
    expect([feed.first(3).toString(), feed.slice(1).toString(), feed.isWholeWithin(4)]).toEqual(["abc", "bcd", false])
    feed.endCame()
    await feed.atLeast(100)
    expect([feed.isWholeWithin(4), feed.isWholeWithin(3), feed.over]).toEqual([true, false, false])
  })

  test("too much of it wakes whoever waits", async () => {
    const feed = new BodyFeed(3)
    const waits = feed.atLeast(100)
    expect(feed.chunkCame(Buffer.from("abcd"))).toBe(false)
    await waits
    expect(feed.over).toBe(true)
  })
})

function request(): Exchange {
  return Object.assign(new Exchange(), {
    method: "POST",
    scheme: "http",
    authority: "a.test",
    path: "/p",
    query: "?q",
    requestBody: BODY_LENGTH,
    requestLength: 3,
    request: Fields.of([
      ["Host", "a.test"],
      ["X-One", "1"],
      ["Content-Length", "3"],
    ]),
  })
}

describe("messages", () => {
  test("a request comes back as it was", () => {
    const x = request()
    x.request.extra = "Via: 1.1 us\r\n"
    const head = requestHead(x)
    expect(head).toBe("POST http://a.test/p?q HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nContent-Length: 3\r\nVia: 1.1 us\r\n\r\n")
    askWith(x, head, null)
    expect(x.request.render().split("\r\n").sort()).toEqual(["", "Content-Length: 3", "Host: a.test", "Via: 1.1 us", "X-One: 1"])
  })

  test.each([
    ["another host", "POST http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n"],
    ["another method", "GET http://a.test/ HTTP/1.1\r\n\r\n"],
    ["a space in the target", "POST /a b HTTP/1.1\r\n\r\n".replace("/a b", "/a\tb")],
    ["a field that is none", "POST http://a.test/ HTTP/1.1\r\nbad field: 1\r\n\r\n"],
    ["a field with a control character", "POST http://a.test/ HTTP/1.1\r\nX: a\x00b\r\n\r\n"],
  ])("%s is refused", (_, head) => {
    expect(() => askWith(request(), head, null)).toThrow(IcapError)
  })

  test("a response loses what frames it", () => {
    const x = request()
    answerWith(x, "HTTP/1.1 403 No\r\nContent-Type: text/html\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n", Buffer.from("no"))
    expect([x.status, x.reason, x.responseLength, x.response.extra.replace(/^Date.*\r\n/, "")]).toEqual([
      403,
      "Forbidden",
      2,
      "Content-Type: text/html\r\n",
    ])
    expect(() => answerWith(request(), "HTTP/1.1 99 No\r\n\r\n", Buffer.alloc(0))).toThrow(IcapError)
  })
})

test("options", () => {
  const ok = (options: object): boolean => icap.options.safeParse(options).success
  expect(ok({ server: "icap://127.0.0.1:1344", response: "scan" })).toBe(true)
  expect(ok({ server: "icap://127.0.0.1:1344" })).toBe(false)
  expect(ok({ server: "http://127.0.0.1", response: "scan" })).toBe(false)
  expect(ok({ server: "icaps://[::1]", request: "/a", preview: false })).toBe(true)
})
