import { createHash, randomBytes } from "node:crypto"
import { connect, createServer, type Server } from "node:net"
import { connect as connectTls, createServer as createTlsServer } from "node:tls"
import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const authority = new Authority()
const names = ["a.test", "b.test", "edge.test"] as const
const [certA, certB, certEdge] = names.map(name => authority.issue([name])) as [
  ReturnType<Authority["issue"]>,
  ReturnType<Authority["issue"]>,
  ReturnType<Authority["issue"]>,
]
const servers: Server[] = []

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  return (server.address() as { port: number }).port
}

const echo = await listening(createServer({ allowHalfOpen: true }, socket => void socket.on("error", () => {}).pipe(socket)))
const greeter = await listening(createServer(socket => void socket.on("error", () => {}).end("220 hello\r\n")))
const secure = (cert: { cert: string; key: string }, word: string) =>
  listening(createTlsServer({ cert: cert.cert, key: cert.key }, socket => void socket.on("error", () => {}).end(word)))
const secureA = await secure(certA, "I am A")
const secureB = await secure(certB, "I am B")
const named = await scriptedServer(async connection => {
  connection.send(await connection.through("!"))
})

const [plain, greets, sni, ended, prefaced, dead, refused, nobody] = (await freePorts(8)) as number[] as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
const listen = (port: number, more: object = {}) => ({ bind: `127.0.0.1:${port}`, tcp: true, ...more })
const config = {
  workers: 2,
  listeners: {
    plain: listen(plain),
    greets: listen(greets),
    sni: listen(sni, { timeouts: { head: "300ms" } }),
    ended: listen(ended, { tls: { certificates: [{ cert: certEdge.certFile, key: certEdge.keyFile }] } }),
    prefaced: listen(prefaced),
    refused: listen(refused),
    nobody: listen(nobody),
  },
  clusters: {
    echo: { protocol: "tcp", peers: [`127.0.0.1:${dead}`, `127.0.0.1:${echo}`], balance: "round-robin" },
    greeter: { protocol: "tcp", peers: [`127.0.0.1:${greeter}`] },
    a: { protocol: "tcp", peers: [`127.0.0.1:${secureA}`] },
    b: { protocol: "tcp", peers: [`127.0.0.1:${secureB}`] },
    named: { protocol: "tcp", peers: [named.address], proxyProtocol: "v1" },
    gone: { protocol: "tcp", peers: [`127.0.0.1:${dead}`] },
  },
  routes: [
    { match: { listener: "plain" }, to: { cluster: "echo" } },
    { match: { listener: "greets" }, to: { cluster: "greeter" } },
    { match: { listener: "sni", host: "a.test" }, to: { cluster: "a" } },
    { match: { listener: "sni", host: "*.test" }, to: { cluster: "b" } },
    { match: { listener: "ended" }, to: { cluster: "echo" } },
    { match: { listener: "prefaced" }, to: { cluster: "named" } },
    { match: { listener: "refused" }, filters: [{ "ip-list": { deny: ["127.0.0.0/8"] } }], to: { cluster: "echo" } },
    { match: { listener: "nobody" }, to: { cluster: "gone" } },
  ],
}
const proxy: Bothways = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  for (const server of servers) server.close()
  await named.close()
})

/** What comes until the end. */
function readAll(port: number, finishes = false): Promise<string> {
  return new Promise(resolve => {
    let text = ""
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    if (finishes) socket.end()
    socket.on("end", () => socket.end())
    socket.on("data", chunk => {
      text += chunk
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(text))
  })
}

/** What a TLS server of this name says; its certificate is checked. */
function readTls(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    const socket = connectTls({ port, host: "127.0.0.1", servername, ca: authority.ca.cert })
    socket.on("data", chunk => {
      text += chunk
    })
    socket.on("error", reject)
    socket.on("close", () => resolve(text))
  })
}

