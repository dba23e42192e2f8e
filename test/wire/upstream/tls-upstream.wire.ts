import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority, type Certificate } from "../../support/certificates.ts"
import { readClientHello } from "../../support/client-hello.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const authority = new Authority()
const strangers = new Authority("Somebody else")
const [app, two, literal, wildcard] = [["app.test"], ["two.test"], ["127.0.0.1"], ["*.w.test"]].map(names => authority.issue(names)) as [
  Certificate,
  Certificate,
  Certificate,
  Certificate,
]
const [expired, selfMade, other] = [authority.issue(["localhost"], 0), strangers.issue(["localhost"]), authority.issue(["other.test"])]
const own = authority.issue(["bothways"])
const localhost = authority.issue(["localhost"])
const stranger = strangers.issue(["mallory"])

const [port, byName, byAddress, expiredAt, selfMadeAt, otherAt, wildAt, asksAt, oldAt, newAt] = (await freePorts(10)) as number[] as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
const words = '"$ssl_server_name|$ssl_protocol|$ssl_alpn_protocol|$ssl_client_s_dn|$host|$connection"'
const tlsServer = (at: number, pair: Certificate, more = ""): string =>
  `server { listen 127.0.0.1:${at} ssl; ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile}; ${more} location / { return 200 ${words}; } }`
// Asked without a name, or for one that it does not know, this one breaks off with unrecognized_name.
const nginx = await startNginx(
  byAddress,
  [
    "ssl_protocols TLSv1.2 TLSv1.3;",
    `server { listen 127.0.0.1:${byName} ssl default_server; ssl_reject_handshake on; }`,
    tlsServer(byName, app, "server_name app.test;"),
    tlsServer(byName, two, "server_name two.test;"),
    tlsServer(byAddress, literal),
    tlsServer(expiredAt, expired),
    tlsServer(selfMadeAt, selfMade),
    tlsServer(otherAt, other),
    tlsServer(wildAt, wildcard),
    tlsServer(asksAt, app, `ssl_client_certificate ${authority.ca.certFile}; ssl_verify_client on;`),
    tlsServer(oldAt, app, "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"),
    tlsServer(newAt, app, "ssl_protocols TLSv1.2;"),
  ].join("\n"),
)

const ca = authority.ca.certFile
const clusters: Record<string, object> = {
  app: { peers: [`127.0.0.1:${byName}`], tls: { serverName: "app.test", ca } },
  two: { peers: [`127.0.0.1:${byName}`], tls: { serverName: "two.test", ca } },
  unknown: { peers: [`127.0.0.1:${byName}`], tls: { serverName: "nobody.test", ca } },
  nameless: { peers: [`127.0.0.1:${byName}`], tls: { ca } },
  address: { peers: [`127.0.0.1:${byAddress}`], tls: { ca } },
  expired: { peers: [`localhost:${expiredAt}`], tls: { ca } },
  selfMade: { peers: [`localhost:${selfMadeAt}`], tls: { ca } },
  other: { peers: [`localhost:${otherAt}`], tls: { ca } },
  otherAddress: { peers: [`127.0.0.1:${otherAt}`], tls: { ca } },
  wild: { peers: [`127.0.0.1:${wildAt}`], tls: { serverName: "x.w.test", ca } },
  tooWild: { peers: [`127.0.0.1:${wildAt}`], tls: { serverName: "x.y.w.test", ca } },
  system: { peers: [`127.0.0.1:${byName}`], tls: { serverName: "app.test" } },
  blind: { peers: [`localhost:${selfMadeAt}`], tls: { verify: false } },
  plain: { peers: [`127.0.0.1:${byName}`] },
  shows: { peers: [`127.0.0.1:${asksAt}`], tls: { serverName: "app.test", ca, cert: own.certFile, key: own.keyFile } },
  showsNone: { peers: [`127.0.0.1:${asksAt}`], tls: { serverName: "app.test", ca } },
  showsWrong: { peers: [`127.0.0.1:${asksAt}`], tls: { serverName: "app.test", ca, cert: stranger.certFile, key: stranger.keyFile } },
  old: { peers: [`127.0.0.1:${oldAt}`], tls: { serverName: "app.test", ca } },
  modern: { peers: [`127.0.0.1:${newAt}`], tls: { serverName: "app.test", ca, minVersion: "1.3" } },
}
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters,
  routes: Object.keys(clusters).map(name => ({ name, match: { path: `/${name}` }, to: { cluster: name } })),
})
afterAll(async () => {
  await proxy.stop()
  await nginx.stop()
})

