import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const port = await freePort()
// Answers with the request's path and body, so that an answer in the wrong place shows.
const upstream = await recorder(request => {
  const [method, path] = request.start.split(" ")
  const body = `${path} ${request.body}`
  if (method === "HEAD") return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
  if (path!.startsWith("/204")) return "HTTP/1.1 204 No Content\r\n\r\n"
  if (path!.startsWith("/chunked")) return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
})
const local = { match: { path: "/local" }, to: { respond: { body: "/local " } } }
const proxy = await startBothways(
  reverseConfig(port, upstream.address, { listener: { limits: { requestsMax: 200 } }, routes: [local, { match: {}, to: { cluster: "a" } }] }),
)
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const requests: [text: string, method: string, answer: string][] = [
  ["GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET", "/1 "],
  ["POST /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello", "POST", "/2 hello"],
  ["HEAD /3 HTTP/1.1\r\nHost: a.test\r\n\r\n", "HEAD", ""],
  ["GET /local HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET", "/local "],
  ["POST /chunked4 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "POST", "/chunked4 abcde"],
  ["GET /204 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET", ""],
  ["PUT /5 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n", "PUT", "/5 "],
  ["\r\nGET /6 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET", "/6 "],
  ["POST /local HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nxyz", "POST", "/local "],
  ["GET /7 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET", "/7 "],
]
const whole = requests.map(([text]) => text).join("")

async function expectAnswers(client: Awaited<ReturnType<typeof rawClient>>): Promise<void> {
  for (const [, method, answer] of requests) expect((await client.response(method)).body).toBe(answer)
}

describe("pipelining (RFC 9112 section 9.3.2)", () => {
  test("all at once: answers in order", async () => {
    using client = await rawClient(port)
    client.send(whole)
    await expectAnswers(client)
    expect(client.unread).toBe("")
  })
  test("however the octets are cut", async () => {
    for (const piece of [1, 2, 3, 7, 13, 64, 101]) {
      using client = await rawClient(port)
      await client.sendSlowly(whole, piece, 0)
      await expectAnswers(client)
    }
  })
  test("behind a request that closes, and behind a bad one, nothing is served", async () => {
    for (const [first, status] of [
      ["GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 200],
      ["GET /1 HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400],
      ["GET /1 HTTP/1.0\r\nHost: a.test\r\n\r\n", 200],
    ] as const) {
      upstream.requests.length = 0
      using client = await rawClient(port)
      client.send(`${first}GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      const { status: got, fields } = await client.response()
      expect([got, fields.connection]).toEqual([status, "close"])
      expect(await client.toEnd()).toBe("")
      expect(upstream.requests.some(request => request.start.includes("evil"))).toBe(false)
    }
  })
  test("a body that the answer did not wait for is not taken for a request", async () => {
    using client = await rawClient(port)
    const smuggled = "GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n"
    client.send(`POST /local HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${smuggled.length}\r\n\r\n`)
    expect((await client.response()).body).toBe("/local ")
    client.send(`${smuggled}GET /8 HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    expect((await client.response()).body).toBe("/8 ")
  })
  test("requestsMax: the last answer says that it is the last", async () => {
    using client = await rawClient(port)
    client.send("GET /local HTTP/1.1\r\nHost: a.test\r\n\r\n".repeat(201))
    for (let i = 1; i <= 200; i++) expect((await client.response()).fields.connection).toBe(i < 200 ? undefined : "close")
    expect(await client.toEnd()).toBe("")
  })
})