describe("connections as they are", () => {
  test("octets both ways, half-closes, also when the first peer is down", async () => {
    for (let i = 0; i < 4; i++) {
      using client = await rawClient(plain)
      client.send("hello\0\xff")
      expect(await client.bytes(7)).toBe("hello\0\xff")
      client.send("last")
      client.fin()
      expect(await client.bytes(4)).toBe("last")
      await until(() => client.ending === "fin")
    }
  })

  test("a server that speaks first", async () => {
    expect(await readAll(greets)).toBe("220 hello\r\n")
  })

  test("40 MB each way at the same time, unharmed", async () => {
    const block = randomBytes(1 << 20)
    const sent = createHash("sha256")
    const came = createHash("sha256")
    let bytes = 0
    const socket = connect(plain, "127.0.0.1")
    const over = new Promise<void>(resolve => socket.on("end", resolve))
    socket.on("data", chunk => {
      bytes += chunk.length
      came.update(chunk)
    })
    for (let i = 0; i < 40; i++) {
      sent.update(block)
      if (!socket.write(block)) await new Promise<void>(resolve => socket.once("drain", () => resolve()))
    }
    socket.end()
    await over
    expect(bytes).toBe(40 << 20)
    expect(came.digest("hex")).toBe(sent.digest("hex"))
  })

  test("nobody there, or not allowed: the connection ends without a word", async () => {
    expect(await readAll(nobody)).toBe("")
    expect(await readAll(refused)).toBe("")
    await until(() => proxy.log().some(line => line.listener === "nobody" && line.fault === "upstream.connect-refused"))
    await until(() => proxy.log().some(line => line.listener === "refused" && line.fault === "proxy.forbidden"))
  })

  test("who the client is, for servers that know the PROXY protocol", async () => {
    using client = await rawClient(prefaced, { from: "127.0.0.9" })
    client.send("!")
    expect(await client.through("!")).toMatch(/^PROXY TCP4 127\.0\.0\.9 127\.0\.0\.1 \d+ \d+\r\n!$/)
  })

  test("a line for each, with its octets and its peer", async () => {
    const line = await until(() => proxy.log().find(each => each.listener === "plain" && each.requestBytes === 11))
    expect(line).toMatchObject({ method: "TCP", client: "127.0.0.1", cluster: "echo", peer: `127.0.0.1:${echo}`, responseBytes: 11 })
  })
})

describe("TLS that goes through unopened", () => {
  test("by the name in the hello; the server's own certificate reaches the client", async () => {
    expect(await Promise.all([readTls(sni, "a.test"), readTls(sni, "b.test")])).toEqual(["I am A", "I am B"])
  })

  test("a hello in pieces", async () => {
    // The pieces go through a relay that cuts them.
    const relay = createServer(client => {
      const inner = connect(sni, "127.0.0.1")
      inner.setNoDelay(true)
      client.on("data", async (chunk: Buffer) => {
        client.pause()
        for (let at = 0; at < chunk.length; at += 50) {
          inner.write(chunk.subarray(at, at + 50))
          await new Promise(resolve => setTimeout(resolve, 1))
        }
        client.resume()
      })
      inner.on("data", chunk => client.write(chunk))
      inner.on("end", () => client.end())
      for (const each of [client, inner]) each.on("error", () => {})
    })
    expect(await readTls(await listening(relay), "a.test")).toBe("I am A")
  })

  test("what is no TLS, or says nothing, has no name: no route takes it", async () => {
    using client = await rawClient(sni)
    client.send("GET / HTTP/1.1\r\n\r\n")
    await until(() => client.ending !== "open")
    using silent = await rawClient(sni)
    await until(() => silent.ending !== "open")
    expect(client.received + silent.received).toBe("")
  })
})

describe("TLS that ends here", () => {
  test("the peer gets what was in it", async () => {
    using client = await rawClient(ended, { tls: { servername: "edge.test", ca: authority.ca.cert } })
    client.send("secret")
    expect(await client.bytes(6)).toBe("secret")
  })
})

describe("a reload", () => {
  test("leaves open connections alone and takes new ones by the new routes", async () => {
    using client = await rawClient(plain)
    client.send("before")
    expect(await client.bytes(6)).toBe("before")
    proxy.rewrite({
      ...config,
      admin: { bind: proxy.admin.slice(7) },
      routes: [{ match: { listener: "plain" }, to: { cluster: "greeter" } }, ...config.routes.slice(1)],
    })
    await until(async () => (await readAll(plain, true)) === "220 hello\r\n")
    client.send("after")
    expect(await client.bytes(5)).toBe("after")
  })
})
