import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"
import { pause, until } from "../../support/wait.ts"

const [port, hasty, web] = (await freePorts(3)) as [number, number, number]
const target = await scriptedServer(() => {})
const echoServer = await scriptedServer(webSocketEcho)
const forward = { privateRanges: "allow", connectPorts: [target.port] }
const proxy = await startBothways({
  listeners: {
    slow: { bind: `127.0.0.1:${port}`, forward },
    hasty: { bind: `127.0.0.1:${hasty}`, forward, timeouts: { tunnelIdle: "300ms" } },
    web: { bind: `127.0.0.1:${web}` },
  },
  clusters: { echo: { peers: [echoServer.address] } },
  routes: [
    { match: { listener: "web" }, timeouts: { request: "150ms" }, to: { cluster: "echo" } },
    { match: { listener: ["slow", "hasty"] }, to: { origin: {} } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await target.close()
  await echoServer.close()
})

let opened = 0

/** Both ends of a new tunnel. */
async function tunnel(through = port): Promise<{ client: RawClient; peer: RawSocket }> {
  const client = await rawClient(through)
  client.send(`CONNECT ${target.address} HTTP/1.1\r\nHost: ${target.address}\r\n\r\n`)
  const { status, fields } = await client.response("CONNECT")
  expect([status, fields["content-length"], fields["transfer-encoding"]]).toEqual([200, undefined, undefined])
  return { client, peer: await target.connection(opened++) }
}

describe("a CONNECT tunnel (RFC 9110 section 9.3.6)", () => {
  test("a half-close of the client goes across, and the answer still comes back", async () => {
    const { client, peer } = await tunnel()
    client.send("question")
    client.fin()
    expect(await peer.toEnd()).toBe("question")
    peer.send("a late answer")
    expect(await client.through("answer")).toBe("a late answer")
    peer.fin()
    expect(await client.ended()).toBe("fin")
  })
  test("a half-close of the other side goes across, and the client may go on", async () => {
    const { client, peer } = await tunnel()
    peer.send("greeting")
    peer.fin()
    expect(await client.toEnd()).toBe("greeting")
    client.send("late words")
    expect(await peer.through("words")).toBe("late words")
    client.fin()
    expect(await peer.ended()).toBe("fin")
  })
  test("a reset behind a half-close is no clean end", async () => {
    for (const [ending, other] of [
      ["client", "peer"],
      ["peer", "client"],
    ] as const) {
      const ends = await tunnel()
      ends[ending].fin()
      await ends[other].ended()
      ends[other].send("half a message")
      await ends[ending].through("half a message")
      ends[other].reset()
      expect(await ends[ending].ended()).toBe("reset")
    }
  })
  test("a reset goes across, both ways", async () => {
    const one = await tunnel()
    one.client.reset()
    expect(await one.peer.ended()).toBe("reset")
    const two = await tunnel()
    two.peer.reset()
    expect(await two.client.ended()).toBe("reset")
  })
  test("octets behind the head of CONNECT belong to the tunnel", async () => {
    using client = await rawClient(port)
    client.send(`CONNECT ${target.address} HTTP/1.1\r\nHost: ${target.address}\r\n\r\nGET / HTTP/1.1\r\n\r\n`)
    const peer = await target.connection(opened++)
    expect(await peer.through("\r\n\r\n")).toBe("GET / HTTP/1.1\r\n\r\n")
    expect((await client.response("CONNECT")).status).toBe(200)
    peer.fin()
  })
  test("a reader that stops holds the other side back, and nothing is lost", async () => {
    const { client, peer } = await tunnel()
    client.pause()
    const size = 48 * 1024 * 1024
    const block = Buffer.alloc(1024 * 1024, "x")
    for (let sent = 0; sent < size; sent += block.length) peer.send(block)
    await pause(200)
    // What neither kernel nor proxy took waits at its source.
    expect(peer.socket.writableLength).toBeGreaterThan(size / 4)
    client.resume()
    await until(() => client.bytesReceived >= size, 15_000, `${size} octets`)
    client.fin()
    peer.fin()
    expect(await client.ended()).toBe("fin")
  })
  test("silence both ways for tunnelIdle ends it; any octet puts that off", async () => {
    const { client, peer } = await tunnel(hasty)
    const begun = performance.now()
    for (let i = 0; i < 3; i++) {
      await pause(200)
      if (i % 2 === 0) client.send("c")
      else peer.send("p")
    }
    await Promise.all([client.ended(), peer.ended()])
    const lasted = performance.now() - begun
    expect(lasted).toBeGreaterThan(850)
    expect(lasted).toBeLessThan(2500)
  })
  test("the log counts the octets of both ways", async () => {
    const { client, peer } = await tunnel()
    client.send("12345")
    await peer.through("12345")
    peer.send("123")
    await client.through("123")
    client.fin()
    await peer.ended()
    peer.fin()
    const line = await until(() => proxy.log().find(entry => entry.method === "CONNECT" && entry.requestBytes === 5 && entry.responseBytes === 3))
    expect([line.status, line.target]).toEqual([200, target.address])
  })
})

test("the request timeout is for the request: a WebSocket outlives it", async () => {
  using client = await rawClient(web)
  await openWebSocket(client)
  await pause(400)
  expect(await echo(client, "still here")).toBe("still here")
})
