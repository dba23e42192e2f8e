import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { bulkHash, bulkOctets, BulkSink, BulkSource, MemoryWatch, residentAtRest } from "../../support/bulk.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient, type RawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { pause, until } from "../../support/wait.ts"
import { connect } from "node:net"

// Bodies of any length over one connection to an HTTP/2 peer: nothing grows with them, and nobody waits for another one (O-36, O-41 b).

const MB = 1024 * 1024
/** What a transfer may cost in MB: garbage that the collector has not got to, for the most part. */
const MEMORY = 160
const LONG = scaled(100, 512) * MB
const port = await freePort()

async function bulk(exchange: H2Exchange): Promise<void> {
  const length = Number(exchange.path.slice("/bulk/".length))
  exchange.head(200, [["content-length", String(length)]])
  for (let at = 0; at < length && exchange.stream.resetCode === null; ) {
    const piece = bulkOctets(at, Math.min(length, at + 256 * 1024))
    at += piece.length
    await exchange.data(piece, { end: at === length })
  }
}
let taken = 0
const scripts: Record<string, (exchange: H2Exchange) => Promise<void> | void> = {
  "/bulk": bulk,
  // Keeps nothing, and opens the windows as it likes.
  "/take": async exchange => {
    const { connection, stream } = exchange
    await connection.waitFor(() => stream.isOver, "the end of the upload", 60_000)
    const text = String(stream.bodyLength)
    await exchange.respond(200, text, [["content-length", String(text.length)]])
  },
  "/events": async exchange => {
    exchange.head(200, [["content-type", "text/event-stream"]])
    await exchange.data(Buffer.alloc(8 * MB, "x"))
    await exchange.data("last")
    taken++
  },
  "/echo": async exchange => exchange.respond(200, await exchange.body()),
}
const origin = await h2Origin({ script: exchange => (scripts[`/${exchange.path.split("/")[1]}`] ?? scripts["/echo"]!)(exchange) })
const proxy = await startBothways({
  ...reverseConfig(port, origin.address, { cluster: { protocol: "http2" }, listener: { limits: { bodyBytesMax: "4GB" } } }),
  observe: { accessLog: { to: "none" } },
})
afterAll(async () => {
  await proxy.stop()
  expect(origin.violations).toEqual([])
  await origin.close()
})

async function get(path: string): Promise<RawClient> {
  const client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  return client
}

