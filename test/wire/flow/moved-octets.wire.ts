import { afterAll, afterEach, describe, expect, test } from "bun:test"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { startBothways } from "../../support/bothways.ts"
import { BulkSink, BulkSource, bulkHash, MemoryWatch, residentBytes } from "../../support/bulk.ts"
import { Authority } from "../../support/certificates.ts"
import { tunnel } from "../../support/inside.ts"
import { figure, scaled } from "../../support/long.ts"
import { openPipes } from "../../support/open-sockets.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { freePorts } from "../../support/ports.ts"
import { pause, until } from "../../support/wait.ts"

// Tunnels between plain sockets, whose octets go from one to the other inside the kernel when they come in masses (decision 0041).

const MB = 1024 * 1024
const BULK = scaled(24, 100) * MB
const authority = new Authority()
const [plain, hasty, limited, secure, peeked, raw] = (await freePorts(6)) as [number, number, number, number, number, number]
const arrived: Socket[] = []
const arrive = (socket: Socket): void => {
  socket.on("error", () => {})
  arrived.push(socket)
}
const target = createServer({ allowHalfOpen: true, noDelay: true }, arrive)
await new Promise<void>(resolve => target.listen(0, "127.0.0.1", resolve))
const path = join(temporaryFolder("moved"), "target.sock")
const local = createServer({ allowHalfOpen: true }, arrive)
await new Promise<void>(resolve => local.listen(path, resolve))
const address = `127.0.0.1:${(target.address() as AddressInfo).port}`
const forward = { privateRanges: "allow", connectPorts: ["1-65535"] }
const pair = authority.issue(["127.0.0.1"])
const config = (down = "100MB") => ({
  listeners: {
    plain: { bind: `127.0.0.1:${plain}`, forward },
    raw: { bind: `127.0.0.1:${raw}`, tcp: true },
    hasty: { bind: `127.0.0.1:${hasty}`, forward, timeouts: { tunnelIdle: "400ms" } },
    limited: { bind: `127.0.0.1:${limited}`, forward },
    secure: { bind: `127.0.0.1:${secure}`, forward, tls: { certificates: [{ cert: pair.certFile, key: pair.keyFile }] } },
    peeked: {
      bind: `127.0.0.1:${peeked}`,
      forward: { ...forward, inspect: { ca: { cert: authority.ca.certFile, key: authority.ca.keyFile }, wait: "200ms" } },
    },
  },
  clusters: { local: { protocol: "tcp", peers: [`unix:${path}`] } },
  routes: [
    { match: { listener: "raw" }, to: { cluster: "local" } },
    { match: { listener: "limited" }, filters: [{ bandwidth: { down, up: "100MB" } }], to: { origin: {} } },
    { match: { listener: ["plain", "hasty", "secure", "peeked"] }, to: { origin: {} } },
  ],
})
const proxy = await startBothways(config())
const pipesBefore = openPipes(proxy.pid)
const held = (): number => openPipes(proxy.pid) - pipesBefore
const logged = (port: string, requestBytes: number) =>
  until(() => proxy.log().find(line => line["listener"] === port && line["requestBytes"] === requestBytes))
const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})
afterAll(async () => {
  await proxy.stop()
  target.close()
  local.close()
})

/** What becomes of a socket: nothing yet, a clean end, or a reset. */
class End {
  readonly socket: Socket
  readonly sink: BulkSink
  ending = ""

  constructor(socket: Socket, bytesPerSecond = 0) {
    this.socket = socket
    this.sink = new BulkSink(socket, bytesPerSecond)
    opened.push(socket)
    socket.on("data", (chunk: Buffer) => this.sink.take(chunk))
    socket.on("end", () => (this.ending ||= "fin"))
    socket.on("error", () => (this.ending = "reset"))
    socket.on("close", () => (this.ending ||= "fin"))
  }

  send(bytes = BULK): Promise<void> {
    return new BulkSource(this.socket, bytes).run()
  }

  async got(bytes = BULK): Promise<void> {
    await until(() => this.sink.received >= bytes || this.ending !== "", 15_000, `${bytes} octets`)
    expect(this.sink.received).toBe(bytes)
    expect(this.sink.digest()).toBe(bulkHash(bytes))
  }

  ended(): Promise<string> {
    return until(() => this.ending, 8000, "the end")
  }
}

async function ends(port = plain): Promise<{ client: End; origin: End }> {
  const at = arrived.length
  const socket = await tunnel(port, address)
  const origin = await until(() => arrived[at])
  socket.allowHalfOpen = true
  return { client: new End(socket), origin: new End(origin) }
}

