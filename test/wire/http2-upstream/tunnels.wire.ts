import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { errorCode } from "../../support/h2/frames.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { closeFrame, echo, frame, openWebSocket, readFrame, upgradeRequest, webSocketEcho } from "../../support/web-socket.ts"

// WebSockets towards peers that speak HTTP/2 (RFC 8441).

/** Gives every octet back, and ends when the other side does. */
async function echoes(exchange: H2Exchange): Promise<void> {
  exchange.head(200)
  const { connection, stream } = exchange
  for (let at = 0; ; ) {
    await connection.waitFor(() => stream.bodyLength > at || stream.isOver, "more of the tunnel", 3_600_000)
    if (stream.resetCode !== null) return
    const more = stream.body.slice(at)
    at += more.length
    // Masks are taken off: what the client sent comes back as the server's.
    if (more.length > 0) await exchange.data(unmasked(more))
    if (stream.ended && stream.bodyLength === at) return exchange.end()
  }
}

/** Short frames only, each whole in one piece. */
function unmasked(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1")
  const out: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at + 1]! & 127
    const mask = bytes.subarray(at + 2, at + 6)
    const payload = bytes.subarray(at + 6, at + 6 + length).map((octet, i) => octet ^ mask[i % 4]!)
    out.push(frame(Buffer.from(payload), false, bytes[at]! & 15))
    at += 6 + length
  }
  return Buffer.concat(out)
}

const [port, without, mixed] = (await freePorts(3)) as [number, number, number]
let script: (exchange: H2Exchange) => Promise<void> | void = echoes
const origin = await h2Origin({
  settings: { enableConnectProtocol: 1 },
  script: exchange => (exchange.protocol === "" ? exchange.respond(200, "plain") : script(exchange)),
})
const plain = await h2Origin({ script: "plain" })
const refusing = await h2Origin({ settings: { enableConnectProtocol: 1 }, script: exchange => exchange.reset(errorCode.refusedStream) })
const old = await scriptedServer(webSocketEcho)
const proxy = await startBothways({
  listeners: Object.fromEntries(Object.entries({ web: port, without, mixed }).map(([name, at]) => [name, { bind: `127.0.0.1:${at}` }])),
  clusters: {
    web: { peers: [origin.address], protocol: "http2" },
    without: { peers: [plain.address], protocol: "http2" },
    mixed: { peers: [refusing.address, { address: origin.address, backup: true }], protocol: "http2" },
  },
  routes: ["web", "without", "mixed"].map(name => ({ match: { listener: name }, to: { cluster: name } })),
})
afterAll(async () => {
  await proxy.stop()
  await old.close().catch(() => {})
  for (const each of [origin, plain, refusing]) {
    expect(each.violations).toEqual([])
    await each.close()
  }
})

