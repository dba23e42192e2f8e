import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect, createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { connect as connectTls } from "node:tls"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { bulkHash, BulkSource } from "../../support/bulk.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { createHash } from "node:crypto"

// Large bodies travel in ways of their own (reads into lent memory, copies of what a slow reader leaves): every octet must come, in its place,
// by every framing, with readers that stop and go; three at a time, so that what is lent is lent again while others still wait.

const LENGTH = 6_000_011
const expected = bulkHash(LENGTH)

let upstream: Server
let proxy: Bothways
let ports: { web: number; tls: number; forward: number }

beforeAll(async () => {
  upstream = await serve(socket => void play(socket))
  const [web, tls, forward] = (await freePorts(3)) as [number, number, number]
  ports = { web, tls, forward }
  const { certFile, keyFile } = new Authority().issue(["a.test"])
  proxy = await startBothways({
    listeners: {
      web: { bind: `127.0.0.1:${web}` },
      tls: { bind: `127.0.0.1:${tls}`, tls: { certificates: [{ cert: certFile, key: keyFile }] } },
      forward: { bind: `127.0.0.1:${forward}`, forward: { privateRanges: "allow", connectPorts: [portOf(upstream)] } },
    },
    clusters: { app: { peers: [`127.0.0.1:${portOf(upstream)}`] } },
    routes: [
      { match: { listener: "forward" }, to: { origin: {} } },
      { match: {}, to: { cluster: "app" } },
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  upstream.close()
})

function serve(accept: (socket: Socket) => void): Promise<Server> {
  return new Promise(resolve => {
    const server = createServer({ allowHalfOpen: true }, socket => {
      socket.on("error", () => {})
      accept(socket)
    })
    server.listen(0, "127.0.0.1", () => resolve(server))
  })
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

/** Everything that comes until `done`; now and then nothing is read for a moment. */
async function collect(socket: Socket, done: (received: number) => boolean, restMs = 3): Promise<Buffer> {
  const chunks: Buffer[] = []
  let received = 0
  let untilRest = 700_000
  await new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      received += chunk.length
      if (done(received)) return resolve()
      if (restMs === 0 || received < untilRest) return
      untilRest = received + 300_000 + (received % 500_000)
      socket.pause()
      setTimeout(() => socket.resume(), restMs)
    })
    socket.on("end", resolve)
    socket.on("close", resolve)
    socket.on("error", reject)
  })
  return Buffer.concat(chunks)
}

function split(message: Buffer): { head: string; body: Buffer } {
  const at = message.indexOf("\r\n\r\n") + 4
  return { head: message.toString("latin1", 0, at), body: message.subarray(at) }
}

/** Takes the chunked coding off a whole body. */
function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at)
    const size = Number.parseInt(body.toString("latin1", at, end), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 4 + size
  }
}

function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex")
}

/** The upstream: `GET /length`, `/chunked`, `/close` send the body; `POST` takes one and answers its hash; anything else is a tunnel's far end. */
async function play(socket: Socket): Promise<void> {
  const first = await new Promise<Buffer>(resolve => socket.once("data", (chunk: Buffer) => resolve(chunk)))
  const start = first.toString("latin1", 0, first.indexOf("\r\n"))
  if (start.startsWith("GET /")) {
    const kind = start.slice(5, start.indexOf(" ", 5))
    const framing =
      kind === "length" ? `Content-Length: ${LENGTH}\r\n` : kind === "chunked" ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n"
    socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n`)
    await new BulkSource(socket, LENGTH, kind === "chunked" ? 50_021 : 0).run()
    if (kind === "close") socket.end()
    else void play(socket)
    return
  }
  socket.unshift(first)
  if (!start.startsWith("POST /")) {
    // Echoes until the end.
    socket.pipe(socket)
    return
  }
  const chunked = start.startsWith("POST /chunked")
  const last = (received: number, seen: () => Buffer): boolean =>
    chunked ? seen().subarray(-5).toString("latin1") === "0\r\n\r\n" : received >= LENGTH
  const { body } = split(await collectPost(socket, last))
  socket.removeAllListeners("data")
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n${sha256(chunked ? unchunk(body) : body)}`)
  void play(socket)
}

