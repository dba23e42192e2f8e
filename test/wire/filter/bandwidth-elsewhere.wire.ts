import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config } from "../../support/h3/secure-config.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

// The same pace over HTTP/3 and in tunnels, both ways.

const MB = 1024 * 1024
const body = Buffer.alloc(2 * MB)
for (let i = 0; i < body.length; i += 4) body.writeUInt32LE((i * 2_246_822_519) >>> 0, i)
const digest = createHash("sha256").update(body).digest("hex")

let port: number
let plain: number
let proxy: Bothways
let tunnels: Bothways
let origin: Server
const sockets = new Set<Socket>()

/** GET gives the body; POST tells what came; an upgrade sends the body down and counts what comes up. */
function serve(socket: Socket): void {
  sockets.add(socket)
  let head = ""
  let kind = ""
  let length = 0
  const hash = createHash("sha256")
  const came = (chunk: Buffer): void => {
    hash.update(chunk)
    length += chunk.length
    if (length !== body.length) return
    const text = `${length} ${hash.digest("hex")}`
    socket.write(kind === "POST" ? `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}` : text)
  }
  socket.on("error", () => {})
  socket.on("data", (chunk: Buffer) => {
    if (kind !== "") return came(chunk)
    head += chunk.toString("latin1")
    const end = head.indexOf("\r\n\r\n")
    if (end < 0) return
    kind = /upgrade: websocket/i.test(head) ? "TUNNEL" : head.slice(0, head.indexOf(" "))
    const rest = Buffer.from(head.slice(end + 4), "latin1")
    if (kind === "GET") {
      socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`), body]))
      return
    }
    if (kind === "TUNNEL") {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      if (head.startsWith("GET /down")) socket.write(body)
    }
    if (rest.length > 0) came(rest)
  })
}

beforeAll(async () => {
  port = await freePort()
  plain = await freePort()
  origin = createServer(serve)
  await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
  const address = `127.0.0.1:${(origin.address() as AddressInfo).port}`
  const route = { filters: [{ bandwidth: { down: "1MB", up: "1MB" } }] }
  proxy = await startBothways(http3Config(port, address, { route }))
  tunnels = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${plain}` } },
    clusters: { a: { peers: [address] } },
    routes: [{ ...route, to: { cluster: "a" } }],
  })
}, 20_000)

afterAll(async () => {
  await Promise.all([proxy.stop(), tunnels.stop()])
  for (const socket of sockets) socket.destroy()
  origin.close()
})

async function openTunnel(path: string) {
  const client = await rawClient(plain)
  client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  expect(await client.head()).toStartWith("HTTP/1.1 101")
  return client
}

describe.concurrent("bandwidth", () => {
  test("a download over HTTP/3", async () => {
    using client = await rawH3Client(port)
    const start = performance.now()
    const stream = client.request({ ":path": "/" })
    const hash = createHash("sha256")
    stream.take = chunk => hash.update(chunk)
    expect((await stream.response(10_000)).ended).toBe(true)
    expect(hash.digest("hex")).toBe(digest)
    expect((performance.now() - start) / 1000).toBeWithin(1.85, 2.7)
  }, 20_000)

  test("an upload over HTTP/3", async () => {
    using client = await rawH3Client(port)
    const start = performance.now()
    const stream = client.request({ ":method": "POST", ":path": "/", "content-length": String(body.length) }, { end: false })
    await stream.data(body, { end: true })
    const { body: text } = await stream.response(10_000)
    expect(text).toBe(`${body.length} ${digest}`)
    expect((performance.now() - start) / 1000).toBeWithin(1.4, 2.8)
  }, 20_000)

  test("a tunnel, down", async () => {
    using client = await openTunnel("/down")
    const start = performance.now()
    const text = await client.bytes(body.length, 10_000)
    expect(createHash("sha256").update(Buffer.from(text, "latin1")).digest("hex")).toBe(digest)
    expect((performance.now() - start) / 1000).toBeWithin(1.5, 2.7)
  }, 20_000)

  test("a tunnel, up", async () => {
    using client = await openTunnel("/up")
    const start = performance.now()
    client.socket.write(body)
    await until(() => client.received.includes(digest), 10_000)
    expect((performance.now() - start) / 1000).toBeWithin(1.5, 2.7)
  }, 20_000)
})