/** Downloads through a socket of its own, which keeps nothing. */
async function download(length: number): Promise<{ sink: BulkSink; done: Promise<void> }> {
  const socket = connect(port, "127.0.0.1")
  const sink = new BulkSink(socket)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let isHead = true
  socket.on("error", reject)
  socket.on("data", (chunk: Buffer) => {
    const from = isHead ? chunk.indexOf("\r\n\r\n") + 4 : 0
    isHead = false
    if (chunk.length > from) sink.take(chunk.subarray(from))
    if (sink.received === length) resolve()
  })
  socket.on("close", () => reject(new Error(`closed after ${sink.received}`)))
  socket.write(`GET /bulk/${length} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  return { sink, done: promise.finally(() => socket.destroy()) }
}

describe("downloads", () => {
  test(
    "a long one to a client that rests and then reads: every octet, bounded memory; beside it others go on",
    async () => {
      const before = await residentAtRest(proxy.pid)
      using watch = new MemoryWatch(proxy.pid)
      const { sink, done } = await download(LONG)
      await until(() => sink.received > MB)
      sink.halt()
      // B, on the same connection, while A rests.
      const from = performance.now()
      const beside = await download(4 * MB)
      await beside.done
      expect(beside.sink.digest()).toBe(bulkHash(4 * MB))
      figure("beside a resting one, ms for 4 MB", Math.round(performance.now() - from))
      expect(performance.now() - from).toBeLessThan(2000)
      sink.speed(0)
      await done
      expect(sink.digest()).toBe(bulkHash(LONG))
      expect(origin.connections.length).toBe(1)
      const grown = (watch.peak - before) / MB
      figure(`MB that the process grew for ${LONG / MB} MB down`, grown.toFixed(1))
      expect(grown).toBeLessThan(MEMORY)
    },
    scaledTimeout(60_000),
  )
  test("an HTTP/2 client that opens no window holds its own stream and no other", async () => {
    using client = await rawH2Client(port, { updateWindows: false })
    const first = client.request({ ":path": `/bulk/${1_000_000}` })
    await client.body(first, 65_535)
    const other = await download(4 * MB)
    await other.done
    client.windowUpdate(0, 4 * MB)
    const second = client.request({ ":path": `/bulk/${60_000}` })
    expect((await client.response(second)).body.length).toBe(60_000)
    client.windowUpdate(first, MB)
    expect((await client.response(first)).body).toBe(bulkOctets(0, 1_000_000).toString("latin1"))
  })
  test("what was kept back while the client rested leaves when it reads, though the answer does not end", async () => {
    for (let round = 0; round < 5; round++) {
      const client = await get("/events/")
      client.pause()
      await pause(150)
      client.resume()
      await client.through("last", 4000)
      client.destroy()
    }
    expect(taken).toBe(5)
  })
  test("a client that leaves in the middle: RST_STREAM, and the connection goes on", async () => {
    for (let round = 0; round < 20; round++) {
      const client = await get(`/bulk/${50 * MB}`)
      await client.bytes(100_000)
      const { connection, streamId } = origin.requests.at(-1)!
      client.reset()
      expect(await connection.resetOf(streamId)).toBe(8)
    }
    expect(origin.connections.filter(one => one.ending === "open").length).toBe(1)
  })
})

describe("uploads", () => {
  const upload = async (length: number): Promise<{ source: BulkSource; answer: Promise<string> }> => {
    const socket = connect(port, "127.0.0.1")
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let text = ""
    socket.on("error", reject)
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1")
      const body = text.split("\r\n\r\n")[1] ?? ""
      if (body.length >= String(length).length) resolve(body)
    })
    socket.write(`PUT /take HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${length}\r\n\r\n`)
    const source = new BulkSource(socket, length)
    void source.run()
    return { source, answer: promise.finally(() => socket.destroy()) }
  }

  test(
    "a long one to a peer that rests and then takes: bounded memory; beside it others go on",
    async () => {
      const length = scaled(48, 100) * MB
      const before = await residentAtRest(proxy.pid)
      using watch = new MemoryWatch(proxy.pid)
      const connection = origin.connections.findLast(one => one.ending === "open")!
      const count = origin.requests.length
      connection.updateWindows = false
      const { source, answer } = await upload(length)
      const exchange = await origin.request(count)
      await until(() => exchange.stream.bodyLength === 65_535)
      let sent = -1
      await until(async () => {
        const isStill = sent === source.sent
        sent = source.sent
        await pause(200)
        return isStill
      })
      // The client is held back; what is on its way lies in the kernel for the most part.
      expect(sent).toBeLessThan(20 * MB)
      // Only the connection's window is opened: the other one passes.
      connection.windowUpdate(0, 16 * MB)
      using other = await rawClient(port)
      other.send("POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 50000\r\n\r\n" + "y".repeat(50_000))
      expect((await other.response()).body.length).toBe(50_000)
      connection.updateWindows = true
      connection.windowUpdate(exchange.streamId, 65_535)
      expect(await answer).toBe(String(length))
      const grown = (watch.peak - before) / MB
      figure(`MB that the process grew for ${length / MB} MB up`, grown.toFixed(1))
      expect(grown).toBeLessThan(MEMORY)
      expect(connection.ending).toBe("open")
    },
    scaledTimeout(60_000),
  )
  test("a slow client's chunks arrive as they come", async () => {
    using client = await rawClient(port)
    client.send("POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    const count = origin.requests.length
    for (let i = 1; i <= 20; i++) {
      client.send("5\r\nhello\r\n")
      const exchange = await origin.request(count)
      expect((await exchange.body(i * 5)).length).toBe(i * 5)
    }
    client.send("0\r\n\r\n")
    expect((await client.response()).body).toBe("hello".repeat(20))
  })
  test("a client that leaves in the middle: RST_STREAM, never an end", async () => {
    const count = origin.requests.length
    using client = await rawClient(port)
    client.send("POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhalf")
    const exchange = await origin.request(count)
    await exchange.body(4)
    client.reset()
    expect(await exchange.connection.resetOf(exchange.streamId)).toBe(8)
    expect(exchange.stream.ended).toBe(false)
  })
  test("a hundred of 200 kB at once, up and down again, from both versions", async () => {
    using second = await rawH2Client(port)
    const body = bulkOctets(0, 200_000).toString("latin1")
    const bodies = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        if (i % 2) return (await second.response(second.request({ ":method": "POST", ":path": "/echo" }, { body }), 15_000)).body
        using client = await rawClient(port)
        client.send(`POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
        return (await client.response("POST", 15_000)).body
      }),
    )
    expect(bodies.every(one => one === body)).toBe(true)
  }, 20_000)
})
