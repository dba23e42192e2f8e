import { afterAll, describe, expect, test } from "bun:test"
import { createServer as createPlain } from "node:http"
import { createSecureServer } from "node:http2"
import type { AddressInfo, Server } from "node:net"
import { join } from "node:path"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { run } from "../../support/run.ts"
import { socksParent } from "../../support/socks-parent.ts"
import { until } from "../../support/wait.ts"

// Ways through parents that end at the origin: SOCKS, TLS to origins that were asked for in the clear, parents behind parents (O-13, O-37, O-51).
const authority = new Authority()
const site = authority.issue(["secret.test", "localhost"])
const users = join(temporaryFolder("tunnels"), "users")
expect((await run("htpasswd", "-bcB", "-C", "4", users, "bob", "pass")).code).toBe(0)

let connections = 0
const names: unknown[] = []
const counted = <S extends Server>(server: S) => server.on("connection", () => void connections++)
const answers = (request: { url?: string | undefined; headers: Record<string, unknown> }) =>
  `${request.url} ${request.headers["proxy-authorization"] ?? "none"}`
const plain = counted(createPlain((request, response) => response.end(answers(request))))
const secure = counted(
  createSecureServer({ cert: site.cert, key: site.key, allowHTTP1: true }, (request, response) =>
    response.end(request.httpVersion === "2.0" ? `h2 ${request.url}` : answers(request)),
  ),
)
secure.on("secureConnection", socket => void names.push(socket.servername))
const portOf = (server: Server) =>
  new Promise<number>(resolve => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)))
const plainAt = await portOf(plain)
const secureAt = await portOf(secure)

const ours = await DnsServer.start()
const theirs = await DnsServer.start()
theirs.say("secret.test", { a: ["127.0.0.1"] })
const [httpAt, tlsAt, socksAt, openAt, ...ports] = (await freePorts(20)) as [number, number, number, number, ...number[]]
const forward = { privateRanges: "allow", ports: ["1-65535"], connectPorts: ["1-65535"], udpPorts: [] }
const auth = { htpasswd: users }
const tls = { certificates: [{ cert: site.certFile, key: site.keyFile }] }
const settings = {
  resolver: { servers: [theirs.address] },
  listeners: {
    http: { bind: `127.0.0.1:${httpAt}`, forward: { ...forward, auth } },
    tls: { bind: `127.0.0.1:${tlsAt}`, forward: { ...forward, auth }, tls },
    socks: { bind: `127.0.0.1:${socksAt}`, forward: { ...forward, auth, socks: true } },
    open: { bind: `127.0.0.1:${openAt}`, forward: { ...forward, socks: true } },
  },
  routes: [{ to: { origin: {} } }],
}
const parentStarts = startBothways(settings)
// Whoever stands behind a proxy is another one: its own ports are a loop.
const [farAt, farTlsAt, farSocksAt] = (await freePorts(3)) as [number, number, number]
const { http, tls: overTls, socks } = settings.listeners
const farStarts = startBothways({
  ...settings,
  listeners: {
    http: { ...http, bind: `127.0.0.1:${farAt}` },
    tls: { ...overTls, bind: `127.0.0.1:${farTlsAt}` },
    socks: { ...socks, bind: `127.0.0.1:${farSocksAt}` },
  },
})
const scripted = await socksParent()
const refusing = await socksParent(() => "refuse")
const garbling = await socksParent(() => "garble")
const hanging = await socksParent(() => "hang")
const closing = await socksParent(() => "close")

const bob = { user: "bob", password: "pass" }
const toTls = (port: number) => ({ peers: [`127.0.0.1:${port}`], tls: { ca: authority.ca.certFile, serverName: "localhost" } })
const good = {
  http: { peers: [`127.0.0.1:${httpAt}`], parent: bob },
  https: { ...toTls(tlsAt), parent: { kind: "https", ...bob }, protocol: "http1" },
  http2: { ...toTls(tlsAt), parent: { kind: "https", ...bob }, protocol: "http2" },
  socks5: { peers: [`127.0.0.1:${socksAt}`], parent: { kind: "socks5h", ...bob } },
  socks4a: { peers: [`127.0.0.1:${openAt}`], parent: "socks4a" },
  scripted: { peers: [scripted.address], parent: "socks5" },
  "http behind socks5": { peers: [`127.0.0.1:${farAt}`], parent: { ...bob, via: "scripted" } },
  "http2 behind http": { ...toTls(farTlsAt), parent: { ...bob, via: "http" }, protocol: "http2" },
  "socks5 behind http2": { peers: [`127.0.0.1:${farSocksAt}`], parent: { kind: "socks5", ...bob, via: "http2" } },
}
const bad = {
  failover: { peers: [refusing.address, { address: scripted.address, backup: true }], parent: "socks5" },
  refuses: { peers: [refusing.address], parent: "socks5", health: { passive: "off" } },
  garbles: { peers: [garbling.address], parent: "socks5", health: { passive: "off" } },
  hangs: { peers: [hanging.address], parent: "socks5", timeouts: { connect: "200ms" }, health: { passive: "off" } },
  closes: { peers: [closing.address], parent: "socks5", health: { passive: "off" } },
}
const clusters = Object.fromEntries(Object.entries({ ...good, ...bad }).map(([name, cluster]) => [name.replaceAll(" ", "-"), cluster]))
// The same parents, and HTTP/2 with the origins.
for (const name of ["http2", "scripted"] as const) clusters[`${name}-h2`] = good[name]
const at = Object.fromEntries(Object.keys(clusters).map((name, i) => [name, ports[i]!]))
const proxyStarts = startBothways({
  resolver: { servers: [ours.address] },
  listeners: Object.fromEntries(Object.entries(at).map(([name, port]) => [name, { bind: `127.0.0.1:${port}`, forward }])),
  clusters,
  routes: Object.keys(clusters).map(name => ({
    name,
    match: { listener: name },
    to: { origin: { via: name, upgrade: { ca: authority.ca.certFile, http: name.endsWith("-h2") ? "http2" : "http1" } } },
  })),
})
const [parent, far, proxy] = await Promise.all([parentStarts, farStarts, proxyStarts])
afterAll(async () => {
  await Promise.all([
    proxy.stop(),
    parent.stop(),
    far.stop(),
    ...[scripted, refusing, garbling, hanging, closing].map(one => one[Symbol.asyncDispose]()),
  ])
  plain.closeAllConnections()
  for (const server of [plain, secure]) server.close()
  ours.stop()
  theirs.stop()
})

