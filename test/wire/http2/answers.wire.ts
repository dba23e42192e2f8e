import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { flag, frameType } from "../../support/h2/frames.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// What becomes of an HTTP/1.1 answer on a stream (RFC 9113 sections 8.1 and 8.2.2).
const NO_ERROR = 0
const INTERNAL_ERROR = 2
const answers: Record<string, string> = {
  "/length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Upper: A\r\n\r\nhello",
  "/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "/empty": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "/empty-chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "/204": "HTTP/1.1 204 No Content\r\n\r\n",
  "/304": 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 500\r\n\r\n',
  "/hop":
    "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Tmp\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nUpgrade: h2\r\nX-Tmp: 1\r\nX-Stay: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "/cookies": "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
  "/odd": "HTTP/1.1 200 \xe9t\xe9\r\nX-Latin: caf\xe9\r\nContent-Length: 2\r\n\r\nok",
  "/control": "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\x01b\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
  "/trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nAAAA\r\n4\r\nBBBB\r\n0\r\nX-Sum: 8\r\n\r\n",
  "/hints":
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\nHTTP/1.1 199 Odd\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "/101": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  "/early": "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
  "/continue": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}
const cuts: Record<string, string> = {
  "/cut-chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
  "/cut-length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
  "/cut-head": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
}
const [port, tight] = (await freePorts(2)) as [number, number]
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    const [method, target] = head.split(" ") as [string, string]
    if (target === "/continue") {
      connection.send(answers[target]!.slice(0, 25))
      await connection.bytes(4)
      connection.send(answers[target]!.slice(25))
    } else if (target === "/wait") await connection.bytes(3_600_000, 3_600_000)
    else if (target === "/by-close") {
      connection.send("HTTP/1.1 200 OK\r\n\r\nhello")
      return connection.fin()
    } else if (target in cuts) {
      connection.send(cuts[target]!)
      await pause(50)
      return target === "/cut-length" ? connection.fin() : connection.reset()
    } else {
      const answer = answers[target] ?? answers["/length"]!
      connection.send(method === "HEAD" ? answer.slice(0, answer.indexOf("\r\n\r\n") + 4) : answer)
    }
  }
})
const silent = await scriptedServer(connection => connection.pause())
const proxy = await startBothways({
  listeners: {
    web: { bind: `127.0.0.1:${port}` },
    tight: {
      bind: `127.0.0.1:${tight}`,
      limits: { bodyBytesMax: 1000, headBytesMax: 2048, fieldsMax: 20, targetBytesMax: 256 },
      timeouts: { body: "300ms" },
    },
  },
  clusters: {
    a: { peers: [upstream.address] },
    gone: { peers: ["127.0.0.1:1"] },
    silent: { peers: [silent.address], tls: { verify: false }, timeouts: { connect: "300ms" } },
  },
  routes: [
    { match: { path: "/missing" }, to: { respond: { status: 404 } } },
    { match: { path: "/gone" }, to: { cluster: "gone" } },
    { match: { path: "/silent" }, to: { cluster: "silent" } },
    { match: { path: "/local" }, to: { respond: { body: "local" } } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
  await silent.close().catch(() => {})
})

const get = (client: RawH2Client, path: string, more: Record<string, string> = {}) => client.response(client.request({ ":path": path, ...more }))
const types = (client: RawH2Client, id: number) =>
  client.frames.filter(each => each.streamId === id && each.type !== frameType.windowUpdate).map(({ type, flags }) => [type, flags & flag.endStream])

describe("bodies", () => {
  test("content-length is kept, names are lower case, END_STREAM comes with the last octets", async () => {
    using client = await rawH2Client(port)
    const { status, headers, body } = await get(client, "/length")
    expect([status, headers["content-length"], headers["x-upper"], body]).toEqual([200, "5", "A", "hello"])
    expect(types(client, 1)).toEqual([
      [frameType.headers, 0],
      [frameType.data, 1],
    ])
    expect(client.violations).toEqual([])
  })
  for (const path of ["/chunked", "/by-close"]) {
    test(`${path}: unknown length, no content-length`, async () => {
      using client = await rawH2Client(port)
      const { headers, body, ended } = await get(client, path)
      expect([headers["content-length"], body, ended]).toEqual([undefined, "hello", true])
    })
  }
  for (const [path, status, length] of [
    ["/empty", 200, "0"],
    ["/204", 204, undefined],
    ["/304", 304, "500"],
  ] as const) {
    test(`${path}: no body, END_STREAM on HEADERS`, async () => {
      using client = await rawH2Client(port)
      const { headers } = await get(client, path)
      expect([headers[":status"], headers["content-length"]]).toEqual([String(status), length])
      expect(types(client, 1)).toEqual([[frameType.headers, 1]])
    })
  }
  test("chunked and empty: nothing but the end", async () => {
    using client = await rawH2Client(port)
    const { body, ended, headers } = await get(client, "/empty-chunked")
    expect([body, ended, headers["content-length"]]).toEqual(["", true, undefined])
  })
  for (const [path, length] of [
    ["/length", "5"],
    ["/chunked", undefined],
    ["/local", "5"],
  ] as const) {
    test(`HEAD ${path}`, async () => {
      using client = await rawH2Client(port)
      const id = client.request({ ":method": "HEAD", ":path": path })
      const { status, headers, body } = await client.response(id)
      expect([status, headers["content-length"], body]).toEqual([200, length, ""])
      expect(types(client, id)).toEqual([[frameType.headers, 1]])
      // The stream behind it is in step.
      expect((await get(client, "/length")).body).toBe("hello")
    })
  }
})

describe("fields", () => {
  test("O-11: nothing of the other connection crosses", async () => {
    using client = await rawH2Client(port)
    const { fields, body } = await get(client, "/hop")
    expect(body).toBe("ok")
    expect(fields.map(([name]) => name).filter(name => name !== "via")).toEqual([":status", "x-stay"])
    expect(client.violations).toEqual([])
  })
  test("repeated ones stay apart, octets above 127 stay, control octets do not cross", async () => {
    using client = await rawH2Client(port)
    const cookies = (await get(client, "/cookies")).fields.filter(([name]) => name === "set-cookie")
    expect(cookies.map(([, value]) => value)).toEqual(["a=1", "b=2"])
    expect((await get(client, "/odd")).headers["x-latin"]).toBe("caf\xe9")
    const odd = await get(client, "/control")
    expect(odd.fields.some(([, value]) => value.includes("\x01"))).toBe(false)
    expect(client.violations).toEqual([])
  })
  test("O-07: trailers arrive, announced or not, in a section of their own", async () => {
    using client = await rawH2Client(port)
    const { body, trailers, headers, ended } = await get(client, "/trailers", { te: "trailers" })
    expect([body, trailers, headers["x-sum"], ended]).toEqual(["AAAABBBB", { "x-sum": "8" }, undefined, true])
    expect((await get(client, "/trailers")).body).toBe("AAAABBBB")
  })
  test("O-09: every 1xx in its order, and nothing of it in the answer", async () => {
    using client = await rawH2Client(port)
    const { status, headers, informational, body } = await get(client, "/hints")
    expect([status, body, headers.link]).toEqual([200, "ok", undefined])
    expect(informational.map(one => [one[":status"], one.link])).toEqual([
      ["103", "</a.css>; rel=preload"],
      ["103", "</b.css>; rel=preload"],
      ["199", undefined],
    ])
  })
  test("O-14 e: 101 that nobody asked for is 502", async () => {
    using client = await rawH2Client(port)
    expect((await get(client, "/101")).status).toBe(502)
  })
})

describe("O-05: an answer that is cut ends in RST_STREAM, never in END_STREAM", () => {
  for (const path of ["/cut-chunked", "/cut-length", "/cut-head"]) {
    test(path, async () => {
      using client = await rawH2Client(port)
      const { resetCode, ended } = await get(client, path)
      expect([resetCode, ended]).toEqual([INTERNAL_ERROR, false])
      expect((await get(client, "/local")).body).toBe("local")
      await until(() => proxy.log().some(line => line.target === path && line.fault === "upstream.truncated" && line.version === "2.0"))
    })
  }
})

describe("an answer before the request is whole", () => {
  test("of the origin: the answer, then RST_STREAM with NO_ERROR", async () => {
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "POST", ":path": "/early" }, { end: false })
    client.data(id, "x".repeat(1000))
    const { status, body, ended } = await client.response(id)
    expect([status, body, ended]).toEqual([403, "no", true])
    expect(await client.resetOf(id)).toBe(NO_ERROR)
    // What was on its way is no mistake.
    client.data(id, "x".repeat(1000), { end: true })
    expect((await get(client, "/local")).body).toBe("local")
  })
  test("of our own: 404, and the upload need not go on", async () => {
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "POST", ":path": "/missing" }, { end: false })
    expect((await client.response(id)).status).toBe(404)
    expect(await client.resetOf(id)).toBe(NO_ERROR)
  })
  test("an upload that stands still here and is whole at the client: its stream is over with the answer", async () => {
    using client = await rawH2Client(port)
    // Together more than streamsMax: none may be left behind.
    for (let round = 0; round < 2; round++) {
      const head = { ":method": "POST", ":path": "/silent", "content-length": "100000" }
      const ids = Array.from({ length: 100 }, () => client.request(head, { body: Buffer.alloc(100_000) }))
      for (const id of ids) expect((await client.response(id)).status).toBe(504)
    }
  })
  test("two hundred refused uploads in a row harm nobody", async () => {
    using client = await rawH2Client(port)
    for (let i = 0; i < 200; i++) {
      const id = client.request({ ":method": "POST", ":path": "/missing" }, { end: false })
      // A window's worth is on its way before the client hears of it.
      for (let part = 0; part < 3; part++) client.data(id, Buffer.alloc(16_384))
      if (i % 20 === 0) await client.resetOf(id)
    }
    await client.roundTrip()
    expect((await get(client, "/local")).body).toBe("local")
    expect(client.goaways).toEqual([])
  })
})

