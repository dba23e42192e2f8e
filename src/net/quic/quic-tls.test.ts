import { afterAll, afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CertificateStore } from "../tls/certificate-store.ts"
import { makePair, type Pair } from "../tls/test-pair.ts"
import { until } from "../test-time.ts"
import { QuicCertificates } from "./quic-certificates.ts"
import { QuicClientTls } from "./quic-client-tls.ts"
import { ask, authority, dialTest, type Dialed, get, identity, leaf, serve, TestIdentities, type TestServer, trusting } from "./quic.fixture.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-quic-"))
afterAll(() => rmSync(folder, { recursive: true }))
let server: TestServer | null = null
afterEach(() => {
  server?.at.close()
  server = null
})

function start(tls: TestIdentities | QuicCertificates, options = {}): TestServer {
  server = serve(tls, (stream, log) => (log.whenHeaders = () => stream.sendHeaders([":status", "200"], "initial", true)), options)
  return server
}

/** What certificate a client sees. */
async function seen(port: number, serverName: string, tls = new QuicClientTls({ verify: false })): Promise<string> {
  const dialed = await dialTest(port, { serverName, tls })
  const { native } = dialed.connection as unknown as { native: { peerCertificate: { subjectAltName: string } } }
  const { subjectAltName } = native.peerCertificate
  dialed.connection!.close(0x100)
  return subjectAltName
}

async function works({ connection }: Dialed): Promise<boolean> {
  const { log } = ask(connection!, get, true)
  await until(() => log.closed !== "", "an exchange")
  return log.closed === "done"
}

test("certificates by name, exact before wildcard, and the first for whoever fits none", async () => {
  const { at } = start(new TestIdentities(identity("a.test"), identity("*.b.test"), identity("x.b.test")))
  expect(await seen(at.port, "a.test")).toBe("DNS:a.test")
  expect(await seen(at.port, "y.b.test")).toBe("DNS:*.b.test")
  expect(await seen(at.port, "x.b.test")).toBe("DNS:x.b.test")
  expect(await seen(at.port, "other.test")).toBe("DNS:a.test")
})

test("new certificates serve new connections, and open ones go on", async () => {
  const tls = new TestIdentities(identity("a.test"), identity("b.test"))
  const { at } = start(tls)
  const before = await dialTest(at.port)
  tls.swap(identity("c.test"), identity("b.test", leaf("DNS:b.test,DNS:new.test")))
  expect(await seen(at.port, "b.test")).toBe("DNS:b.test, DNS:new.test")
  expect(await seen(at.port, "a.test")).toBe("DNS:c.test")
  expect(await works(before)).toBe(true)
  before.connection!.close(0x100)
})

test("the certificates of a TLS listener, as soon as it has taken them", async () => {
  const files = { cert: join(folder, "cert"), key: join(folder, "key") }
  const write = (pair: Pair): void => {
    writeFileSync(files.cert, pair.cert)
    writeFileSync(files.key, pair.key)
  }
  write(leaf("DNS:a.test"))
  const options = { certificates: [files] }
  const store = new CertificateStore(options)
  const tls = new QuicCertificates(store, options)
  const { at } = start(tls)
  expect(await seen(at.port, "a.test")).toBe("DNS:a.test")
  expect(tls.refresh()).toBe(false)
  write(leaf("DNS:a.test,DNS:renewed.test"))
  expect(tls.refresh()).toBe(false)
  store.refresh()
  expect(tls.refresh()).toBe(true)
  expect(await seen(at.port, "a.test")).toBe("DNS:a.test, DNS:renewed.test")
  tls.close()
  store.close()
})

