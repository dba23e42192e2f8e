import { createSocket, type Socket } from "node:dgram"
import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { until } from "../../support/wait.ts"

/** A peer that answers each datagram with its name, the sender's port and the datagram. */
async function peer(name: string): Promise<{ port: number; socket: Socket }> {
  const socket = createSocket("udp4")
  socket.on("message", (data, from) => socket.send(Buffer.concat([Buffer.from(`${name} ${from.port} `), data]), from.port, from.address))
  await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve))
  return { port: socket.address().port, socket }
}

const one = await peer("one")
const two = await peer("two")
const [port, refused, limited] = (await freePorts(3)) as [number, number, number]
const proxy = await startBothways({
  workers: 2,
  listeners: {
    udp: { bind: `127.0.0.1:${port}`, udp: { idle: "400ms" } },
    refused: { bind: `127.0.0.1:${refused}`, udp: true },
    limited: { bind: `127.0.0.1:${limited}`, udp: true, limits: { connectionsPerClientMax: 2 } },
  },
  clusters: { echo: { protocol: "udp", peers: [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`] } },
  routes: [
    { match: { listener: "refused" }, filters: [{ "ip-list": { deny: ["127.0.0.0/8"] } }], to: { cluster: "echo" } },
    { match: { listener: ["udp", "limited"] }, to: { cluster: "echo" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  one.socket.close()
  two.socket.close()
})

/** A client with a port of its own. */
class Client {
  readonly socket = createSocket("udp4")
  readonly got: string[] = []

  private readonly to: number

  constructor(to: number) {
    this.to = to
    this.socket.on("message", data => this.got.push(data.toString("latin1")))
  }

  send(data: string | Buffer): void {
    this.socket.send(data, this.to, "127.0.0.1")
  }

  async ask(data: string | Buffer): Promise<string> {
    const before = this.got.length
    this.send(data)
    return until(() => this.got[before])
  }

  [Symbol.dispose](): void {
    this.socket.close()
  }
}

describe("datagrams", () => {
  test("each as it is, large ones too; one client stays with one peer", async () => {
    using client = new Client(port)
    const first = await client.ask("a")
    const start = first.slice(0, -1)
    const large = Buffer.alloc(40_000, "x")
    expect((await client.ask(large)).length).toBe(start.length + large.length)
    for (let i = 0; i < 20; i++) expect(await client.ask(`n${i}`)).toBe(`${start}n${i}`)
  })

  test("clients are spread over the peers", async () => {
    const seen = new Set<string>()
    for (let i = 0; i < 12; i++) {
      using client = new Client(port)
      seen.add((await client.ask("x")).slice(0, 3))
    }
    expect([...seen].sort()).toEqual(["one", "two"])
  })

  test("a burst before the peer is known arrives in its order", async () => {
    using client = new Client(port)
    for (let i = 0; i < 30; i++) client.send(`burst${i}`)
    await until(() => client.got.length === 30)
    expect(client.got.map(text => text.split(" ")[2])).toEqual(Array.from({ length: 30 }, (_, i) => `burst${i}`))
  })

  test("who is silent is forgotten, with a line in the log, and begins anew", async () => {
    using client = new Client(port)
    const before = (await client.ask("seventeen octets!")).split(" ")[1]
    await until(() => proxy.log().some(line => line.listener === "udp" && line.requestBytes === 17))
    expect((await client.ask("2")).split(" ")[1]).not.toBe(before)
    expect(proxy.log().find(line => line.listener === "udp")).toMatchObject({ method: "UDP", cluster: "echo" })
  })

  test("not allowed: no answer", async () => {
    using client = new Client(refused)
    client.send("x")
    await until(() => proxy.log().some(line => line.listener === "refused" && line.fault === "proxy.forbidden"))
    expect(client.got).toEqual([])
  })

  test("clients of one address are limited", async () => {
    using a = new Client(limited)
    using b = new Client(limited)
    using c = new Client(limited)
    await a.ask("x")
    await b.ask("x")
    c.send("x")
    await a.ask("y")
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(c.got).toEqual([])
  })
})
