import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import type { Message, ResponseMessage } from "../../support/message.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { okResponse, recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { acceptOf, closeFrame, echo, openWebSocket, readFrame, upgradeRequest, webSocketEcho } from "../../support/web-socket.ts"
import { until } from "../../support/wait.ts"

const port = await freePort()
// Serves every request, and agrees to any upgrade that reaches it; /101 gets one that nobody asked for.
const upstream = await recorder(request => {
  if (request.start.startsWith("GET /101")) return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
  if (request.start.startsWith("GET /bare")) return "HTTP/1.1 101 Switching Protocols\r\n\r\n"
  const protocol = request.fields.upgrade
  return protocol === undefined ? okResponse : `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
})
const echoServer = await scriptedServer(webSocketEcho)
const proxy = await startBothways(
  reverseConfig(port, upstream.address, {
    clusters: { echo: { peers: [echoServer.address] } },
    routes: [
      { match: { path: "/ws" }, to: { cluster: "echo" } },
      { match: { path: "/none" }, upgrade: [], to: { cluster: "a" } },
      { match: { path: "/own" }, upgrade: ["Chat/2"], to: { cluster: "a" } },
      { match: {}, to: { cluster: "a" } },
    ],
  }),
)
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
  await echoServer.close()
})

async function ask(text: string): Promise<{ response: ResponseMessage; request: Message | undefined }> {
  upstream.requests.length = 0
  using client = await rawClient(port)
  client.send(text)
  const response = await client.response()
  return { response, request: upstream.requests[0] }
}

const get = (target: string, lines: string) => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${lines}\r\n`
const settings = "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"

describe("O-14: only upgrades that the route lets through", () => {
  const refused = {
    "a: h2c": `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n${settings}`,
    "b: h2c that Connection does not name": `Upgrade: h2c\r\n${settings}`,
    "websocket that Connection does not name": "Upgrade: websocket\r\n",
    "a protocol that only begins like websocket": "Connection: upgrade\r\nUpgrade: websocket/13, xwebsocket\r\n",
  }
  for (const [name, lines] of Object.entries(refused)) {
    test(name, async () => {
      const { response, request } = await ask(get("/public", lines))
      expect([response.status, response.body]).toEqual([200, "ok"])
      expect([request?.fields.upgrade, request?.fields["http2-settings"], request?.fields.connection]).toEqual([undefined, undefined, undefined])
    })
  }
  test("c: of several protocols only websocket remains", async () => {
    const { response, request } = await ask(upgradeRequest("/public", settings, "h2c, WebSocket"))
    expect(response.status).toBe(101)
    expect([request?.fields.upgrade, request?.fields.connection?.toLowerCase()]).toEqual(["websocket", "upgrade"])
    expect(request?.fields["http2-settings"]).toBeUndefined()
  })
  test("e: a 101 that nobody asked for, or for another protocol, or for none, is 502", async () => {
    expect((await ask(get("/101", ""))).response.status).toBe(502)
    expect((await ask(upgradeRequest("/101"))).response.status).toBe(502)
    expect((await ask(upgradeRequest("/bare"))).response.status).toBe(502)
    await until(() => proxy.log().filter(line => line.fault === "upstream.unexpected-upgrade").length === 3)
  })
  test("a route without upgrades passes none, one with its own passes that", async () => {
    expect((await ask(upgradeRequest("/none"))).response.status).toBe(200)
    const { response, request } = await ask(upgradeRequest("/own", "", "websocket, chat/2"))
    expect([response.status, response.fields.upgrade, request?.fields.upgrade]).toEqual([101, "chat/2", "chat/2"])
  })
  test("an HTTP/1.0 client is offered no upgrade", async () => {
    const { response, request } = await ask(upgradeRequest("/public").replace("HTTP/1.1", "HTTP/1.0"))
    expect([response.status, request?.fields.upgrade]).toEqual([200, undefined])
  })
  test("a request with a body is not upgraded: the body comes first (RFC 9110 section 7.8)", async () => {
    const { response, request } = await ask(`${upgradeRequest("/public", "Content-Length: 5\r\n")}hello`)
    expect([response.status, request?.fields.upgrade, request?.body]).toEqual([200, undefined, "hello"])
  })
})

describe("WebSocket (RFC 6455)", () => {
  test("opens, echoes, and closes from the client's side", async () => {
    using client = await rawClient(port)
    await openWebSocket(client)
    for (const text of ["hello", "", "äöü 你好", "x".repeat(125)]) expect(await echo(client, text)).toBe(text)
    client.send(closeFrame(true))
    expect(await readFrame(client, false)).toBeNull()
    expect(await client.ended()).toBe("fin")
    client.fin()
    await until(() => proxy.log().some(line => line.target === "/ws" && line.status === 101), undefined, "the log line of the tunnel")
  })
  test("frames that come with the request's head, and with the response's, are not lost", async () => {
    await using hasty = await scriptedServer(async connection => {
      const { fields } = await connection.request()
      const accept = acceptOf(fields["sec-websocket-key"]!)
      connection.send(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n\x81\x02hi`,
      )
      connection.send(`\x81\x02${await connection.bytes(2)}`)
      connection.fin()
    })
    const other = await freePort()
    await using _proxy = await startBothways(reverseConfig(other, hasty.address))
    using client = await rawClient(other)
    client.send(`${upgradeRequest()}ab`)
    expect((await client.response()).status).toBe(101)
    expect(await client.toEnd()).toBe("\x81\x02hi\x81\x02ab")
  })
})