async function get(cluster: string): Promise<ResponseMessage> {
  using client = await rawClient(port)
  client.send(`GET /${cluster} HTTP/1.1\r\nHost: asked.test\r\n\r\n`)
  return await client.response()
}

const seen = async (cluster: string): Promise<string[]> => (await get(cluster)).body.split("|")

describe("O-37: the name towards a TLS upstream", () => {
  test("the configured name is sent; connections are never shared between names", async () => {
    using client = await rawClient(port)
    const connections: Record<string, Set<string>> = { app: new Set(), two: new Set() }
    for (let i = 0; i < 20; i++) {
      const name = i % 2 === 0 ? "app" : "two"
      client.send(`GET /${name} HTTP/1.1\r\nHost: ${name}.test\r\n\r\n`)
      const [sni, version, alpn, , host, connection] = (await client.response()).body.split("|")
      expect([sni, version, alpn, host]).toEqual([`${name}.test`, "TLSv1.3", "http/1.1", `${name}.test`])
      connections[name]!.add(connection!)
    }
    expect([connections.app!.size, connections.two!.size]).toEqual([1, 1])
    expect([...connections.app!].some(connection => connections.two!.has(connection))).toBe(false)
  })
  test("an address is not sent as a name, and is checked as an address", async () => {
    const [sni, version] = await seen("address")
    expect([sni, version]).toEqual(["", "TLSv1.3"])
  })
  test("whoever insists on another name, or on one at all, is a 502", async () => {
    for (const cluster of ["unknown", "nameless"]) expect([cluster, (await get(cluster)).status]).toEqual([cluster, 502])
  })
  test("what the ClientHello offers", async () => {
    const hellos: string[] = []
    await using recorder = await scriptedServer(async connection => {
      await until(() => readClientHello(connection.received))
      hellos.push(connection.received)
      connection.reset()
    })
    const { address, port: at } = recorder
    const listener = (await freePorts(1))[0]!
    await using second = await startBothways({
      listeners: { web: { bind: `127.0.0.1:${listener}` } },
      clusters: {
        address: { peers: [address], tls: true, retry: { attempts: 1 } },
        named: { peers: [`localhost:${at}`], protocol: "http1", tls: true, retry: { attempts: 1 } },
        configured: { peers: [address], protocol: "http2", tls: { serverName: "app.test.", minVersion: "1.3" }, retry: { attempts: 1 } },
      },
      routes: ["address", "named", "configured"].map(cluster => ({ match: { path: `/${cluster}` }, to: { cluster } })),
    })
    const offered: unknown[] = []
    for (const cluster of ["address", "named", "configured"]) {
      using client = await rawClient(listener)
      client.send(`GET /${cluster} HTTP/1.1\r\nHost: asked.test\r\n\r\n`)
      expect((await client.response()).status).toBe(502)
      offered.push(readClientHello(hellos.pop()!))
    }
    expect(offered).toEqual([
      { serverName: null, alpn: "h2,http/1.1", version: "1.3" },
      { serverName: "localhost", alpn: "", version: "1.3" },
      { serverName: "app.test", alpn: "h2", version: "1.3" },
    ])
    expect(second.log().every(line => line.fault === "upstream.tls-failed")).toBe(true)
  })
})

