import { afterAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { RawSocket } from "../../support/raw-socket.ts"
import { recorder } from "../../support/recorder.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

const authority = new Authority()
const site = authority.issue(["a.test"])
const [plain, secure, few, dual] = (await freePorts(4)) as [number, number, number, number]
const upstream = await recorder()
const proxyProtocol = { from: ["127.0.0.1", "127.0.0.8/29"] }
const timeouts = { handshake: "300ms" }
const tls = { certificates: [{ cert: site.certFile, key: site.keyFile }] }
const proxy = await startBothways({
  workers: 2,
  listeners: {
    plain: { bind: `0.0.0.0:${plain}`, proxyProtocol, timeouts },
    dual: { bind: `:${dual}`, proxyProtocol, timeouts },
    secure: { bind: `127.0.0.1:${secure}`, proxyProtocol, timeouts, tls },
    few: { bind: `127.0.0.1:${few}`, proxyProtocol, limits: { connectionsPerClientMax: 2 } },
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ match: {}, to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

const get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
const signature = "\r\n\r\n\0\r\nQUIT\n"
const v2 = (command: string, family: string, addresses: number[], more = ""): string => {
  const length = addresses.length + more.length
  return signature + command + family + String.fromCharCode(length >> 8, length & 255, ...addresses) + more
}
const v2tcp4 = v2("\x21", "\x11", [203, 0, 113, 7, 198, 51, 100, 1, 0x12, 0x67, 1, 187])
const v2tcp6 = v2("\x21", "\x21", [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 9, 0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1, 0, 80, 1, 187])

/** Whom the upstream is told of when the connection begins with these octets. */
async function clientAfter(header: string, port = plain, from?: string): Promise<string | undefined> {
  using client = await rawClient(port, from === undefined ? {} : { from })
  client.send(header + get)
  expect((await client.response()).status).toBe(200)
  return upstream.requests.pop()!.fields["x-forwarded-for"]
}

const badPrefaces = async (): Promise<number> => (await scrape(proxy)).get('bothways_faults_total{fault="client.bad-preface",source="client"}') ?? 0

describe("a header from an address that is trusted names the client", () => {
  const headers: Record<string, [header: string, client: string]> = {
    "version 1": ["PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n", "203.0.113.7"],
    "version 1, IPv6": ["PROXY TCP6 2001:DB8::9 2001:db8::1 4711 443\r\n", "2001:db8::9"],
    "version 1, UNKNOWN": ["PROXY UNKNOWN\r\n", "127.0.0.1"],
    "version 2": [v2tcp4, "203.0.113.7"],
    "version 2, IPv6": [v2tcp6, "2001:db8::9"],
    "version 2, a datagram's addresses, which say nothing of a connection": [v2("\x21", "\x12", [1, 2, 3, 4, 1, 2, 3, 4, 0, 1, 0, 2]), "127.0.0.1"],
    "version 2, LOCAL": [v2("\x20", "\0", []), "127.0.0.1"],
    "version 2 with extensions": [
      v2("\x21", "\x11", [203, 0, 113, 8, 198, 51, 100, 1, 1, 1, 1, 187], `\x02\0\x06a.test${"\x04\0\xc8"}${"\0".repeat(200)}`),
      "203.0.113.8",
    ],
  }
  for (const [name, [header, client]] of Object.entries(headers)) test(name, async () => expect(await clientAfter(header)).toBe(client))

  test("octet by octet", async () => {
    for (const header of [headers["version 1"]![0], v2tcp4]) {
      using client = await rawClient(plain)
      await client.sendSlowly(header + get)
      expect((await client.response()).status).toBe(200)
      expect(upstream.requests.pop()!.fields["x-forwarded-for"]).toBe("203.0.113.7")
    }
  })
  test("by curl --haproxy-protocol; log and upstream say the same", async () => {
    const child = Bun.spawn(["curl", "-sS", "--haproxy-protocol", `http://127.0.0.1:${plain}/curl`], { stdout: "pipe" })
    expect([await child.exited, await new Response(child.stdout).text()]).toEqual([0, "ok"])
    expect(upstream.requests.pop()!.fields["x-forwarded-for"]).toBe("127.0.0.1")
    expect(await clientAfter("PROXY TCP4 203.0.113.77 198.51.100.1 4711 443\r\n")).toBe("203.0.113.77")
    await until(() => proxy.log().some(line => line.client === "203.0.113.77"))
  })
  test("on a socket of both families an IPv4 address is one", async () => {
    expect(await clientAfter("PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n", dual)).toBe("203.0.113.7")
    expect(await clientAfter("", dual, "127.0.0.2")).toBe("127.0.0.2")
  })
  test("holds for every request of the connection", async () => {
    using client = await rawClient(plain)
    client.send(headers["version 1"]![0])
    for (let i = 0; i < 3; i++) {
      client.send(get)
      expect((await client.response()).status).toBe(200)
      expect(upstream.requests.pop()!.fields["x-forwarded-for"]).toBe("203.0.113.7")
    }
  })
})

describe("nobody else's header is one", () => {
  test("from an address that is not trusted it is a bad request", async () => {
    for (const header of [`PROXY TCP4 6.6.6.6 6.6.6.6 1 2\r\n`, v2tcp4]) {
      using client = await rawClient(plain, { from: "127.0.0.2" })
      client.send(header + get)
      expect((await client.response()).status).toBe(400)
      await client.ended()
    }
    expect(upstream.requests).toEqual([])
    expect(await clientAfter("", plain, "127.0.0.2")).toBe("127.0.0.2")
  })
  test("a range counts, its neighbours do not", async () => {
    expect(await clientAfter("PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n", plain, "127.0.0.15")).toBe("203.0.113.7")
    expect(await clientAfter("", plain, "127.0.0.16")).toBe("127.0.0.16")
  })
})

describe("whoever is trusted must send one", () => {
  const wrong: Record<string, string> = {
    none: get,
    "another word": "PROXZ TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "an address that is none": "PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n",
    "a port that is none": "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    "the wrong family": "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "a line without end": `PROXY TCP4 1.2.3.4 ${"1".repeat(200)}`,
    "a bare LF": "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\n",
    "version 3": v2("\x31", "\x11", [1, 2, 3, 4, 1, 2, 3, 4, 0, 1, 0, 2]),
    "addresses cut off": v2("\x21", "\x11", [1, 2, 3, 4]),
    "a length beyond all reason": `${signature}\x21\x11\xff\xff${"x".repeat(3000)}`,
  }
  for (const [name, header] of Object.entries(wrong)) {
    test(name, async () => {
      const before = await badPrefaces()
      using client = await rawClient(plain)
      client.send(header + (header === get ? "" : get))
      await client.ended()
      expect(client.received).toBe("")
      expect(upstream.requests).toEqual([])
      await until(async () => (await badPrefaces()) === before + 1)
    })
  }
  test("a second one is a bad request", async () => {
    using client = await rawClient(plain)
    client.send(`PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n`.repeat(2) + get)
    expect((await client.response()).status).toBe(400)
  })
  test("in time", async () => {
    using client = await rawClient(plain)
    client.send("PROXY TCP4 203.0")
    await client.ended(1500)
    expect(client.received).toBe("")
  })
})

describe("with TLS", () => {
  async function tlsAfter(header: string): Promise<RawSocket> {
    const socket = connect(secure, "127.0.0.1")
    await new Promise<void>(resolve => socket.once("connect", () => resolve()))
    socket.write(Buffer.from(header, "latin1"))
    const secured = connectTls({ socket, servername: "a.test", ca: authority.ca.cert })
    await new Promise<void>((resolve, reject) =>
      secured
        .once("secureConnect", () => resolve())
        .once("error", reject)
        .once("close", () => reject(new Error("closed"))),
    )
    return new RawSocket(secured)
  }
  for (const [name, header] of Object.entries({ "version 1": "PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n", "version 2": v2tcp4 })) {
    test(`the header comes in the clear, before the handshake (${name})`, async () => {
      const client = await tlsAfter(header)
      client.send(get)
      expect((await client.response()).status).toBe(200)
      const { fields } = upstream.requests.pop()!
      expect([fields["x-forwarded-for"], fields["x-forwarded-proto"]]).toEqual(["203.0.113.7", "https"])
      client.destroy()
    })
  }
  test("by curl --haproxy-protocol", async () => {
    const words = ["--haproxy-protocol", "--cacert", authority.ca.certFile, "--resolve", `a.test:${secure}:127.0.0.1`, `https://a.test:${secure}/`]
    const child = Bun.spawn(["curl", "-sS", ...words], { stdout: "pipe" })
    expect([await child.exited, await new Response(child.stdout).text()]).toEqual([0, "ok"])
    upstream.requests.pop()
  })
  test("a handshake without one is closed", async () => {
    await expect(tlsAfter("")).rejects.toThrow()
  })
})

test("a limit for each client counts the clients that headers name", async () => {
  const open = async (address: string): Promise<[client: Awaited<ReturnType<typeof rawClient>>, status: number]> => {
    const client = await rawClient(few)
    client.send(`PROXY TCP4 ${address} 198.51.100.1 4711 443\r\n${get}`)
    return [client, (await client.response()).status]
  }
  const opened: [Awaited<ReturnType<typeof rawClient>>, number][] = []
  for (const address of ["203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.2", "203.0.113.2"]) opened.push(await open(address))
  expect(opened.map(([, status]) => status)).toEqual([200, 200, 503, 200, 200, 503])
  for (const [client] of opened) client.destroy()
  upstream.requests.length = 0
})
