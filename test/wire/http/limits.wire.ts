import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

const [tight, wide, hasty] = (await freePorts(3)) as [number, number, number]
const upstream = await recorder(request => (request.start.includes("/never") ? "" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
const limits = { headBytesMax: 2048, targetBytesMax: 256, fieldsMax: 20, bodyBytesMax: 1000 }
const proxy = await startBothways({
  listeners: {
    tight: { bind: `127.0.0.1:${tight}`, http2: false, limits },
    wide: { bind: `127.0.0.1:${wide}` },
    hasty: { bind: `127.0.0.1:${hasty}`, timeouts: { head: "200ms", body: "200ms", idle: "700ms" } },
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { match: { path: "/more" }, bodyBytesMax: 2000, to: { cluster: "a" } },
    { match: { path: "/less" }, bodyBytesMax: 100, to: { cluster: "a" } },
    { match: { path: "/local" }, to: { respond: { body: "local" } } },
    { match: { path: "/never" }, timeouts: { request: "200ms" }, to: { cluster: "a" } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

/** Sends this and gives the answer, which must be the connection's last when it is an error. */
async function ask(port: number, text: string, more = ""): Promise<ResponseMessage> {
  using client = await rawClient(port)
  client.send(text)
  if (more !== "") {
    await until(() => upstream.server.received.length > 0)
    client.send(more)
  }
  const response = await client.response()
  if (response.status >= 400) {
    expect(response.fields.connection).toBe("close")
    expect(await client.ended()).toBe("fin")
  }
  return response
}

const post = (path: string, framing: string, body = "") => `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n${body}`
const chunk = (length: number) => `${length.toString(16)}\r\n${"x".repeat(length)}\r\n`

describe("413: bodies over bodyBytesMax", () => {
  test("a declared length is refused before anything goes upstream", async () => {
    const before = upstream.server.received.length
    expect((await ask(tight, post("/", "Content-Length: 1001"))).status).toBe(413)
    expect((await ask(tight, post("/", "Content-Length: 999999999999", "xxxx"))).status).toBe(413)
    expect((await ask(tight, post("/local", "Content-Length: 1001"))).status).toBe(413)
    expect(upstream.server.received.length).toBe(before)
  })
  test("with Expect: 100-continue the client is not told to send it", async () => {
    expect((await ask(tight, post("/", "Content-Length: 1001\r\nExpect: 100-continue"))).status).toBe(413)
  })
  test("a chunked one is refused where it goes over, and the upstream does not take its part for the whole", async () => {
    upstream.requests.length = 0
    expect((await ask(tight, post("/", "Transfer-Encoding: chunked", chunk(600)), chunk(600))).status).toBe(413)
    expect((await ask(tight, post("/", "Transfer-Encoding: chunked", `${chunk(600)}${chunk(401)}0\r\n\r\n`))).status).toBe(413)
    expect(upstream.requests).toEqual([])
  })
  test("exactly the limit passes", async () => {
    expect((await ask(tight, post("/", "Content-Length: 1000", "x".repeat(1000)))).status).toBe(200)
    expect((await ask(tight, post("/", "Transfer-Encoding: chunked", `${chunk(500)}${chunk(500)}0\r\n\r\n`))).status).toBe(200)
  })
  test("a route may say more or less, and another listener's limit is not ours", async () => {
    expect((await ask(tight, post("/more", "Content-Length: 2000", "x".repeat(2000)))).status).toBe(200)
    expect((await ask(tight, post("/more", "Content-Length: 2001"))).status).toBe(413)
    expect((await ask(wide, post("/less", "Content-Length: 101"))).status).toBe(413)
    expect((await ask(wide, post("/less", "Transfer-Encoding: chunked", chunk(101)))).status).toBe(413)
    expect((await ask(wide, post("/", "Content-Length: 5000", "x".repeat(5000)))).status).toBe(200)
  })
})

const get = (target: string, lines = "") => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`
const heads: [name: string, text: string, status: number, fault: string][] = [
  ["414: a target over targetBytesMax", get(`/${"x".repeat(256)}`), 414, "client.target-too-long"],
  ["414 while the target still comes", `GET /${"x".repeat(300)}`, 414, "client.target-too-long"],
  ["431: a field that is too long", get("/", `X: ${"x".repeat(2048)}\r\n`), 431, "client.fields-too-large"],
  ["431: too many fields", get("/", "X: 1\r\n".repeat(20)), 431, "client.fields-too-large"],
  ["431 while the field still comes", `GET / HTTP/1.1\r\nHost: a.test\r\nX: ${"x".repeat(4000)}`, 431, "client.fields-too-large"],
  ["505: HTTP/2.0", "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", 505, "client.version-unsupported"],
  ["505: the preface of HTTP/2 where it is off", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "client.version-unsupported"],
  ["505: HTTP/0.9 in words", "GET / HTTP/0.9\r\n\r\n", 505, "client.version-unsupported"],
  ["400: HTTP/0.9", "GET /\r\n", 400, "client.malformed"],
  ["501: a transfer coding that we do not know", post("/", "Transfer-Encoding: gzip"), 501, "client.method-unsupported"],
  ["400: a coding behind chunked", post("/", "Transfer-Encoding: chunked, gzip"), 400, "client.malformed"],
  ["417: an expectation that we do not know", get("/", "Expect: a-miracle\r\n"), 417, "client.expectation-failed"],
  ["417: a known one among others", get("/", "Expect: 100-continue, x\r\n"), 417, "client.expectation-failed"],
]

describe("heads that are refused", () => {
  for (const [name, text, status] of heads) {
    test(name, async () => {
      const before = upstream.requests.length
      expect((await ask(tight, text)).status).toBe(status)
      expect(upstream.requests.length).toBe(before)
    })
  }
  test("exactly the limits pass", async () => {
    expect((await ask(tight, get(`/${"x".repeat(255)}`))).status).toBe(200)
    expect((await ask(tight, get("/", "X: 1\r\n".repeat(19)))).status).toBe(200)
  })
})

describe("408 and 504: time", () => {
  test("a head that does not come whole", async () => {
    const begun = performance.now()
    expect((await ask(hasty, "GET / HTTP/1.1\r\nHost:")).status).toBe(408)
    expect(performance.now() - begun).toBeGreaterThan(190)
  })
  test("dripping octets do not put the head's deadline off", async () => {
    using client = await rawClient(hasty)
    const begun = performance.now()
    const dripping = client.sendSlowly("GET / HTTP/1.1\r\nHost: a.te", 1, 20)
    expect((await client.response()).status).toBe(408)
    expect(performance.now() - begun).toBeLessThan(1000)
    client.destroy()
    await dripping
  })
  test("a body that stops", async () => {
    expect((await ask(hasty, post("/", "Content-Length: 10", "half"))).status).toBe(408)
  })
  test("a connection without a request ends without a word", async () => {
    // The first request is awaited as long as a head may take, the others as long as a connection may be idle.
    const begun = performance.now()
    using client = await rawClient(hasty)
    expect(await client.toEnd()).toBe("")
    const first = performance.now() - begun
    using second = await rawClient(hasty)
    second.send("GET /local HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await second.response()).body).toBe("local")
    expect(await second.toEnd()).toBe("")
    const next = performance.now() - begun - first
    expect([first > 190, first < 600, next > 690]).toEqual([true, true, true])
  })
  test("the request timeout of a route: 504, and the client may stay", async () => {
    using client = await rawClient(wide)
    const begun = performance.now()
    client.send("GET /never HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const { status, fields } = await client.response()
    expect([status, fields.connection]).toEqual([504, undefined])
    expect(performance.now() - begun).toBeLessThan(600)
    const connection = upstream.server.connections.find(one => one.received.includes("/never"))!
    expect(await connection.ended()).not.toBe("open")
    client.send("GET /local HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response()).body).toBe("local")
  })
})

test("each has its fault in the log", async () => {
  const faults = new Set([
    ...heads.map(([, , , fault]) => fault),
    "client.body-too-large",
    "client.head-timeout",
    "client.body-timeout",
    "proxy.request-timeout",
  ])
  const logged = () => new Set(proxy.log().map(line => String(line.fault)))
  await until(() => [...faults].every(fault => logged().has(fault)), undefined, [...faults].join(", "))
})
