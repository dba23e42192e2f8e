import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { startBothways } from "../../support/bothways.ts"
import { bulkHash, bulkOctets, MemoryWatch, residentAtRest } from "../../support/bulk.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { type H3Script, h3Origin } from "../../support/h3/h3-origin.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { secureListener, testSite } from "../../support/h3/secure-config.ts"
import { figure } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"
import { echo as echoText, openWebSocket } from "../../support/web-socket.ts"

// A peer that speaks HTTP/3 (RFC 9114), clients that speak each version.
const MB = 1024 * 1024
const script: H3Script = async exchange => {
  const { path, stream } = exchange
  if (path === "/echo") {
    stream.take = null
    return exchange.respond(200, await exchange.body(15_000))
  }
  if (path === "/trailers") {
    const { body, trailers } = await stream.response()
    return exchange.respond(200, body, [["x-got", trailers?.["x-sum"] ?? "none"]], [["x-sum", "7"]])
  }
  if (path === "/announced") {
    exchange.head(200, [
      ["content-length", "3"],
      ["trailer", "x-sum"],
    ])
    await stream.data("abc")
    stream.head([["x-sum", "7"]], "trailing")
    return
  }
  if (path === "/hints") {
    exchange.head(103, [["link", "</a.css>"]])
    return exchange.respond(200, "ok")
  }
  if (path === "/204") return exchange.respond(204)
  if (path === "/head") return exchange.head(200, [["content-length", "5"]], { end: true })
  if (path.startsWith("/big/")) {
    const size = Number(path.slice(5))
    exchange.head(200, [["content-length", String(size)]])
    for (let at = 0; at < size; ) {
      const piece = bulkOctets(at, Math.min(size, at + 128 * 1024))
      await stream.data(piece)
      at += piece.length
    }
    stream.quic!.end()
    return
  }
  if (path === "/grpc") {
    return exchange.respond(200, "\0\0\0\0\x02ok", [["content-type", "application/grpc"]], [["grpc-status", "0"]])
  }
  if (path === "/grpc-bare")
    return exchange.head(
      200,
      [
        ["content-type", "application/grpc"],
        ["grpc-status", "5"],
      ],
      { end: true },
    )
  if (path === "/early") {
    exchange.head(413, [["content-length", "3"]])
    return stream.data("no!", { end: true })
  }
  if (path === "/ws") {
    exchange.head(200)
    stream.take = chunk => void stream.data(unmasked(chunk))
    return
  }
  return exchange.respond(200, `${exchange.method} ${path}`)
}
/** The frame of a client as one of a server's. */
function unmasked(chunk: Uint8Array): Buffer {
  const length = chunk[1]! & 127
  const mask = chunk.subarray(2, 6)
  const payload = chunk.subarray(6, 6 + length).map((octet, i) => octet ^ mask[i % 4]!)
  return Buffer.concat([Buffer.from([chunk[0]!, length]), payload])
}

