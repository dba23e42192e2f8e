import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { errorCode, flag, frameType } from "../../support/h2/frames.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

// What crosses between HTTP/1.1 or HTTP/2 clients and an HTTP/2 peer (RFC 9113 sections 8.1 to 8.3, RFC 9110 section 7.6).

type Answer = (exchange: H2Exchange) => Promise<void> | void
const cookie = (kib: number): [string, string] => ["set-cookie", `c${kib}=${"x".repeat(kib * 1024)}`]
const answers: Record<string, Answer> = {
  "/echo": async exchange => {
    const { body } = await exchange.connection.response(exchange.streamId)
    const trailers = Object.entries(exchange.trailers ?? {})
    await exchange.respond(200, body, [], trailers.length > 0 ? trailers : undefined)
  },
  "/hints": async exchange => {
    exchange.informational(103, [["link", "</a.css>; rel=preload"]])
    exchange.informational(103, [["link", "</b.css>; rel=preload"]])
    await exchange.respond(200, "ok")
  },
  "/trailers": exchange => exchange.respond(200, "AAAABBBB", [], [["x-sum", "8"]]),
  "/trailers-only-after-head": exchange => exchange.respond(200, "", [], [["x-sum", "0"]]),
  "/cookies": exchange => exchange.respond(200, "", [cookie(3), cookie(3), cookie(3)]),
  "/cookies-40": exchange => exchange.respond(200, "", [cookie(40)]),
  "/cookies-300": exchange => exchange.respond(200, "", [cookie(300)]),
  "/many-fields": exchange =>
    exchange.respond(
      200,
      "",
      Array.from({ length: 600 }, (_, i): [string, string] => [`x-${i}`, "1"]),
    ),
  "/no-length": exchange => exchange.respond(200, "hello"),
  "/length": exchange => exchange.respond(200, "hello", [["content-length", "5"]]),
  "/head-length": exchange => exchange.head(200, [["content-length", "5"]], { end: exchange.method === "HEAD" }),
  "/204": exchange => exchange.head(204, [], { end: true }),
  "/204-end-later": exchange => {
    exchange.head(204)
    return exchange.end()
  },
  "/304": exchange => exchange.head(304, { etag: '"a"', "content-length": "500" }, { end: true }),
  "/empty": exchange => exchange.head(200, { "content-length": "0" }, { end: true }),
  "/padded": exchange => {
    exchange.head(200)
    exchange.connection.data(exchange.streamId, "hel", { pad: 200 })
    exchange.connection.data(exchange.streamId, "", { pad: 10 })
    exchange.connection.data(exchange.streamId, "lo", { pad: 0, end: true })
  },
  "/torn": exchange => {
    const { connection, streamId } = exchange
    connection.headers(
      streamId,
      [
        [":status", "200"],
        ["x-long", "y".repeat(40_000)],
      ],
      { end: true },
    )
  },
  "/early": async exchange => {
    await exchange.respond(403, "no")
    exchange.reset(errorCode.noError)
  },
  "/early-open": exchange => exchange.respond(403, "no"),
  "/continue": async exchange => {
    exchange.informational(100)
    await exchange.body()
    await exchange.respond(200, "thanks")
  },
  "/octets": exchange => exchange.respond(200, "", [["x-latin", "caf\xe9"]]),
}

const [port, tight] = (await freePorts(2)) as [number, number]
const origin = await h2Origin({ script: exchange => (answers[exchange.path] ?? answers["/length"]!)(exchange) })
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, via: false }, tight: { bind: `127.0.0.1:${tight}` } },
  clusters: {
    a: { peers: [origin.address], protocol: "http2" },
    tight: { peers: [origin.address], protocol: "http2", limits: { headBytesMax: "2KB", fieldsMax: 4 } },
  },
  routes: [
    { match: { listener: "tight" }, to: { cluster: "tight" } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  expect(origin.violations).toEqual([])
  await origin.close()
})

