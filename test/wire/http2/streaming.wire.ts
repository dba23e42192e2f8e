import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { BulkSource, bulkHash, MemoryWatch, residentAtRest } from "../../support/bulk.ts"
import { createHash } from "node:crypto"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { figure } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// O-35 and O-36 with a client of HTTP/2.
const MB = 1024 * 1024
const port = await freePort()
let source: BulkSource | undefined
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    if (head.startsWith("POST")) {
      connection.pause()
      return
    }
    if (head.startsWith("GET /events")) {
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      for (let i = 0; i < 5; i++) {
        await pause(100)
        connection.send("8\r\ndata: x\n\r\n")
      }
      connection.send("0\r\n\r\n")
    } else {
      const size = Number(/^GET \/(\d+)/.exec(head)![1])
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      source = new BulkSource(connection.socket, size)
      await source.run()
    }
  }
})
const proxy = await startBothways(reverseConfig(port, upstream.address, { listener: { timeouts: { write: "10s" } } }))
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

/** Takes a body without keeping it, `rate` octets a second, 0 = as they come. */
class Reader {
  length = 0
  private taken = 0
  readonly hash = createHash("sha256")
  private readonly client: RawH2Client
  private timer: ReturnType<typeof setInterval> | null = null

  constructor(client: RawH2Client, id: number, rate: number) {
    this.client = client
    const stream = client.stream(id)
    stream.addData = bytes => {
      this.length += bytes.length
      this.hash.update(bytes)
      this.taken += bytes.length
      if (rate > 0 || this.taken < MB / 4) return
      this.open(id, this.taken)
      this.taken = 0
    }
    if (rate > 0) this.timer = setInterval(() => this.open(id, rate / 50), 20)
  }

  private open(id: number, bytes: number): void {
    this.client.windowUpdate(0, bytes)
    this.client.windowUpdate(id, bytes)
  }

  halt(): void {
    if (this.timer !== null) clearInterval(this.timer)
  }
}

describe("O-36: a large download", () => {
  test("100 MB, octet for octet, and memory stays", async () => {
    using watch = new MemoryWatch(proxy.pid)
    const before = watch.look()
    using client = await rawH2Client(port, { updateWindows: false, settings: { initialWindowSize: MB } })
    client.windowUpdate(0, MB)
    const id = client.request({ ":path": `/${100 * MB}` })
    const reader = new Reader(client, id, 0)
    const at = performance.now()
    await client.response(id, 20_000)
    figure("100 MB in ms", performance.now() - at)
    figure("grown by MB", (watch.peak - before) / MB)
    expect([reader.length, reader.hash.digest("hex")]).toEqual([100 * MB, bulkHash(100 * MB)])
    expect((watch.peak - before) / MB).toBeLessThan(32)
    client.frames.length = 0
  }, 30_000)
  test("a slow reader: the upstream is held back; a reset frees all", async () => {
    using watch = new MemoryWatch(proxy.pid)
    const rest = await residentAtRest(proxy.pid)
    using client = await rawH2Client(port, { updateWindows: false })
    source = undefined
    const id = client.request({ ":path": `/${256 * MB}` })
    const reader = new Reader(client, id, MB)
    const at = performance.now()
    await until(() => reader.length > 0)
    expect(performance.now() - at).toBeLessThan(200)
    await pause(1500)
    // What is on its way lies in the kernel's buffers.
    expect(source!.sent - reader.length).toBeLessThan(16 * MB)
    reader.halt()
    await pause(300)
    const { sent } = source!
    await pause(300)
    expect(source!.sent).toBe(sent)
    figure("grown by MB", (watch.peak - rest) / MB)
    expect((watch.peak - rest) / MB).toBeLessThan(32)
    client.reset(id)
    await until(() => upstream.connections.at(-1)!.ending !== "open")
  }, 15_000)
})

test("uploads of twenty streams to an upstream that does not read: a window each, and no more", async () => {
  using watch = new MemoryWatch(proxy.pid)
  const rest = await residentAtRest(proxy.pid)
  using client = await rawH2Client(port)
  const before = upstream.connections.length
  const ids = Array.from({ length: 20 }, () => client.request({ ":method": "POST" }, { end: false }))
  const body = Buffer.alloc(16 * MB)
  for (const id of ids) void client.upload(id, body)
  let still = 0
  await until(async () => {
    await client.roundTrip()
    still = ids.every(id => client.queue.window(id) === 0) ? still + 1 : 0
    return still > 20
  }, 10_000)
  // The connection's own window is open: the twenty-first is heard.
  expect(client.queue.window(0)).toBeGreaterThan(400_000)
  figure("grown by MB", (watch.peak - rest) / MB)
  // The kernel has taken five MB of each, at once; the collector comes behind.
  expect((watch.peak - rest) / MB).toBeLessThan(160)
  for (const id of ids) client.reset(id)
  for (const one of upstream.connections.slice(before)) one.resume()
  await until(() => upstream.connections.slice(before).every(one => one.ending !== "open"))
}, 20_000)

test("O-35: events come one by one, as they are sent", async () => {
  using client = await rawH2Client(port)
  const id = client.request({ ":path": "/events" })
  const times: number[] = []
  for (let i = 1; i <= 5; i++) {
    await client.body(id, 8 * i)
    times.push(performance.now())
  }
  expect((await client.response(id)).ended).toBe(true)
  for (let i = 1; i < 5; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThan(50)
})
