import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { createSecureServer, type Http2SecureServer } from "node:http2"
import type { AddressInfo } from "node:net"
import { createServer, type Server, type TLSSocket } from "node:tls"
import { Authority, createAuthority, type PemPair } from "../x509/authority.ts"
import { keyPem, makeKey } from "../x509/make-certificate.ts"
import type { DnsServer } from "./dns-server.fixture.ts"
import { ResolverBench } from "./resolver.fixture.ts"

// The scripted server behind DNS over TLS and DNS over HTTPS.
const authority = new Authority(createAuthority({ name: "Resolver tests", days: 2 }))
let bench: ResolverBench
let server: DnsServer
let dot: Server
let doh: Http2SecureServer
let connections = 0
let queryLengths: number[] = []
let dohIds: number[] = []
const sockets = new Set<TLSSocket>()

function pair(names: string[]): PemPair {
  const key = makeKey("p256")
  return { cert: authority.issueLeaf({ names, key, lifeMs: 86_400_000 }), key: keyPem(key) }
}

function framed(answer: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(answer.length >>> 8, answer.length & 255), answer])
}

beforeAll(async () => {
  bench = await ResolverBench.start()
  server = bench.server
  const { cert, key } = pair(["dns.test", "127.0.0.1"])
  dot = createServer({ cert, key, ALPNProtocols: ["dot"] }, socket => {
    connections++
    sockets.add(socket)
    let received = Buffer.alloc(0)
    socket.on("error", () => {})
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0)
        queryLengths.push(end - 2)
        server.take(Uint8Array.from(received.subarray(2, end)), "secure", 0, answer => socket.write(framed(answer)))
        received = received.subarray(end)
      }
    })
  })
  doh = createSecureServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const query = Buffer.concat(chunks)
      dohIds.push(query.readUInt16BE(0))
      queryLengths.push(query.length)
      if (request.url !== "/dns-query?x=1") return void response.writeHead(404).end()
      server.take(Uint8Array.from(query), "secure", 0, answer => {
        response.writeHead(200, { "content-type": "application/dns-message" })
        response.end(Buffer.from(answer))
      })
    })
  })
  doh.on("session", () => connections++)
  await Promise.all([dot, doh].map(one => new Promise<void>(done => one.listen(0, "127.0.0.1", done))))
})
afterEach(() => {
  bench.closeAll()
  connections = 0
  queryLengths = []
  dohIds = []
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  dot.close()
  doh.close()
  server.stop()
})

const at = (of: Server | Http2SecureServer): number => (of.address() as AddressInfo).port
const ca = authority.cert
const ways = {
  "DNS over TLS": (host: string) => ({ url: `tls://${host}:${at(dot)}`, address: "127.0.0.1", ca }),
  "DNS over HTTPS": (host: string) => ({ url: `https://${host}:${at(doh)}/dns-query?x=1`, address: "127.0.0.1", ca }),
}

describe.each(Object.entries(ways))("%s", (_way, way) => {
  test("many look-ups over one connection, none in the clear", async () => {
    const resolver = bench.make({ servers: [way("dns.test")], timeoutMs: 5000 })
    const names = Array.from({ length: 20 }, () => bench.fresh())
    for (const [i, name] of names.entries()) server.say(name, { a: [`127.0.1.${i}`], delayMs: 20 - i })
    const found = await Promise.all(names.map(name => bench.look(resolver, name)))
    expect(found.map(({ addresses }) => addresses)).toEqual(names.map((_, i) => [`127.0.1.${i}`]))
    expect(connections).toBe(1)
    expect(new Set(server.queries.filter(({ name }) => names.includes(name)).map(({ transport }) => transport))).toEqual(new Set(["secure"]))
    expect(new Set(queryLengths)).toEqual(new Set([128]))
    expect(dohIds.every(id => id === 0)).toBe(true)
  })

  test("an address as the name of the server is looked for in the certificate", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.1"] })
    expect((await bench.look(bench.make({ servers: [way("127.0.0.1")], timeoutMs: 5000 }), name)).addresses).toEqual(["127.0.0.1"])
  })

  test("another name, or an authority that nobody knows, is no server: nothing is asked", async () => {
    const name = bench.fresh()
    for (const wrong of [way("other.test"), { ...way("dns.test"), ca: undefined }]) {
      const { code } = await bench.look(bench.make({ servers: [wrong], timeoutMs: 5000 }), name)
      expect(code).toBe("failed")
    }
    expect(server.count(name)).toBe(0)
  })

  test("a silent server times out, and the next one is asked", async () => {
    const name = bench.fresh()
    server.say(name, { silent: true })
    const { code } = await bench.look(bench.make({ servers: [way("dns.test")], timeoutMs: 100 }), name)
    expect(code).toBe("timeout")
    server.say(name, { a: ["127.0.0.3"] })
    const resolver = bench.make({ servers: [{ ...way("dns.test"), address: "127.0.0.250" }, way("dns.test")], timeoutMs: 5000 })
    expect((await bench.look(resolver, name)).addresses).toEqual(["127.0.0.3"])
  })
})

test("DNS over TLS: a connection that the server closed is made anew", async () => {
  const resolver = bench.make({ servers: [ways["DNS over TLS"]("dns.test")], timeoutMs: 5000, attempts: 2 })
  const [one, two] = [bench.fresh(), bench.fresh()]
  for (const name of [one, two]) server.say(name, { a: ["127.0.0.4"] })
  expect((await bench.look(resolver, one)).addresses).toEqual(["127.0.0.4"])
  for (const socket of sockets) socket.destroy()
  expect((await bench.look(resolver, two)).addresses).toEqual(["127.0.0.4"])
  expect(connections).toBe(2)
})

test("DNS over HTTPS: an HTTP error is a failure", async () => {
  const wrong = { url: `https://dns.test:${at(doh)}/other`, address: "127.0.0.1", ca }
  const { error } = await bench.look(bench.make({ servers: [wrong], timeoutMs: 5000 }), bench.fresh())
  expect(error?.message).toContain("HTTP status 404")
})

describe("domains and blocked names", () => {
  test("the longest domain that fits has its servers; others have theirs", async () => {
    const resolver = bench.make({
      servers: ["127.0.0.1:9"],
      domains: { test: ["127.0.0.1:9"], "corp.test": [server.address], "out.corp.test": ["127.0.0.1:9"] },
      timeoutMs: 100,
    })
    for (const name of ["corp.test", "a.corp.test", "x.out.corp.test"]) server.say(name, { a: ["127.0.0.5"] })
    expect((await bench.look(resolver, "a.corp.test")).addresses).toEqual(["127.0.0.5"])
    expect((await bench.look(resolver, "Corp.test.")).addresses).toEqual(["127.0.0.5"])
    expect((await bench.look(resolver, "x.out.corp.test")).error).not.toBeNull()
    expect((await bench.look(resolver, "notcorp.test")).error).not.toBeNull()
  })

  test("a blocked name is asked for nowhere, its services neither", async () => {
    const name = bench.fresh()
    server.say(name, { a: ["127.0.0.6"] })
    const resolver = bench.make({ isBlocked: asked => asked === name })
    expect(await bench.look(resolver, `${name.toUpperCase()}.`)).toMatchObject({ code: "blocked", atOnce: true })
    expect((await bench.services(resolver, name)).services).toEqual([])
    expect(server.count(name)).toBe(0)
  })
})