async function ask(target: string, { method = "GET", fields = "", body = "", to = port } = {}) {
  using client = await rawClient(to)
  client.send(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n${body}`)
  return await client.response(method)
}

async function ask2(path: string, more: Record<string, string> = {}, to = port) {
  using client = await rawH2Client(to)
  const response = await client.response(client.request({ ":path": path, ...more }))
  expect(client.violations).toEqual([])
  return response
}

const lastRequest = () => origin.requests.at(-1)!

describe("requests as the peer sees them", () => {
  test("of HTTP/1.1: pseudo fields, names in lower case, nothing of the other connection (O-11)", async () => {
    const fields =
      "Connection: keep-alive, X-Tmp\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nX-Tmp: 1\r\nX-Stay: 2\r\nCookie: a=1; b=2\r\n"
    expect((await ask("/x?y=1", { fields })).status).toBe(200)
    const { headers } = lastRequest()
    expect(headers).toMatchObject({
      ":method": "GET",
      ":scheme": "http",
      ":path": "/x?y=1",
      ":authority": "a.test",
      "x-stay": "2",
      cookie: "a=1; b=2",
    })
    for (const name of ["host", "connection", "keep-alive", "proxy-connection", "x-tmp", "te", "upgrade", "transfer-encoding"])
      expect(headers[name]).toBeUndefined()
  })
  test("te: trailers stays, from either version", async () => {
    await ask("/x", { fields: "TE: trailers, deflate\r\nConnection: TE\r\n" })
    expect(lastRequest().headers.te).toBe("trailers")
    await ask2("/x", { te: "trailers" })
    expect(lastRequest().headers.te).toBe("trailers")
  })
  test("chunked and plain bodies; END_STREAM on the head where there is none", async () => {
    const chunked = { method: "POST", fields: "Transfer-Encoding: chunked\r\n", body: "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" }
    expect((await ask("/echo", chunked)).body).toBe("abcde")
    expect(lastRequest().headers["content-length"]).toBeUndefined()
    expect((await ask("/echo", { method: "POST", fields: "Content-Length: 5\r\n", body: "abcde" })).body).toBe("abcde")
    expect(lastRequest().headers["content-length"]).toBe("5")
    await ask("/length")
    const { connection, streamId } = lastRequest()
    const frames = connection.frames.filter(each => each.streamId === streamId)
    expect(frames.map(({ type, flags }) => [type, flags & flag.endStream])).toEqual([[frameType.headers, 1]])
  })
  test("HTTP/1.0 and OPTIONS *", async () => {
    using client = await rawClient(port)
    client.send("GET /length HTTP/1.0\r\nHost: old.test\r\n\r\n")
    expect((await client.response()).body).toBe("hello")
    expect(lastRequest().headers[":authority"]).toBe("old.test")
    await ask("*", { method: "OPTIONS" })
    expect(lastRequest().headers).toMatchObject({ ":method": "OPTIONS", ":path": "*" })
  })
  for (const kib of [6, 12, 30]) {
    test(`O-47: a cookie of ${kib} KiB passes from either version`, async () => {
      const value = `a=${"x".repeat(kib * 1024)}`
      expect((await ask("/length", { fields: `Cookie: ${value}\r\n` })).status).toBe(200)
      expect(lastRequest().headers.cookie).toBe(value)
      expect((await ask2("/length", { cookie: value })).status).toBe(200)
      expect(lastRequest().headers.cookie).toBe(value)
    })
  }
  test("O-47: 70 KiB are refused before they reach it", async () => {
    const before = origin.requests.length
    expect((await ask("/length", { fields: `Cookie: a=${"x".repeat(70 * 1024)}\r\n` })).status).toBe(431)
    expect((await ask2("/length", { cookie: `a=${"x".repeat(70 * 1024)}` })).status).toBe(431)
    expect(origin.requests.length).toBe(before)
  })
})

describe("answers", () => {
  test("lengths: kept where the peer says one, else chunked for HTTP/1.1 and nothing for HTTP/2", async () => {
    expect(await ask("/length")).toMatchObject({ status: 200, body: "hello", fields: { "content-length": "5" } })
    expect(await ask("/no-length")).toMatchObject({ status: 200, body: "hello", fields: { "transfer-encoding": "chunked" } })
    expect((await ask2("/no-length")).headers["content-length"]).toBeUndefined()
    expect((await ask("/padded")).body).toBe("hello")
  })
  for (const [target, status, length] of [
    ["/204", 204, undefined],
    ["/204-end-later", 204, undefined],
    ["/304", 304, "500"],
    ["/empty", 200, "0"],
  ] as const) {
    test(`${target}: no body, and the connection goes on`, async () => {
      using client = await rawClient(port)
      for (let i = 0; i < 2; i++) {
        client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
        const { fields, ...answer } = await client.response()
        expect([answer.status, fields["content-length"], answer.body]).toEqual([status, length, ""])
      }
      expect(await ask2(target)).toMatchObject({ status, body: "", ended: true })
    })
  }
  test("HEAD", async () => {
    using client = await rawClient(port)
    for (let i = 0; i < 2; i++) {
      client.send("HEAD /head-length HTTP/1.1\r\nHost: a.test\r\n\r\n")
      expect(await client.response("HEAD")).toMatchObject({ status: 200, fields: { "content-length": "5" } })
    }
    expect(await ask2("/head-length", { ":method": "HEAD" })).toMatchObject({ status: 200, body: "", headers: { "content-length": "5" } })
  })
  test("O-07: trailers both ways, to and from either version", async () => {
    expect(await ask("/trailers", { fields: "TE: trailers\r\nConnection: TE\r\n" })).toMatchObject({ body: "AAAABBBB", trailers: "x-sum: 8\r\n" })
    expect((await ask2("/trailers", { te: "trailers" })).trailers).toEqual({ "x-sum": "8" })
    expect((await ask("/trailers-only-after-head", { fields: "TE: trailers\r\nConnection: TE\r\n" })).trailers).toBe("x-sum: 0\r\n")
    const body = "3\r\nabc\r\n0\r\nX-Up: 1\r\n\r\n"
    const up = await ask("/echo", { method: "POST", fields: "Transfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n", body })
    expect([up.body, up.trailers, lastRequest().trailers]).toEqual(["abc", "x-up: 1\r\n", { "x-up": "1" }])
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "POST", ":path": "/echo", te: "trailers" }, { end: false })
    client.data(id, "abc")
    client.headers(id, [["x-up", "2"]], { end: true })
    expect(await client.response(id)).toMatchObject({ body: "abc", trailers: { "x-up": "2" } })
  })
  test("O-09: every 103 in its order", async () => {
    using client = await rawClient(port)
    client.send("GET /hints HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const came = [await client.response(), await client.response(), await client.response()]
    expect(came.map(({ status, fields }) => [status, fields.link])).toEqual([
      [103, "</a.css>; rel=preload"],
      [103, "</b.css>; rel=preload"],
      [200, undefined],
    ])
    expect((await ask2("/hints")).informational.map(one => one.link)).toEqual(["</a.css>; rel=preload", "</b.css>; rel=preload"])
  })
  test("octets above 127 stay", async () => {
    expect((await ask("/octets")).head).toContain("x-latin: caf\xe9\r\n")
    expect((await ask2("/octets")).headers["x-latin"]).toBe("caf\xe9")
  })
  test("O-47: three cookies of 3 KiB and one of 40 KiB pass, each a field of its own; a section over CONTINUATION too", async () => {
    for (const [target, count] of [
      ["/cookies", 3],
      ["/cookies-40", 1],
    ] as const) {
      expect((await ask(target)).head.match(/set-cookie:/g)?.length).toBe(count)
      expect((await ask2(target)).fields.filter(([name]) => name === "set-cookie").length).toBe(count)
    }
    expect((await ask("/torn")).fields["x-long"]).toHaveLength(40_000)
  })
  for (const [target, to] of [
    ["/cookies-300", port],
    ["/many-fields", port],
    ["/cookies", tight],
  ] as const) {
    test(`O-47: over the limits: 502 that names it, the peer's other streams go on (${target})`, async () => {
      const before = origin.connections.length
      await ask("/length", { to })
      expect((await ask(target, { to })).status).toBe(502)
      expect((await ask("/length", { to })).status).toBe(200)
      expect(origin.connections.length).toBeLessThanOrEqual(before + 1)
      await until(() => proxy.log().some(line => line.target === target && line.fault === "upstream.fields-too-large"))
    })
  }
})

describe("an answer before the request is whole", () => {
  for (const target of ["/early", "/early-open"]) {
    test(target, async () => {
      using client = await rawClient(port)
      client.send(`POST ${target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\nstart`)
      expect(await client.response()).toMatchObject({ status: 403, body: "no" })
      using second = await rawH2Client(port)
      const id = second.request({ ":method": "POST", ":path": target }, { end: false })
      second.data(id, "start")
      expect(await second.response(id)).toMatchObject({ status: 403, body: "no", ended: true })
      // The peer is told that no more comes, and its connection goes on.
      const { connection, streamId } = lastRequest()
      if (target === "/early-open") expect(await connection.resetOf(streamId)).toBe(errorCode.cancel)
      expect((await ask("/length")).body).toBe("hello")
      expect(connection.ending).toBe("open")
    })
  }
})

test("O-08: Expect: 100-continue: the peer's 100, then the body", async () => {
  using client = await rawClient(port)
  client.send("PUT /continue HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
  expect((await client.response()).status).toBe(100)
  client.send("body")
  expect(await client.response()).toMatchObject({ status: 200, body: "thanks" })
  expect(lastRequest().headers.expect).toBe("100-continue")
})