describe("octets in masses", () => {
  test("are the same, both ways at once, the log counts each of them, and nothing stays open", async () => {
    const { client, origin } = await ends()
    expect(held()).toBe(0)
    await Promise.all([client.send(), origin.send(), client.got(), origin.got()])
    expect(held()).toBe(2)
    client.socket.end()
    origin.socket.end()
    expect([await client.ended(), await origin.ended()]).toEqual(["fin", "fin"])
    expect(await logged("plain", BULK)).toMatchObject({ status: 200, responseBytes: BULK })
    await until(() => held() === 0)
  }, 30_000)
  test("wait for a slow reader, in bounded memory", async () => {
    const { client, origin } = await ends()
    client.sink.speed(20 * MB)
    const rest = residentBytes(proxy.pid)
    using memory = new MemoryWatch(proxy.pid)
    const source = new BulkSource(origin.socket, BULK)
    const sent = source.run()
    await until(() => client.sink.received > 4 * MB)
    client.sink.halt()
    await pause(150)
    const stalled = origin.socket.bytesWritten
    await pause(100)
    // What the kernel holds between the four sockets is a few MB.
    expect(source.sent).toBeLessThan(BULK)
    expect(origin.socket.bytesWritten).toBe(stalled)
    client.sink.speed(0)
    await Promise.all([sent, client.got()])
    figure("memory that a slow reader costs, MB", ((memory.peak - rest) / MB).toFixed(1))
    expect(memory.peak - rest).toBeLessThan(40 * MB)
  }, 30_000)
  test("of one end arrive whole before its half-close, and the other may go on", async () => {
    const { client, origin } = await ends()
    const bytes = 8 * MB
    await origin.send(bytes)
    origin.socket.end()
    await client.got(bytes)
    expect(await client.ended()).toBe("fin")
    await client.send(bytes)
    client.socket.end()
    await origin.got(bytes)
    expect(await origin.ended()).toBe("fin")
    await until(() => held() === 0)
  })
  test("a reset of either side in the middle is passed on, and costs nobody else", async () => {
    const other = await ends()
    const others = [other.client.send(), other.origin.send()]
    for (let round = 0; round < 6; round++) {
      const one = await ends()
      const [from, to] = round % 2 === 0 ? [one.origin, one.client] : [one.client, one.origin]
      void from.send(1024 * MB)
      await until(() => to.sink.received > MB)
      const [gone, left] = round < 4 ? [to, from] : [from, to]
      gone.socket.resetAndDestroy()
      expect(await left.ended()).toBe("reset")
    }
    await Promise.all([...others, other.client.got(), other.origin.got()])
    other.client.socket.resetAndDestroy()
    await until(() => held() === 0)
    expect(proxy.program.stderr).not.toContain("rror")
  }, 30_000)
  test("put the idle limit off, and it holds when they stop", async () => {
    const { client, origin } = await ends(hasty)
    const piece = Buffer.alloc(512 * 1024, "i")
    const begun = performance.now()
    for (let at = 0; at < 6; at++) {
      origin.socket.write(piece)
      await pause(100)
    }
    expect(client.ending).toBe("")
    expect(held()).toBe(2)
    await client.ended()
    expect(client.sink.received).toBe(6 * piece.length)
    expect(performance.now() - begun).toBeGreaterThan(900)
  })
  test("go on through a reload", async () => {
    const { client, origin } = await ends()
    client.sink.speed(40 * MB)
    const sent = origin.send()
    await until(() => client.sink.received > 2 * MB)
    proxy.rewrite({ ...config("90MB"), workers: 1, admin: { bind: proxy.admin.slice(7) } })
    expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
    client.sink.speed(0)
    await Promise.all([sent, client.got()])
  }, 30_000)
})

describe("who else is there", () => {
  const bytes = 8 * MB

  test("a tunnel whose first octets were looked at is moved like any other", async () => {
    const at = arrived.length
    const socket = await tunnel(peeked, address)
    const client = new End(socket)
    const sent = client.send(bytes)
    const origin = new End(await until(() => arrived[at]))
    await Promise.all([sent, origin.send(bytes), origin.got(bytes), client.got(bytes)])
    expect(held()).toBe(2)
    socket.end()
    origin.socket.end()
    expect(await logged("peeked", bytes)).toMatchObject({ status: 200, responseBytes: bytes })
  })
  test("a TCP listener and a peer on a Unix socket", async () => {
    const at = arrived.length
    const client = new End(connect({ port: raw, host: "127.0.0.1", allowHalfOpen: true }))
    const origin = new End(await until(() => arrived[at]))
    await Promise.all([client.send(bytes), origin.send(bytes), client.got(bytes), origin.got(bytes)])
    expect(held()).toBe(2)
    client.socket.end()
    origin.socket.end()
    expect([await client.ended(), await origin.ended()]).toEqual(["fin", "fin"])
    await until(() => held() === 0)
  })
  test("a bandwidth limit sees every octet", async () => {
    const { client, origin } = await ends(limited)
    await Promise.all([client.send(bytes), origin.send(bytes), client.got(bytes), origin.got(bytes)])
    expect(held()).toBe(0)
  })
  test("a client that speaks TLS to the proxy gets it as TLS", async () => {
    const at = arrived.length
    const socket = connectTls({ port: secure, host: "127.0.0.1", rejectUnauthorized: false })
    socket.write(`CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n\r\n`)
    await new Promise(resolve => socket.once("data", resolve))
    const client = new End(socket)
    const origin = new End(await until(() => arrived[at]))
    await Promise.all([client.send(bytes), origin.send(bytes), client.got(bytes), origin.got(bytes)])
    expect(held()).toBe(0)
  })
})
