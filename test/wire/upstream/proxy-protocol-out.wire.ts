import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause } from "../../support/wait.ts"

// The PROXY protocol towards peers (haproxy.org proxy-protocol.txt): a header in front of every connection says whose it is.

let proxy: Bothways
let ports: { v1: number; v2: number; hop: number; tls: number }
const upstreams = {} as Record<"v1" | "v2" | "hop" | "tls", ScriptedServer>

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

beforeAll(async () => {
  const [v1, v2, hop, tls] = (await freePorts(4)) as [number, number, number, number]
  ports = { v1, v2, hop, tls }
  const textHeader = async (connection: ScriptedServer["connections"][number]): Promise<void> => {
    await connection.through("\r\n")
    await serve(connection)
  }
  upstreams.v1 = await scriptedServer(textHeader)
  upstreams.hop = await scriptedServer(textHeader)
  upstreams.v2 = await scriptedServer(async connection => {
    await connection.bytes(28)
    await serve(connection)
  })
  upstreams.tls = await scriptedServer(() => pause(1))
  proxy = await startBothways({
    listeners: {
      v1: { bind: `127.0.0.1:${v1}` },
      v2: { bind: `127.0.0.1:${v2}` },
      hop: { bind: `127.0.0.1:${hop}`, trustedHops: ["127.0.0.1"] },
      tls: { bind: `127.0.0.1:${tls}` },
    },
    clusters: {
      v1: { peers: [upstreams.v1.address], proxyProtocol: "v1" },
      v2: { peers: [upstreams.v2.address], proxyProtocol: "v2" },
      hop: { peers: [upstreams.hop.address], proxyProtocol: "v1" },
      tls: { peers: [upstreams.tls.address], proxyProtocol: "v1", tls: { verify: false }, timeouts: { connect: "500ms" }, retry: { attempts: 1 } },
    },
    routes: ["v1", "v2", "hop", "tls"].map(name => ({ match: { listener: name }, to: { cluster: name } })),
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const upstream of Object.values(upstreams)) await upstream.close().catch(() => {})
})

async function serve(connection: ScriptedServer["connections"][number]): Promise<void> {
  for (;;) {
    await connection.request(20_000)
    connection.send(OK)
  }
}

/** Asks `count` times over one connection from `from`; gives its local port. */
async function ask(name: keyof typeof ports, from: string, count = 1, fields = ""): Promise<number> {
  using client = await rawClient(ports[name], { from })
  for (let i = 0; i < count; i++) {
    client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
    expect((await client.response()).status).toBe(200)
  }
  return client.socket.localPort!
}

describe("PROXY protocol to peers", () => {
  test("v1: one line for each connection, each for one client", async () => {
    const [one, two] = [await ask("v1", "127.0.6.1"), await ask("v1", "127.0.6.2")]
    const lines = upstreams.v1.connections.map(connection => connection.received.slice(0, connection.received.indexOf("\r\n")))
    expect(lines).toEqual([`PROXY TCP4 127.0.6.1 127.0.0.1 ${one} ${ports.v1}`, `PROXY TCP4 127.0.6.2 127.0.0.1 ${two} ${ports.v1}`])
  })

  test("v2: the same in octets", async () => {
    const port = await ask("v2", "127.0.6.3")
    const header = Buffer.from(upstreams.v2.connections.at(-1)!.received.slice(0, 28), "latin1")
    const signature = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10])
    const expected = Buffer.concat([
      signature,
      Buffer.from([0x21, 0x11, 0, 12, 127, 0, 6, 3, 127, 0, 0, 1, port >> 8, port & 255, ports.v2 >> 8, ports.v2 & 255]),
    ])
    expect(header.toString("hex")).toBe(expected.toString("hex"))
    expect(upstreams.v2.connections.at(-1)!.received.slice(28)).toStartWith("GET / HTTP/1.1\r\n")
  })

  test("a connection never serves two clients", async () => {
    const before = upstreams.v1.connections.length
    await ask("v1", "127.0.6.4", 2)
    await ask("v1", "127.0.6.5", 1)
    const used = upstreams.v1.connections
      .slice(before)
      .map(connection => connection.received.split("\r\n").filter(line => /^(PROXY|GET)/.test(line)).length)
    expect(used).toEqual([2, 2, 2])
  })

  test("behind a trusted hop it names the client that the hop named", async () => {
    await ask("hop", "127.0.0.1", 1, "X-Forwarded-For: 192.0.2.7\r\n")
    expect(upstreams.hop.connections[0]!.received).toStartWith("PROXY TCP4 192.0.2.7 127.0.0.1 0 ")
  })

  test("with TLS to the peer the header comes first, in the clear", async () => {
    using client = await rawClient(ports.tls, { from: "127.0.6.6" })
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const connection = await upstreams.tls.connection()
    expect(await connection.through("\r\n")).toStartWith("PROXY TCP4 127.0.6.6 127.0.0.1 ")
    expect((await connection.bytes(2)).charCodeAt(0)).toBe(22)
    expect((await client.response()).status).toBe(504)
  })
})