describe("an HTTP/1.1 client", () => {
  test("has a WebSocket: extended CONNECT towards the peer, 101 with its proof towards the client", async () => {
    script = echoes
    using client = await rawClient(port)
    await openWebSocket(client)
    for (const text of ["one", "two", "x".repeat(125)]) expect(await echo(client, text)).toBe(text)
    const { headers } = origin.requests.at(-1)!
    expect(headers).toMatchObject({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":path": "/ws",
      ":authority": "a.test",
      "sec-websocket-version": "13",
    })
    for (const name of ["sec-websocket-key", "connection", "upgrade", "host"]) expect(headers[name]).toBeUndefined()
    client.send(closeFrame(true))
    expect(await readFrame(client, false)).toBeNull()
    client.fin()
    expect(await client.ended()).toBe("fin")
    await until(() => proxy.log().some(line => line.status === 101 && line.version === "1.1"))
  })
  test("Upgrade in another case is the same protocol", async () => {
    using client = await rawClient(port)
    client.send(upgradeRequest("/ws", "", "WebSocket"))
    expect((await client.response()).status).toBe(101)
    expect(origin.requests.at(-1)!.protocol.toLowerCase()).toBe("websocket")
  })
  test("a first WebSocket on a new connection waits for the peer's settings; beside it others go on", async () => {
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const client = await rawClient(port)
        await openWebSocket(client)
        return { client, i }
      }),
    )
    for (const { client, i } of sockets) expect(await echo(client, `n${i}`)).toBe(`n${i}`)
    expect(origin.connections.length).toBe(1)
    using other = await rawClient(port)
    other.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await other.response()).body).toBe("plain")
    for (const { client } of sockets) client.destroy()
    await until(() => origin.connections[0]!.openStreams.length === 0)
  })
  test("goes away: the peer's stream is reset, its connection stays", async () => {
    script = echoes
    using client = await rawClient(port)
    await openWebSocket(client)
    await echo(client, "here")
    const { connection, streamId } = origin.requests.at(-1)!
    client.reset()
    expect(await connection.resetOf(streamId)).toBe(errorCode.cancel)
    expect(connection.ending).toBe("open")
  })
  test("the peer resets: the client's connection ends", async () => {
    script = async exchange => {
      exchange.head(200)
      await exchange.data("bye")
      await exchange.connection.roundTrip()
      exchange.reset()
    }
    using client = await rawClient(port)
    await openWebSocket(client)
    expect(await client.bytes(3)).toBe("bye")
    expect(await client.ended()).not.toBe("open")
  })
  test("half closes go across", async () => {
    script = async exchange => {
      exchange.head(200)
      await exchange.body()
      await exchange.data("answer", { end: true })
    }
    using client = await rawClient(port)
    await openWebSocket(client)
    client.send("last words")
    client.fin()
    expect(await client.toEnd()).toBe("answer")
    expect(origin.requests.at(-1)!.stream.body).toBe("last words")
  })
  test("is refused by the peer: its answer as it is, and the client's connection goes on", async () => {
    script = exchange => exchange.respond(403, "no")
    using client = await rawClient(port)
    client.send(upgradeRequest())
    expect(await client.response()).toMatchObject({ status: 403, body: "no" })
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response()).body).toBe("plain")
  })
  test("back-pressure: a client that does not read holds its own stream back and no other", async () => {
    let sent = 0
    script = async exchange => {
      exchange.head(200)
      for (let i = 0; i < 400; i++) {
        await exchange.data(Buffer.alloc(64 * 1024))
        sent += 64 * 1024
      }
    }
    using client = await rawClient(port)
    await openWebSocket(client)
    client.pause()
    let before = -1
    await until(async () => {
      const isStill = before === sent
      before = sent
      await new Promise(resolve => setTimeout(resolve, 200))
      return isStill
    })
    expect(sent).toBeLessThan(24 * 1024 * 1024)
    using other = await rawClient(port)
    other.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await other.response()).body).toBe("plain")
    client.resume()
    await until(() => sent === 400 * 64 * 1024)
  })
})

test("an HTTP/2 client has one over both", async () => {
  script = echoes
  using client = await rawH2Client(port)
  const id = client.request({ ":method": "CONNECT", ":path": "/ws", ":protocol": "websocket", "sec-websocket-version": "13" }, { end: false })
  const { status, headers } = await client.head(id)
  expect([status, headers["sec-websocket-accept"]]).toEqual([200, undefined])
  client.data(id, frame("both", true))
  expect(await client.body(id, 6)).toBe(frame("both", false).toString("latin1"))
  client.data(id, "", { end: true })
  expect(await client.response(id)).toMatchObject({ ended: true, resetCode: null })
})

test("a peer without extended CONNECT: 502, and it sees nothing of it", async () => {
  const before = plain.requests.length
  using client = await rawClient(without)
  client.send(upgradeRequest())
  expect((await client.response()).status).toBe(502)
  using second = await rawH2Client(without)
  const id = second.request({ ":method": "CONNECT", ":path": "/ws", ":protocol": "websocket", "sec-websocket-version": "13" }, { end: false })
  expect((await second.response(id)).status).toBe(502)
  expect(plain.requests.length).toBe(before)
  await until(() => proxy.log().filter(line => line.fault === "upstream.protocol-unavailable").length === 2)
  using other = await rawClient(without)
  other.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  expect((await other.response()).body).toBe("plain")
})

test("given back by one peer, it is opened at another, and the client's proof is right", async () => {
  script = echoes
  using client = await rawClient(mixed)
  await openWebSocket(client)
  expect(await echo(client, "moved")).toBe("moved")
  expect(refusing.requests.length).toBe(1)
})

test("a client that leaves while the peer's settings are awaited takes nothing with it", async () => {
  const [own] = (await freePorts(1)) as [number]
  const hold = Promise.withResolvers<void>()
  await using late = await h2Origin({
    settings: null,
    ackSettings: false,
    onConnection: connection => void hold.promise.then(() => connection.settings({ enableConnectProtocol: 1 })),
    script: echoes,
  })
  await using waiting = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${own}` } },
    clusters: { a: { peers: [late.address], protocol: "http2" } },
    routes: [{ match: {}, to: { cluster: "a" } }],
  })
  using leaver = await rawClient(own)
  leaver.send(upgradeRequest())
  const connection = await late.connection()
  using stayer = await rawClient(own)
  stayer.send(upgradeRequest("/stays"))
  leaver.reset()
  await until(() => waiting.log().length === 1)
  hold.resolve()
  expect((await stayer.response()).status).toBe(101)
  expect(late.requests.map(request => request.path)).toEqual(["/stays"])
  expect([late.violations, connection.ending, late.connections.length]).toEqual([[], "open", 1])
})
