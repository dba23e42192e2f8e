import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { bulkHash, BulkSink, BulkSource, MemoryWatch, residentAtRest } from "../../support/bulk.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { pause, until } from "../../support/wait.ts"

// K11 O-36, and ten transfers at once. An upstream that sends as fast as it is read, or takes as slowly as it is told; what the proxy holds meanwhile.

const MB = 1024 * 1024

/** What the upstream does with its next requests, and what became of them. */
const plan = { length: 256 * MB, rate: 0, sources: [] as BulkSource[], sinks: [] as BulkSink[], closed: 0 }
let upstream: Server
let proxy: Bothways
let port: number
/** Octets that the process needs before its first request. */
let atRest = 0

beforeAll(async () => {
  upstream = createServer({ allowHalfOpen: true }, accept)
  await new Promise<void>(resolve => upstream.listen(0, "127.0.0.1", resolve))
  port = await freePort()
  proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { app: { peers: [`127.0.0.1:${(upstream.address() as AddressInfo).port}`], retry: { attempts: 1 } } },
      routes: [{ match: {}, to: { cluster: "app" } }],
      observe: { accessLog: { to: "none" } },
    },
    { workers: 2 },
  )
  atRest = await residentAtRest(proxy.pid)
})
afterAll(async () => {
  await proxy.stop()
  upstream.close()
})

function accept(socket: Socket): void {
  socket.on("error", () => {})
  socket.on("close", () => void plan.closed++)
  socket.once("data", (first: Buffer) => {
    const head = first.indexOf("\r\n\r\n") + 4
    if (first.toString("latin1", 0, 4) === "POST") return takeUpload(socket, first.subarray(head))
    const source = new BulkSource(socket, plan.length)
    plan.sources.push(source)
    socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${plan.length}\r\n\r\n`)
    void source.run()
  })
}

function takeUpload(socket: Socket, first: Buffer): void {
  const sink = new BulkSink(socket, plan.rate)
  const { length } = plan
  plan.sinks.push(sink)
  const take = (chunk: Buffer): void => {
    sink.take(chunk)
    if (sink.received === length) socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 64\r\n\r\n${sink.digest()}`)
  }
  if (first.length > 0) take(first)
  socket.on("data", take)
}

async function client(head: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
  socket.on("error", () => {})
  await new Promise<void>(resolve => socket.once("connect", () => resolve()))
  socket.write(`${head}Host: a.test\r\nConnection: close\r\n\r\n`)
  return socket
}

/** A download into a sink; settles with it when the head has come. */
function download(rate: number): Promise<{ socket: Socket; sink: BulkSink }> {
  return new Promise(resolve => {
    void client("GET / HTTP/1.1\r\n").then(socket => {
      let sink: BulkSink | null = null
      socket.on("data", (chunk: Buffer) => {
        if (sink !== null) return sink.take(chunk)
        sink = new BulkSink(socket, rate)
        const body = chunk.subarray(chunk.indexOf("\r\n\r\n") + 4)
        if (body.length > 0) sink.take(body)
        resolve({ socket, sink })
      })
    })
  })
}

async function exchanges(): Promise<number> {
  const status = (await (await proxy.ask("/status")).json()) as { workers: readonly { exchanges: number }[] }
  return status.workers.reduce((sum, worker) => sum + worker.exchanges, 0)
}

async function idle(): Promise<void> {
  await until(async () => (await exchanges()) === 0, 2000, "the end of every exchange")
}

function reset(lengthMB: number, rate: number): void {
  Object.assign(plan, { length: lengthMB * MB, rate, sources: [], sinks: [], closed: 0 })
}

describe("O-36", () => {
  test(
    "download: a reader of 1 MiB/s, that then stops, and then resets",
    async () => {
      reset(256, 0)
      const rest = await residentAtRest(proxy.pid)
      using memory = new MemoryWatch(proxy.pid)
      const startedAt = performance.now()
      const { socket, sink } = await download(MB)
      expect(performance.now() - startedAt).toBeLessThan(200)
      await pause(scaled(1200, 10_000))
      // The upstream stands still: what has left it and not come is in the buffers of two kernels' sockets, and a little is ours.
      expect(plan.sources[0]!.sent - sink.received).toBeLessThan(24 * MB)
      sink.halt()
      const sent = plan.sources[0]!.sent
      await pause(scaled(600, 5000))
      expect(plan.sources[0]!.sent - sent).toBeLessThan(12 * MB)
      socket.resetAndDestroy()
      await until(() => plan.closed === 1, 1000, "the close of the upstream's connection")
      await idle()
      figure("growth in MB", (memory.peak - rest) / MB)
      expect((memory.peak - rest) / MB).toBeLessThan(32)
    },
    scaledTimeout(40_000),
  )

  test(
    "upload: an upstream that takes 1 MiB/s, and then stops, and a client that resets",
    async () => {
      reset(256, MB)
      const rest = await residentAtRest(proxy.pid)
      using memory = new MemoryWatch(proxy.pid)
      const socket = await client(`POST / HTTP/1.1\r\nContent-Length: ${256 * MB}\r\n`)
      const source = new BulkSource(socket, 256 * MB)
      void source.run()
      const sink = await until(() => plan.sinks[0])
      await pause(scaled(1200, 10_000))
      expect(source.sent - sink.received).toBeLessThan(24 * MB)
      sink.halt()
      await pause(scaled(600, 5000))
      socket.resetAndDestroy()
      await until(() => plan.closed === 1, 1000, "the close of the upstream's connection")
      await idle()
      figure("growth in MB", (memory.peak - rest) / MB)
      expect((memory.peak - rest) / MB).toBeLessThan(32)
    },
    scaledTimeout(40_000),
  )
})

// The promise is 50 MB for all of them; the process with two workers and all of its features needs 140 to 160 MB before the first request.
describe("ten transfers at once with slow readers take less than 50 MB", () => {
  const lengthMB = scaled(24, 600)
  const rate = scaled(24, 25) * MB

  test(
    "downloads",
    async () => {
      reset(lengthMB, 0)
      const expected = bulkHash(plan.length)
      using memory = new MemoryWatch(proxy.pid)
      const all = await Promise.all(Array.from({ length: 10 }, () => download(rate)))
      await until(() => all.every(({ sink }) => sink.received === plan.length), scaled(15_000, 300_000), "every octet")
      expect(all.map(({ sink }) => sink.digest())).toEqual(Array.from({ length: 10 }, () => expected))
      for (const { socket } of all) socket.destroy()
      await idle()
      figure("peak in MB", memory.peak / MB)
      expect((memory.peak - atRest) / MB).toBeLessThan(50)
    },
    scaledTimeout(320_000),
  )

  test(
    "uploads",
    async () => {
      reset(lengthMB, rate)
      const expected = bulkHash(plan.length)
      using memory = new MemoryWatch(proxy.pid)
      const answers = await Promise.all(
        Array.from({ length: 10 }, async () => {
          const socket = await client(`POST / HTTP/1.1\r\nContent-Length: ${plan.length}\r\n`)
          let answer = ""
          const ended = new Promise<void>(resolve => socket.on("end", resolve))
          socket.on("data", (chunk: Buffer) => {
            answer += chunk.toString("latin1")
          })
          await new BulkSource(socket, plan.length).run()
          await ended
          socket.destroy()
          return answer.slice(-64)
        }),
      )
      expect(answers).toEqual(Array.from({ length: 10 }, () => expected))
      await idle()
      figure("peak in MB", memory.peak / MB)
      expect((memory.peak - atRest) / MB).toBeLessThan(50)
    },
    scaledTimeout(320_000),
  )
})