describe("a certificate that is not good is a 502, and says nothing of the upstream", () => {
  for (const cluster of ["expired", "selfMade", "other", "otherAddress", "tooWild", "system", "old", "modern"]) {
    test(cluster, async () => {
      const { status, body } = await get(cluster)
      expect([status, body]).toEqual([502, expect.stringContaining("upstream.tls-failed")])
      expect(body).not.toMatch(/127\.0\.0\.1|localhost|other\.test/)
      await until(() => proxy.log().some(line => line.route === cluster && line.status === 502 && line.fault === "upstream.tls-failed"))
    })
  }
  test("the operator learns why", () => {
    const said = proxy.program.stderr.split("\n").filter(line => line.includes("TLS handshake with a peer failed"))
    const reasonOf = (cluster: string): string => said.find(line => line.includes(`of=${cluster} `)) ?? ""
    expect(reasonOf("expired")).toContain("CERT_HAS_EXPIRED")
    expect(reasonOf("selfMade")).toMatch(/SELF_SIGNED|UNABLE_TO/)
    expect(reasonOf("other")).toContain("the certificate is for DNS:other.test, not for localhost")
    expect(reasonOf("otherAddress")).toContain("not for 127.0.0.1")
    expect(reasonOf("tooWild")).toContain("not for x.y.w.test")
    expect([reasonOf("old"), reasonOf("modern"), reasonOf("unknown")].map(line => /alert|version|name/i.test(line))).toEqual([true, true, true])
  })
  test("a wildcard stands for one label", async () => expect((await seen("wild"))[0]).toBe("x.w.test"))
  test("verify: false takes what comes", async () => expect((await seen("blind"))[0]).toBe("localhost"))
  test("plain HTTP to a TLS port is the upstream's 400, not ours", async () => expect((await get("plain")).status).toBe(400))
})

describe("a certificate of our own", () => {
  test("is shown to whoever asks", async () => expect((await seen("shows"))[3]).toBe("CN=bothways"))
  test("none, or one that is not known there: what the upstream says of it", async () => {
    for (const cluster of ["showsNone", "showsWrong"]) {
      const { status, body } = await get(cluster)
      expect([status, body.includes("SSL certificate")]).toEqual([400, true])
    }
  })
})

describe("an https URL in a forward request", () => {
  test("is fetched over TLS, checked against the authorities of the system, with the name of the URL", async () => {
    const [believing, doubting] = (await freePorts(2)) as [number, number]
    const start = (at: number, env: Record<string, string>) =>
      startBothways(
        {
          listeners: { egress: { bind: `127.0.0.1:${at}`, forward: { privateRanges: "allow" } } },
          routes: [{ match: {}, to: { origin: {} } }],
        },
        { env },
      )
    await using _first = await start(believing, { SSL_CERT_FILE: authority.ca.certFile })
    await using second = await start(doubting, {})
    const fetched = async (at: number, host: string): Promise<ResponseMessage> => {
      using client = await rawClient(at)
      client.send(`GET https://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      return await client.response()
    }
    expect((await fetched(believing, `127.0.0.1:${byAddress}`)).body.split("|").slice(0, 2)).toEqual(["", "TLSv1.3"])
    const named = (await freePorts(1))[0]!
    await using _site = await startNginx(named, tlsServer(named, localhost))
    expect((await fetched(believing, `localhost:${named}`)).body.split("|")[0]).toBe("localhost")
    const wrong = { name: otherAt, expired: expiredAt, untrusted: selfMadeAt }
    for (const [what, at] of Object.entries(wrong)) {
      const { status, body } = await fetched(believing, `localhost:${at}`)
      expect([what, status, body.includes(`upstream.certificate-${what}`)]).toEqual([what, 502, true])
    }
    expect((await fetched(doubting, `127.0.0.1:${byAddress}`)).status).toBe(502)
    await until(() => second.program.stderr.includes("the TLS handshake with a peer failed"))
  }, 20_000)
})