const origin = h3Origin({ script })
const [plain, secure] = (await freePorts(2)) as [number, number]
const proxy = await startBothways({
  listeners: { plain: { bind: `127.0.0.1:${plain}` }, secure: { bind: `127.0.0.1:${secure}`, ...secureListener() } },
  clusters: {
    a: { peers: [origin.address], protocol: "http3", tls: { ca: testSite().authority.ca.certFile, serverName: "a.test" } },
  },
  routes: [{ match: {}, to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

async function ask(text: string, method = "GET") {
  using client = await rawClient(plain)
  client.send(text)
  return await client.response(method)
}
const get = (path: string, method = "GET", more = "") => ask(`${method} ${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`, method)
const last = () => origin.requests.at(-1)!

describe("an HTTP/1.1 client", () => {
  test("GET: pseudo fields, and nothing of the connection", async () => {
    expect(await get("/x?y=z", "GET", "X-A: 1\r\nConnection: keep-alive, X-B\r\nX-B: 2\r\nTE: gzip\r\n")).toMatchObject({
      status: 200,
      body: "GET /x?y=z",
    })
    const { headers, fields } = last().stream
    expect([headers[":method"], headers[":scheme"], headers[":authority"], headers[":path"], headers["x-a"]]).toEqual([
      "GET",
      "https",
      "a.test",
      "/x?y=z",
      "1",
    ])
    expect(fields!.map(([name]) => name).filter(name => ["connection", "x-b", "te", "host", "keep-alive"].includes(name))).toEqual([])
    await until(() => proxy.log().some(line => line["target"] === "/x?y=z" && line["peer"] === origin.address && line["status"] === 200))
  })
  test("POST by length and chunked, trailers both ways", async () => {
    expect((await get("/echo", "POST", "Content-Length: 5\r\n\r\nhello")).body).toBe("hello")
    expect(last().stream.headers["content-length"]).toBe("5")
    const chunked =
      "POST /trailers HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
    const answer = await ask(chunked)
    expect([answer.body, answer.fields["x-got"], answer.trailers]).toEqual(["abc", "9", "x-sum: 7\r\n"])
    expect(last().stream.headers["transfer-encoding"]).toBeUndefined()
  })
  test("HEAD, 204, 103, an empty answer", async () => {
    expect(await get("/head", "HEAD")).toMatchObject({ status: 200, body: "", fields: { "content-length": "5" } })
    expect(await get("/204")).toMatchObject({ status: 204, body: "" })
    using client = await rawClient(plain)
    client.send("GET /hints HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response()).status).toBe(103)
    expect(await client.response()).toMatchObject({ status: 200, body: "ok" })
  })
  test("an early answer to an unfinished upload", async () => {
    using client = await rawClient(plain)
    client.send("POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5000000\r\n\r\nabc")
    expect(await client.response()).toMatchObject({ status: 413, body: "no!" })
    await until(() => last().stream.resetCode !== null || last().stream.closed !== null)
  })
  test("a WebSocket becomes an extended CONNECT", async () => {
    using client = await rawClient(plain)
    await openWebSocket(client)
    expect(last().stream.headers).toMatchObject({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/ws" })
    expect(await echoText(client, "hello")).toBe("hello")
  })
})

describe("the other versions", () => {
  test("gRPC over HTTP/2: trailers behind the body, and without one", async () => {
    using client = await rawH2Client(plain)
    const head = { ":method": "POST", te: "trailers", "content-type": "application/grpc" }
    const answer = await client.response(client.request({ ...head, ":path": "/grpc" }, { body: "\0\0\0\0\x02hi" }))
    expect([answer.body, answer.trailers?.["grpc-status"]]).toEqual(["\0\0\0\0\x02ok", "0"])
    expect(last().stream.headers["te"]).toBe("trailers")
    const bare = await client.response(client.request({ ...head, ":path": "/grpc-bare" }, { body: "\0\0\0\0\x02hi" }))
    expect([bare.status, bare.headers["grpc-status"], bare.ended]).toEqual([200, "5", true])
  })
  test("trailers that are announced are waited for, though the length has come", async () => {
    using client = await rawH2Client(plain)
    const answer = await client.response(client.request({ ":path": "/announced", te: "trailers" }))
    expect([answer.body, answer.headers["content-length"], answer.trailers?.["x-sum"]]).toEqual(["abc", "3", "7"])
  })
  test("HTTP/3 on both sides: bodies, trailers, two hundred at the same time", async () => {
    using client = await rawH3Client(secure)
    const stream = client.request({ ":method": "POST", ":path": "/trailers" }, { end: false })
    await stream.data("abc")
    stream.head([["x-sum", "9"]], "trailing")
    expect(await stream.response()).toMatchObject({ body: "abc", headers: { "x-got": "9" }, trailers: { "x-sum": "7" }, ended: true })
    using other = await rawH3Client(secure)
    const many = Array.from({ length: 200 }, (_, i) => (i % 2 ? client : other).request({ ":path": `/many/${i}` }).response())
    expect((await Promise.all(many)).map(({ body }) => body)).toEqual(many.map((_, i) => `GET /many/${i}`))
  })
})

describe("big bodies", () => {
  test("32 MB down and 8 MB up, octet for octet; memory stays", async () => {
    const rest = await residentAtRest(proxy.pid)
    using watch = new MemoryWatch(proxy.pid)
    const hash = createHash("sha256")
    const answer = await fetch(`http://127.0.0.1:${plain}/big/${32 * MB}`)
    for await (const chunk of answer.body!) hash.update(chunk)
    expect(hash.digest("hex")).toBe(bulkHash(32 * MB))
    const body = Buffer.concat(Array.from({ length: 9 }, (_, i) => bulkOctets(i * 1_000_000, (i + 1) * 1_000_000)))
    const echoed = Buffer.from(await (await fetch(`http://127.0.0.1:${plain}/echo`, { method: "POST", body })).arrayBuffer())
    expect(echoed.equals(body)).toBe(true)
    figure("grown by MB", (watch.peak - rest) / MB)
    expect((watch.peak - rest) / MB).toBeLessThan(96)
  }, 20_000)
  test("a client that does not read: the peer is held back", async () => {
    const rest = await residentAtRest(proxy.pid)
    using watch = new MemoryWatch(proxy.pid)
    using client = await rawClient(plain)
    client.pause()
    client.send(`GET /big/${200 * MB} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    const before = origin.requests.length
    await until(() => origin.requests.length > before || origin.requests.at(-1)!.path.startsWith("/big/209"))
    await Bun.sleep(1500)
    figure("grown by MB", (watch.peak - rest) / MB)
    expect((watch.peak - rest) / MB).toBeLessThan(64)
    client.reset()
    await until(() => last().stream.closed !== null || last().stream.stopped)
  }, 15_000)
})