/** The request of an upload, slowly. */
async function collectPost(socket: Socket, last: (received: number, seen: () => Buffer) => boolean): Promise<Buffer> {
  let tail: Buffer = Buffer.alloc(0)
  let head = 0
  socket.prependListener("data", (chunk: Buffer) => {
    if (head === 0) head = chunk.indexOf("\r\n\r\n") + 4
    tail = Buffer.concat([tail.subarray(-5), chunk.subarray(-5)])
  })
  return collect(socket, received => last(received - head, () => tail))
}

function plain(port: number): Promise<Socket> {
  return new Promise(resolve => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => resolve(socket))
  })
}

function secure(port: number): Promise<Socket> {
  return new Promise(resolve => {
    const socket = connectTls({ port, host: "127.0.0.1", servername: "a.test", rejectUnauthorized: false }, () => resolve(socket))
  })
}

async function tunnel(): Promise<void> {
  const socket = await plain(ports.forward)
  const target = `127.0.0.1:${portOf(upstream)}`
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  const reply = await new Promise<Buffer>(resolve => socket.once("data", (chunk: Buffer) => resolve(chunk)))
  expect(reply.toString("latin1")).toStartWith("HTTP/1.1 200")
  const [echo] = await Promise.all([collect(socket, () => false), new BulkSource(socket, LENGTH).run().then(() => socket.end())])
  expect([echo.length, sha256(echo)]).toEqual([LENGTH, expected])
}

type Open = (port: number) => Promise<Socket>

function threeTimes(run: () => Promise<void>): Promise<unknown> {
  return Promise.all([run(), run(), run()])
}

async function download(open: Open, port: number, kind: string, restMs: number): Promise<void> {
  const socket = await open(port)
  socket.write(`GET /${kind} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  const { head, body } = split(await collect(socket, () => false, restMs))
  expect(head).toStartWith("HTTP/1.1 200 OK\r\n")
  const data = head.includes("chunked") ? unchunk(body) : body
  expect([data.length, sha256(data)]).toEqual([LENGTH, expected])
  socket.destroy()
}

async function upload(open: Open, port: number, kind: string): Promise<void> {
  const socket = await open(port)
  const framing = kind === "length" ? `Content-Length: ${LENGTH}` : "Transfer-Encoding: chunked"
  socket.write(`POST /${kind} HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n`)
  const [answer] = await Promise.all([
    collect(socket, received => received > 100, 0),
    new BulkSource(socket, LENGTH, kind === "chunked" ? 70_001 : 0).run(),
  ])
  expect(answer.toString("latin1").slice(-64)).toBe(expected)
  // What stood behind the body in the same piece of memory is read as the next request.
  socket.removeAllListeners("data")
  socket.write("GET /length HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
  const { body } = split(await collect(socket, () => false, 0))
  expect(sha256(body)).toBe(expected)
  socket.destroy()
}

for (const [name, open, port] of [
  ["plain", plain, () => ports.web],
  ["TLS", secure, () => ports.tls],
] as const) {
  describe(`a large body, ${name} client`, () => {
    for (const kind of ["length", "chunked", "close"]) {
      for (const restMs of [0, 3]) {
        test(`download, ${kind}${restMs > 0 ? ", by a reader that stops and goes" : ""}`, async () => {
          await threeTimes(() => download(open, port(), kind, restMs))
        })
      }
    }
    for (const kind of ["length", "chunked"]) {
      test(`upload, ${kind}, to an upstream that stops and goes; the connection goes on`, async () => {
        await threeTimes(() => upload(open, port(), kind))
      })
    }
  })
}

test("an upload with the next request right behind it", async () => {
  const socket = await plain(ports.web)
  socket.write(`POST /chunked HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n`)
  const answers = collect(socket, () => false, 0)
  await new BulkSource(socket, LENGTH, 99_991).run()
  socket.write("GET /length HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
  const { head, body } = split(await answers)
  expect(head).toStartWith("HTTP/1.1 200 OK\r\n")
  expect(body.toString("latin1", 0, 64)).toBe(expected)
  expect(sha256(split(body.subarray(64)).body)).toBe(expected)
  socket.destroy()
})

test("a tunnel, both ways at once, with a reader that stops and goes", async () => {
  await threeTimes(tunnel)
})
