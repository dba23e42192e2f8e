import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { startBothways } from "../../support/bothways.ts"
import { BulkSink, BulkSource, bulkHash, bulkOctets, MemoryWatch, residentAtRest } from "../../support/bulk.ts"
import type { H3Stream } from "../../support/h3/h3-stream.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config } from "../../support/h3/secure-config.ts"
import { figure } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// O-35 and O-36 with a client of HTTP/3: what is on its way is bounded, whoever is slow.
const MB = 1024 * 1024
const port = await freePort()
let source: BulkSource | undefined
let sink: BulkSink | undefined
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    if (head.startsWith("POST")) {
      const size = Number(/content-length: (\d+)/i.exec(head)![1])
      const { socket } = connection
      const rate = head.includes("/slow") ? 4 * MB : 0
      socket.removeAllListeners("data")
      sink = new BulkSink(socket, rate)
      // The head was read alone or with a part of the body.
      const rest = Buffer.from(connection.unread, "latin1")
      if (rest.length > 0) sink.take(rest)
      socket.on("data", (chunk: Buffer) => {
        sink!.take(chunk)
        if (sink!.received === size) socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
      })
      return
    }
    const size = Number(/^GET \/(\d+)/.exec(head)![1])
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    source = new BulkSource(connection.socket, size)
    await source.run()
  }
})
const proxy = await startBothways(http3Config(port, upstream.address, { listener: { timeouts: { write: "10s" } } }))
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

function hashing(stream: H3Stream) {
  const hash = createHash("sha256")
  stream.take = chunk => hash.update(chunk)
  return hash
}

async function upload(stream: H3Stream, size: number): Promise<void> {
  for (let at = 0; at < size && stream.closed === null; ) {
    const piece = bulkOctets(at, Math.min(size, at + 256 * 1024))
    await stream.data(piece)
    at += piece.length
  }
  stream.quic!.end()
}

test("100 MB down, octet for octet, and memory stays", async () => {
  const rest = await residentAtRest(proxy.pid)
  using watch = new MemoryWatch(proxy.pid)
  using client = await rawH3Client(port)
  const at = performance.now()
  const stream = client.request({ ":path": `/${100 * MB}` })
  const hash = hashing(stream)
  expect((await stream.response(20_000)).ended).toBe(true)
  figure("100 MB down in ms", performance.now() - at)
  figure("grown by MB", (watch.peak - rest) / MB)
  expect([stream.length, hash.digest("hex")]).toEqual([100 * MB, bulkHash(100 * MB)])
  // Some of it the collector has not come to yet: four times as much makes it no more.
  expect((watch.peak - rest) / MB).toBeLessThan(80)
}, 25_000)

test("32 MB up, octet for octet", async () => {
  using client = await rawH3Client(port)
  const size = 32 * MB
  const stream = client.request({ ":method": "POST", ":path": "/fast", "content-length": String(size) }, { end: false })
  await upload(stream, size)
  expect((await stream.response(20_000)).status).toBe(200)
  expect([sink!.received, sink!.digest()]).toEqual([size, bulkHash(size)])
}, 25_000)

describe("memory stays where one side is slow", () => {
  test("a client that reads nothing: the upstream is held back, and a reset frees all", async () => {
    const rest = await residentAtRest(proxy.pid)
    using watch = new MemoryWatch(proxy.pid)
    using client = await rawH3Client(port)
    source = undefined
    const stream = client.request({ ":path": `/${256 * MB}` })
    let seen = 0
    stream.take = chunk => (seen += chunk.length)
    await until(() => seen > 0)
    // The runtime takes what comes up to its limits, then the packets of the sender are lost.
    stream.quic!.pause()
    await pause(1000)
    const { sent } = source!
    await pause(500)
    figure("ahead by MB", (source!.sent - seen) / MB)
    figure("grown by MB", (watch.peak - rest) / MB)
    expect(source!.sent - sent).toBeLessThan(8 * MB)
    expect(source!.sent - seen).toBeLessThan(32 * MB)
    expect((watch.peak - rest) / MB).toBeLessThan(48)
    stream.reset()
    await until(() => upstream.connections.at(-1)!.ending !== "open")
  }, 15_000)
  test("an upstream that takes 4 MB a second of an upload of 100 MB", async () => {
    const rest = await residentAtRest(proxy.pid)
    using watch = new MemoryWatch(proxy.pid)
    using client = await rawH3Client(port)
    sink = undefined
    const stream = client.request({ ":method": "POST", ":path": "/slow", "content-length": String(100 * MB) }, { end: false })
    void upload(stream, 100 * MB)
    await until(() => sink !== undefined && sink.received > 8 * MB, 10_000)
    figure("grown by MB", (watch.peak - rest) / MB)
    expect(stream.resetCode).toBeNull()
    expect((watch.peak - rest) / MB).toBeLessThan(48)
    sink!.speed(40 * MB)
    await until(() => sink!.received > 24 * MB, 10_000)
    stream.reset()
    await until(() => upstream.connections.at(-1)!.ending !== "open")
  }, 20_000)
})