describe("refused by limits, with a status and without harm to other streams", () => {
  const ask = async (fields: Record<string, string>, body?: string): Promise<[status: number, fault: string | undefined]> => {
    using client = await rawH2Client(tight)
    const id = body === undefined ? client.request(fields) : client.request({ ":method": "POST", ...fields }, { body })
    const response = await client.response(id)
    expect((await get(client, "/local")).body).toBe("local")
    return [response.status, /fault: (\S+)/.exec(response.body)?.[1]]
  }
  test("414", async () => expect(await ask({ ":path": `/${"x".repeat(256)}` })).toEqual([414, "client.target-too-long"]))
  test("431: too long", async () => expect(await ask({ x: "x".repeat(2048) })).toEqual([431, "client.fields-too-large"]))
  test("431: too many", async () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x${i}`, ""]))
    expect(await ask(many)).toEqual([431, "client.fields-too-large"])
  })
  test("413: announced", async () => expect(await ask({ "content-length": "1001" }, "x".repeat(1001))).toEqual([413, "client.body-too-large"]))
  test("413: not announced", async () => expect(await ask({}, "x".repeat(1001))).toEqual([413, "client.body-too-large"]))
  test("exactly the limit passes", async () => expect((await ask({}, "x".repeat(1000)))[0]).toBe(200))
  test("417", async () => expect(await ask({ expect: "a-miracle" })).toEqual([417, "client.expectation-failed"]))
  test("502", async () => expect(await ask({ ":path": "/gone" })).toEqual([502, "upstream.connect-refused"]))
  test("408: a body that stops", async () => {
    using client = await rawH2Client(tight)
    const id = client.request({ ":method": "POST", ":path": "/wait", "content-length": "10" }, { end: false })
    client.data(id, "half")
    const { status, body } = await client.response(id)
    expect([status, body.includes("client.body-timeout")]).toEqual([408, true])
  })
})

describe("O-08: Expect: 100-continue", () => {
  test("the origin's 100 arrives once, then the answer", async () => {
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "PUT", ":path": "/continue", expect: "100-continue", "content-length": "4" }, { end: false })
    await client.waitFor(() => client.stream(id).informational.length, "100")
    client.data(id, "body", { end: true })
    const { status, body, informational } = await client.response(id)
    expect([status, body, informational.map(one => one[":status"])]).toEqual([200, "ok", ["100"]])
  })
  test("refused at once: no 100", async () => {
    using client = await rawH2Client(port)
    const id = client.request({ ":method": "PUT", ":path": "/early", expect: "100-continue", "content-length": "4" }, { end: false })
    const { status, informational } = await client.response(id)
    expect([status, informational]).toEqual([403, []])
  })
})