async function ask(port: number, ...urls: string[]): Promise<[number, string][]> {
  using client = await rawClient(port)
  const out: [number, string][] = []
  for (const url of urls) {
    client.send(`GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nProxy-Authorization: Basic Y2xpZW50\r\n\r\n`)
    const { status, body } = await client.response()
    out.push([status, body])
  }
  return out
}

describe.each(Object.keys(good))("through %s", name => {
  const port = at[name.replaceAll(" ", "-")]!
  test("http: kept alive, without a word of any log-in", async () => {
    const before = connections
    expect(await ask(port, `http://secret.test:${plainAt}/a`, `http://secret.test:${plainAt}/b`)).toEqual([
      [200, "/a none"],
      [200, "/b none"],
    ])
    expect(connections - before).toBeLessThan(2)
  })
  test("https asked for in the clear: TLS with the origin, its name and certificate checked", async () => {
    const before = connections
    names.length = 0
    expect(await ask(port, `https://secret.test:${secureAt}/a`, `https://secret.test:${secureAt}/b`)).toEqual([
      [200, "/a none"],
      [200, "/b none"],
    ])
    expect([connections - before, names]).toEqual([1, ["secret.test"]])
    // Another name at the same place is another connection, and not for this certificate.
    theirs.say("other.test", { a: ["127.0.0.1"] })
    expect((await ask(port, `https://other.test:${secureAt}/`)).map(([status]) => status)).toEqual([502])
  })
  test("CONNECT", async () => {
    const words = ["-sS", "--http1.1", "--cacert", authority.ca.certFile, "-x", `http://127.0.0.1:${port}`, `https://secret.test:${secureAt}/c`]
    expect((await run("curl", ...words)).stdout).toBe("/c none")
  })
})

test("no name was looked up here (O-51 a, b)", () => {
  expect(ours.queries).toEqual([])
  expect(scripted.asked).toContain(`name secret.test:${plainAt}`)
  expect(scripted.asked.filter(line => line.startsWith("address")).every(line => line.endsWith(`:${farAt}`))).toBe(true)
})

test.each(["http2-h2", "scripted-h2"])("HTTP/2 with the origin, many requests over one way: %s", async name => {
  const before = connections
  const all = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(at[name]!, `https://secret.test:${secureAt}/${i}`)))
  expect(all.flat()).toEqual(Array.from({ length: 8 }, (_, i) => [200, `h2 /${i}`]))
  expect(connections - before).toBe(1)
})

test("another parent opens what one refuses", async () => {
  expect(await ask(at["failover"]!, `http://secret.test:${plainAt}/f`)).toEqual([[200, "/f none"]])
  expect(refusing.asked.length).toBe(1)
})

test("a parent that refuses, garbles, hangs or closes: an error, and nobody goes there directly (O-51 e)", async () => {
  const before = connections
  const faults = {
    refuses: "upstream.parent-refused",
    garbles: "upstream.parent-garbled",
    hangs: "upstream.connect-timeout",
    closes: "upstream.connect-failed",
  }
  for (const [name, fault] of Object.entries(faults)) {
    const expected = name === "hangs" ? 504 : 502
    expect(await ask(at[name]!, `http://secret.test:${plainAt}/`)).toEqual([[expected, expect.any(String)]])
    using client = await rawClient(at[name]!)
    client.send(`CONNECT secret.test:${secureAt} HTTP/1.1\r\nHost: secret.test\r\n\r\n`)
    expect((await client.response("CONNECT")).status).toBe(expected)
    await until(() => proxy.log().filter(line => line.route === name && line.fault === fault).length === 2)
  }
  expect([connections, ours.queries.length]).toEqual([before, 0])
})
