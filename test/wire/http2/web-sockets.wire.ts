import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { errorCode } from "../../support/h2/frames.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { acceptOf, closeFrame, frame, webSocketEcho } from "../../support/web-socket.ts"

// RFC 8441: a WebSocket on a stream, HTTP/1.1 behind the proxy.
const port = await freePort()
let script = webSocketEcho
const upstream: ScriptedServer = await scriptedServer((connection, index) => script(connection, index))
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, timeouts: { tunnelIdle: "30s" } } },
  // Each has a connection of its own, so that each plays the script of its test.
  clusters: { a: { peers: [upstream.address], pool: { idleMax: 0 } } },
  routes: [
    { match: { path: "/plain" }, to: { cluster: "a" }, upgrade: [] },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})
beforeEach(() => {
  script = webSocketEcho
})

const ask = (client: RawH2Client, more: Record<string, string> = {}): number =>
  client.request({ ":method": "CONNECT", ":path": "/ws", ":protocol": "websocket", "sec-websocket-version": "13", ...more }, { end: false })
const text = (from: string): string => frame(from, false).toString("latin1")

test("the setting says that it is spoken", async () => {
  using client = await rawH2Client(port)
  await client.settled()
  await client.roundTrip()
  expect(client.peerSettings.get(8)).toBe(1)
})

test("the origin sees an Upgrade of HTTP/1.1; frames go both ways, and a close both ways ends the stream", async () => {
  using client = await rawH2Client(port)
  const id = ask(client)
  const { status, headers } = await client.head(id)
  expect([status, headers["sec-websocket-accept"], headers.upgrade, headers.connection]).toEqual([200, undefined, undefined, undefined])
  const connection = upstream.connections.at(-1)!
  expect(connection.received).toStartWith("GET /ws HTTP/1.1\r\n")
  expect(connection.received).toMatch(/\r\nUpgrade: websocket\r\n/i)
  expect(connection.received).toMatch(/\r\nSec-WebSocket-Key: [\w+/]{22}==\r\n/i)
  client.data(id, frame("one", true))
  expect(await client.body(id, 5)).toBe(text("one"))
  // Other streams of the connection have no part in it.
  expect((await client.response(client.request({ ":path": "/", ":method": "TRACE" }))).status).toBe(405)
  client.data(id, frame("two", true))
  client.data(id, closeFrame(true))
  expect(await client.body(id, 14)).toBe(text("one") + text("two") + closeFrame(false).toString("latin1"))
  client.data(id, "", { end: true })
  const { ended, resetCode } = await client.response(id)
  expect([ended, resetCode, await connection.ended()]).toEqual([true, null, "fin"])
  await until(() => proxy.log().some(line => line.target === "/ws" && line.version === "2.0"))
})

test("twenty over one connection", async () => {
  using client = await rawH2Client(port)
  const ids = Array.from({ length: 20 }, () => ask(client))
  await Promise.all(ids.map(id => client.head(id)))
  for (const id of ids) client.data(id, frame(`n${id}`, true))
  for (const id of ids) expect(await client.body(id, text(`n${id}`).length)).toBe(text(`n${id}`))
})

test("refused by the origin: its answer as it is", async () => {
  script = async connection => {
    await connection.request()
    connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
  }
  using client = await rawH2Client(port)
  const id = ask(client)
  const { status, body, ended } = await client.response(id)
  expect([status, body, ended, await client.resetOf(id)]).toEqual([403, "no", true, errorCode.noError])
})

describe("an origin that does not agree", () => {
  const plain = async (connection: Parameters<typeof webSocketEcho>[0]): Promise<void> => {
    for (;;) {
      await connection.head(3_600_000)
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  }
  test("200 is no success here: a client would take it for a tunnel", async () => {
    script = plain
    using client = await rawH2Client(port)
    expect((await client.response(ask(client))).status).toBe(501)
  })
  test("nor where the route does not let it through", async () => {
    script = plain
    using client = await rawH2Client(port)
    expect((await client.response(ask(client, { ":path": "/plain" }))).status).toBe(501)
    expect(upstream.connections.at(-1)!.received).not.toMatch(/upgrade/i)
  })
  test("what the client has sent ahead does not reach it as another request", async () => {
    script = plain
    const before = upstream.connections.length
    using client = await rawH2Client(port)
    for (const end of [false, true]) {
      const id = ask(client)
      client.data(id, "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n", { end })
      expect((await client.response(id)).status).toBe(501)
    }
    await client.response(client.request({ ":path": "/next" }))
    const received = upstream.connections.slice(before).map(one => one.received)
    expect(received.join("")).not.toContain("smuggled")
    expect(received.join("")).toContain("GET /next ")
  })
})

test("what the client has sent ahead reaches the one who agrees", async () => {
  using client = await rawH2Client(port)
  const id = ask(client)
  client.data(id, frame("early", true))
  expect(await client.body(id, 7)).toBe(text("early"))
})

test("another protocol than a WebSocket is not asked for", async () => {
  script = async connection => {
    await connection.request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
  using client = await rawH2Client(port)
  for (const protocol of ["h2c", "websocket, h2c", "connect-udp"]) {
    const { status, resetCode } = await client.response(ask(client, { ":protocol": protocol }))
    expect([protocol, status === 501 || resetCode === errorCode.protocolError]).toEqual([protocol, true])
    expect(upstream.connections.at(-1)!.received).not.toMatch(/h2c|connect-udp/i)
  }
})

const agree = async (connection: Parameters<typeof webSocketEcho>[0]): Promise<void> => {
  const request = await connection.request()
  connection.send(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf(request.fields["sec-websocket-key"] ?? "")}\r\n\r\n`,
  )
}

test("half closes go across: the client's end, then still octets of the origin", async () => {
  script = async connection => {
    await agree(connection)
    expect(await connection.toEnd()).toContain("last words")
    connection.send("answer")
    connection.fin()
  }
  using client = await rawH2Client(port)
  const id = ask(client)
  await client.head(id)
  client.data(id, "last words", { end: true })
  const { body, ended } = await client.response(id)
  expect([body, ended]).toEqual(["answer", true])
})

test("the client's reset ends the origin's connection", async () => {
  script = agree
  using client = await rawH2Client(port)
  const id = ask(client)
  await client.head(id)
  const connection = upstream.connections.at(-1)!
  client.reset(id)
  expect(await connection.ended()).not.toBe("open")
})

test("the origin's reset is one of the stream", async () => {
  script = async connection => {
    await agree(connection)
    await connection.bytes(2)
    connection.reset()
  }
  using client = await rawH2Client(port)
  const id = ask(client)
  await client.head(id)
  client.data(id, "go")
  const { ended } = await client.response(id)
  expect([ended, await client.resetOf(id)]).toEqual([false, errorCode.cancel])
})