test("a peer that is not the one is refused, and so is one whose authority nobody trusts", async () => {
  const { at, connections } = start(new TestIdentities(identity("a.test", leaf("DNS:a.test,DNS:*.w.test,IP:127.0.0.1"))))
  const outcome = async (serverName: string, tls = trusting): Promise<string> => {
    const { connection, failure } = await dialTest(at.port, { serverName, tls })
    connection?.close(0x100)
    return failure
  }
  expect(await outcome("a.test")).toBe("")
  expect(await outcome("a.test.")).toBe("")
  expect(await outcome("x.w.test")).toBe("")
  expect(await outcome("127.0.0.1")).toBe("")
  expect(await outcome("b.test")).toBe("tls: the certificate is for DNS:a.test, DNS:*.w.test, IP Address:127.0.0.1, not for b.test")
  expect(await outcome("y.x.w.test")).toStartWith("tls: the certificate is for")
  expect(await outcome("127.0.0.2")).toStartWith("tls: the certificate is for")
  expect(await outcome("a.test", new QuicClientTls({}))).toContain("tls: unable to get local issuer certificate")
  expect(await outcome("a.test", new QuicClientTls({ ca: makePair({ authority: true }).cert }))).toStartWith("tls: ")
  expect(await outcome("b.test", new QuicClientTls({ verify: false }))).toBe("")
  // A name in the subject is none (RFC 9525).
  server!.at.close()
  const named = start(new TestIdentities(identity("a.test", leaf("DNS:b.test", { commonName: "a.test" }))))
  const refused = await dialTest(named.at.port)
  expect(refused.failure).toBe("tls: the certificate is for DNS:b.test, not for a.test")
  const expired = start(new TestIdentities(identity("a.test", leaf("DNS:a.test", { days: -1 }))))
  expect((await dialTest(expired.at.port)).failure).toBe("tls: certificate has expired (CERT_HAS_EXPIRED)")
  named.at.close()
  expect(connections.length).toBeGreaterThan(0)
})

test("authorities in one text, several of them", async () => {
  const { at } = start(new TestIdentities(identity("a.test")))
  const other = makePair({ commonName: "other", authority: true })
  const { failure, connection } = await dialTest(at.port, { tls: new QuicClientTls({ ca: other.cert + authority.cert }) })
  expect(failure).toBe("")
  connection!.close(0x100)
})

test("client certificates, also with new certificates of our own", async () => {
  const tls = new TestIdentities(identity("a.test"))
  tls.clientCertificates = "required"
  tls.authorities = authority.cert
  const { at, connections, failures } = start(tls)
  const alice = new QuicClientTls({ ca: authority.cert, ...makePair({ commonName: "alice", signedBy: authority }) })
  const mallory = new QuicClientTls({ ca: authority.cert, ...makePair({ commonName: "mallory" }) })
  const check = async (): Promise<void> => {
    const good = await dialTest(at.port, { tls: alice })
    expect(good.failure).toBe("")
    expect(await works(good)).toBe(true)
    expect(connections.at(-1)!.connection!.facts.clientCertificate).toMatchObject({ verified: true, name: "CN=alice" })
    const before = connections.length
    const bad = await dialTest(at.port, { tls: mallory })
    const without = await dialTest(at.port)
    for (const each of [bad, without]) await until(() => each.failure !== "" || each.log.closed !== null, "the refusal")
    expect(connections.length).toBe(before)
    good.connection!.close(0x100)
  }
  await check()
  expect(failures.length).toBe(2)
  tls.swap(identity("a.test", leaf("DNS:a.test,DNS:new.test")))
  await check()
  expect(await seen(at.port, "a.test", alice)).toBe("DNS:a.test, DNS:new.test")
})

test("a session is resumed, and 0-RTT data is only taken where it is wanted", async () => {
  const { at } = start(new TestIdentities(identity("a.test")))
  const tls = new QuicClientTls({ ca: authority.cert })
  const { tickets } = tls as unknown as { tickets: Map<string, Uint8Array> }
  for (let i = 0; i < 2; i++) {
    const dialed = await dialTest(at.port, { tls })
    expect(await works(dialed)).toBe(true)
    await until(() => tickets.size === 1, "the ticket")
    expect(dialed.connection!.facts.earlyData).toBe(false)
    dialed.connection!.close(0x100)
  }
})
