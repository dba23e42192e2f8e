import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import type { H3Stream } from "../../support/h3/h3-stream.ts"
import { type RawH3Client, rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"
import { closeFrame, frame, webSocketEcho } from "../../support/web-socket.ts"

// CONNECT (RFC 9114 section 4.4) and plain requests of a forward proxy's clients; WebSockets (RFC 9220) at a reverse one.
const [port, guarded, web] = (await freePorts(3)) as [number, number, number]
const echo = async (connection: RawSocket): Promise<void> => {
  connection.socket.on("data", (chunk: Buffer) => connection.send(chunk))
  await connection.toEnd(3_600_000)
  connection.fin()
}
let script = echo
const target = await scriptedServer(connection => script(connection))
let chatScript = webSocketEcho
const chat = await scriptedServer((connection, index) => chatScript(connection, index))
const site = await recorder()
const forward = { privateRanges: "allow", connectPorts: [target.port], ports: [site.port] }
const users = join(temporaryFolder("users"), "htpasswd")
// "u" with the password "p".
writeFileSync(users, `u:{SHA}${createHash("sha1").update("p").digest("base64")}\n`)
const proxy = await startBothways({
  listeners: {
    fwd: { bind: `127.0.0.1:${port}`, ...secureListener(), forward },
    guarded: { bind: `127.0.0.1:${guarded}`, ...secureListener(), forward: { ...forward, auth: { htpasswd: users } } },
    web: { bind: `127.0.0.1:${web}`, ...secureListener() },
  },
  clusters: { chat: { peers: [chat.address] } },
  routes: [
    { match: { listener: "web" }, to: { cluster: "chat" } },
    { match: { listener: ["fwd", "guarded"] }, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await target.close().catch(() => {})
  await chat.close().catch(() => {})
  await site[Symbol.asyncDispose]()
})
beforeEach(() => {
  script = echo
  chatScript = webSocketEcho
})

const connect = (client: RawH3Client, authority = target.address, more: [string, string][] = []): H3Stream =>
  client.request([[":method", "CONNECT"], [":authority", authority], ...more], { end: false })
async function open(client: RawH3Client): Promise<[stream: H3Stream, connection: RawSocket]> {
  const before = target.connections.length
  const stream = connect(client)
  expect((await stream.headCame())[":status"]).toBe("200")
  return [stream, await until(() => target.connections[before])]
}

describe("CONNECT", () => {
  test("octets go both ways, and ends both ways", async () => {
    using client = await rawH3Client(port)
    const stream = connect(client)
    const headers = await stream.headCame()
    expect([headers[":status"], headers["content-length"], headers["transfer-encoding"]]).toEqual(["200", undefined, undefined])
    await stream.data("one")
    expect(await stream.octets(3)).toBe("one")
    await stream.data("\0\r\n\xff", { end: true })
    expect(await stream.response()).toMatchObject({ body: "one\0\r\n\xff", ended: true, resetCode: null })
    await until(() => proxy.log().some(line => line["method"] === "CONNECT" && line["version"] === "3.0" && line["status"] === 200))
  })
  test("what is sent ahead of the answer arrives behind it", async () => {
    using client = await rawH3Client(port)
    const stream = connect(client)
    await stream.data("early", { end: true })
    expect(await stream.response()).toMatchObject({ body: "early", ended: true })
  })
  test("fifty at the same time on one connection, each its own", async () => {
    using client = await rawH3Client(port)
    const streams = Array.from({ length: 50 }, () => connect(client))
    const texts = streams.map((_, i) => `${i} `.repeat(100))
    streams.forEach((stream, i) => void stream.data(texts[i]!))
    expect(await Promise.all(streams.map((stream, i) => stream.octets(texts[i]!.length)))).toEqual(texts)
    for (const stream of streams) stream.quic!.end()
    for (const stream of streams) expect((await stream.response()).ended).toBe(true)
  })
  test("the client's reset reaches the target, the target's reset the client", async () => {
    using client = await rawH3Client(port)
    const [stream, connection] = await open(client)
    stream.reset()
    expect(await connection.ended()).not.toBe("open")
    const [other, second] = await open(client)
    second.reset()
    // H3_CONNECT_ERROR
    expect([await other.resetCame(), other.ended]).toEqual([0x10f, false])
  })
  test("the target's end leaves the client's half open", async () => {
    script = async connection => {
      connection.send("bye")
      connection.fin()
      await connection.through("after", 5000)
    }
    using client = await rawH3Client(port)
    const [stream, connection] = await open(client)
    expect(await stream.response()).toMatchObject({ body: "bye", ended: true })
    await stream.data("after", { end: true })
    expect(await connection.ended()).toBe("fin")
    expect(connection.received).toBe("after")
  })
  test("a port that is closed by the rules", async () => {
    using client = await rawH3Client(port)
    const stream = connect(client, `127.0.0.1:${site.port}`)
    expect((await stream.response()).status).toBe(403)
  })
})

describe("plain requests", () => {
  const plain = (client: RawH3Client, more: Record<string, string> = {}) =>
    client.request({ ":scheme": "http", ":authority": site.address, ":path": "/page?a=b", ...more })
  test("go to the origin that they name", async () => {
    using client = await rawH3Client(port)
    expect(await plain(client).response()).toMatchObject({ status: 200, body: "ok" })
    expect(site.requests.at(-1)!.start).toBe("GET /page?a=b HTTP/1.1")
    expect(site.requests.at(-1)!.fields["host"]).toBe(site.address)
  })
  test("a password is asked for on each stream", async () => {
    using client = await rawH3Client(guarded)
    const right = `Basic ${Buffer.from("u:p").toString("base64")}`
    expect((await plain(client).response()).status).toBe(407)
    expect((await connect(client).response()).status).toBe(407)
    expect((await plain(client, { "proxy-authorization": right }).response()).status).toBe(200)
    expect(site.requests.at(-1)!.fields["proxy-authorization"]).toBeUndefined()
    const stream = connect(client, target.address, [["proxy-authorization", right]])
    expect((await stream.headCame())[":status"]).toBe("200")
    await stream.data("in", { end: true })
    expect((await stream.response()).body).toBe("in")
  })
})

describe("WebSocket by extended CONNECT, Upgrade behind the proxy", () => {
  const ask = (client: RawH3Client, more: Record<string, string> = {}) =>
    client.request({ ":method": "CONNECT", ":path": "/ws", ":protocol": "websocket", "sec-websocket-version": "13", ...more }, { end: false })
  test("frames both ways, a close both ways, and the end", async () => {
    using client = await rawH3Client(web)
    const stream = ask(client)
    const headers = await stream.headCame()
    expect([headers[":status"], headers["sec-websocket-accept"], headers["upgrade"]]).toEqual(["200", undefined, undefined])
    const connection = chat.connections.at(-1)!
    expect(connection.received).toStartWith("GET /ws HTTP/1.1\r\n")
    expect(connection.received).toMatch(/\r\nSec-WebSocket-Key: [\w+/]{22}==\r\n/i)
    await stream.data(frame("one", true))
    expect(await stream.octets(5)).toBe(frame("one", false).toString("latin1"))
    await stream.data(closeFrame(true))
    expect(await stream.octets(9)).toEndWith(closeFrame(false).toString("latin1"))
    await stream.data("", { end: true })
    expect((await stream.response()).ended).toBe(true)
    expect(await connection.ended()).toBe("fin")
    await until(() => proxy.log().some(line => line["target"] === "/ws" && line["version"] === "3.0"))
  })
  test("the client's reset ends it at the upstream", async () => {
    using client = await rawH3Client(web)
    const stream = ask(client)
    await stream.headCame()
    const connection = chat.connections.at(-1)!
    stream.reset()
    expect(await connection.ended()).not.toBe("open")
  })
  test("an origin that does not agree: its 200 is no success here, and what was sent ahead does not reach it", async () => {
    chatScript = async connection => {
      for (;;) {
        await connection.head(3_600_000)
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    using client = await rawH3Client(web)
    for (const end of [false, true]) {
      const stream = ask(client)
      await stream.data("GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n", { end })
      expect((await stream.response()).status).toBe(501)
    }
    expect((await client.request({ ":path": "/next" }).response()).status).toBe(200)
    const received = chat.connections.map(one => one.received).join("")
    expect(received).not.toContain("smuggled")
    expect(received).toContain("GET /next ")
  })
})
