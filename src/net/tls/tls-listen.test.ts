import { afterAll, describe, expect, test } from "bun:test"
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect as connectPlain } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls"
import { CidrSet } from "../../base/index.ts"
import { ConnectionLimits } from "../connection-limits.ts"
import type { Listening, ListenOptions } from "../listen.ts"
import { type Client, client, type Door, startDoor, watched } from "../test-door.ts"
import { testTime, until } from "../test-time.ts"
import type { CertificateFiles } from "./certificate-pair.ts"
import { CertificateStore, type TlsListenOptions } from "./certificate-store.ts"
import { makePair, type Pair } from "./test-pair.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-tls-"))
const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
  rmSync(folder, { recursive: true })
})

function filesOf(name: string, pair: Pair): CertificateFiles {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  writeFileSync(files.cert, pair.cert)
  writeFileSync(files.key, pair.key)
  return files
}

const authority = makePair({ commonName: "authority", authority: true })
const first = makePair({ names: "DNS:a.test,DNS:x.w.test", signedBy: authority })
const wild = makePair({ names: "DNS:*.w.test", signedBy: authority })
const second = makePair({ names: "DNS:b.test,DNS:a.test", signedBy: authority })
const certificates = [filesOf("first", first), filesOf("wild", wild), filesOf("second", second)]
const authorityFile = filesOf("authority", authority).cert
const clientPair = makePair({ commonName: "alice", signedBy: authority })
const strangerPair = makePair({ commonName: "mallory" })

function start(tls: Partial<TlsListenOptions> = {}, options: Partial<ListenOptions> = {}): { door: Door; at: Listening } {
  return startDoor(stops, { tls: new CertificateStore({ certificates, ...tls }), ...options })
}

interface SecureClient extends Client {
  socket: TLSSocket
  /** Which certificate the server showed. */
  subject: string
  failed: string
}

async function secure(port: number, options: ConnectionOptions = {}): Promise<SecureClient> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"], ...options })
  const state: SecureClient = { socket, received: "", closed: false, subject: "", failed: "" }
  socket.on("data", chunk => {
    state.received += chunk.toString("latin1")
  })
  socket.on("error", (error: Error & { code?: string }) => {
    state.failed = error.code ?? error.message
  })
  socket.on("close", () => {
    state.closed = true
  })
  await new Promise<void>(resolve => {
    socket.once("secureConnect", resolve)
    socket.once("close", resolve)
  })
  if (!state.closed) state.subject = socket.getPeerCertificate().subjectaltname ?? ""
  return state
}

function openssl(...words: string[]): Promise<string> {
  return new Promise(resolve => {
    const child = execFile("openssl", words, { timeout: 3000 }, (_error, stdout, stderr) => resolve(stdout + stderr))
    child.stdin!.end("\n")
  })
}

describe("a TLS listener", () => {
  test("names: exact before wildcard, one label, first certificate on a tie, the first as default", async () => {
    const { at } = start()
    const subjectFor = async (servername: string | undefined): Promise<string> => (await secure(at.port, { servername })).subject
    expect(await subjectFor("a.test")).toBe("DNS:a.test, DNS:x.w.test")
    expect(await subjectFor("A.Test")).toBe("DNS:a.test, DNS:x.w.test")
    expect(await subjectFor("b.test")).toBe("DNS:b.test, DNS:a.test")
    expect(await subjectFor("y.w.test")).toBe("DNS:*.w.test")
    expect(await subjectFor("x.w.test")).toBe("DNS:a.test, DNS:x.w.test")
    for (const name of ["z.y.w.test", "w.test", "unknown.test", undefined]) expect(await subjectFor(name)).toBe("DNS:a.test, DNS:x.w.test")
  })

  test("bytes, and what the acceptor knows", async () => {
    const { door, at } = start()
    const one = await secure(at.port, { servername: "B.test" })
    one.socket.write("hello")
    await until(() => one.received === "hello", "the echo")
    const { info } = door.seen[0]!
    expect([info.secure, info.serverName, info.alpn, info.tlsVersion, info.clientCertificate]).toEqual([true, "b.test", "http/1.1", "TLSv1.3", null])
    expect([info.remoteAddress, info.remotePort]).toEqual(["127.0.0.1", one.socket.localPort!])
    one.socket.end()
    await until(() => door.seen[0]!.closed === 1, "the end")
    expect(door.seen[0]!.ended).toBe(1)
    expect(door.failures).toEqual([])
  })

  test("openssl agrees: name, chain and protocol", async () => {
    const { at } = start()
    const text = await openssl(
      "s_client",
      "-connect",
      `127.0.0.1:${at.port}`,
      "-servername",
      "b.test",
      "-alpn",
      "h2,http/1.1",
      "-CAfile",
      authorityFile,
      "-verify_return_error",
    )
    expect(text).toContain("Verify return code: 0 (ok)")
    expect(text).toContain("ALPN protocol: http/1.1")
    expect(text).toMatch(/subject=CN ?= ?test/)
  })

  test("ALPN: ours is the order; a client with others only is refused by the alert of RFC 7301; none is fine", async () => {
    const { door, at } = start({ alpn: ["h2", "http/1.1"] })
    expect((await secure(at.port, { ALPNProtocols: ["http/1.1", "h2"] })).socket.alpnProtocol).toBe("h2")
    expect((await secure(at.port, { ALPNProtocols: ["http/1.1"] })).socket.alpnProtocol).toBe("http/1.1")
    expect((await secure(at.port, { ALPNProtocols: [] })).socket.alpnProtocol || "").toBe("")
    await until(() => door.seen.length === 3, "three connections")
    const text = await openssl("s_client", "-connect", `127.0.0.1:${at.port}`, "-alpn", "spdy/3")
    expect(text).toContain("alert number 120")
    await until(() => door.failures.length === 1, "the failure")
    expect(door.failures[0]![0]).toBe("handshake")
  })

  test("minVersion and ciphers hold", async () => {
    const strict = start({ minVersion: "1.3" })
    expect((await secure(strict.at.port, { maxVersion: "TLSv1.2" })).closed).toBeTrue()
    expect((await secure(strict.at.port)).socket.getProtocol()).toBe("TLSv1.3")
    const { at } = start({ ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" })
    expect((await secure(at.port, { maxVersion: "TLSv1.2" })).socket.getCipher().name).toBe("ECDHE-ECDSA-AES256-GCM-SHA384")
    expect((await secure(at.port, { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).closed).toBeTrue()
    expect(await openssl("s_client", "-connect", `127.0.0.1:${at.port}`, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")).toContain(
      "alert protocol version",
    )
  })

  test("plain HTTP, garbage, a hang-up and a reset instead of a handshake: told once, never opened", async () => {
    const { door, at } = start()
    const http = await client(at.port)
    http.socket.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    const garbage = await client(at.port)
    garbage.socket.write(Buffer.alloc(200, 7))
    const gone = await client(at.port)
    gone.socket.end()
    const reset = await client(at.port)
    reset.socket.resetAndDestroy()
    await until(() => door.failures.length === 4 && http.closed && garbage.closed && gone.closed, "four failures")
    await Bun.sleep(20)
    expect([door.seen.length, door.failures.map(([failure]) => failure)]).toEqual([0, ["handshake", "handshake", "handshake", "handshake"]])
    expect(testTime.wheel.size).toBe(0)
  })

  // FIELD-CASES O-46 (d)
  test("half a ClientHello, then silence: closed at the handshake timeout by a timer of its own; an honest client is served meanwhile", async () => {
    const { door, at } = start({}, { handshakeMs: 80 })
    const started = performance.now()
    const slow: Client[] = []
    for (let i = 0; i < 40; i++) {
      const one = await client(at.port)
      if (i % 2 === 0) one.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]))
      slow.push(one)
    }
    const honest = await secure(at.port, { servername: "a.test" })
    honest.socket.write("hello")
    await until(() => honest.received === "hello", "the honest client")
    await until(() => slow.every(({ closed }) => closed), "the slow ones")
    expect(performance.now() - started).toBeLessThan(500)
    expect([door.failures.length, door.failures[0]]).toEqual([40, ["timeout", "the TLS handshake did not finish in time"]])
    honest.socket.write("again")
    await until(() => honest.received === "helloagain", "the honest client, later")
  })

  test("half-close, back-pressure and reset as without TLS", async () => {
    const { door, at } = start()
    door.closesOnEnd = false
    door.echoes = false
    const one = await secure(at.port)
    await until(() => door.seen.length === 1, "the connection")
    const { wire } = door.seen[0]!
    one.socket.pause()
    const block = Buffer.alloc(8 * 1024 * 1024, 120)
    let sent = wire.write(block)
    expect(sent).toBeLessThan(block.length)
    one.socket.resume()
    while (sent < block.length) {
      const before = door.seen[0]!.drained
      await until(() => door.seen[0]!.drained > before, "room")
      sent += wire.write(block, sent, block.length - sent)
    }
    await until(() => one.received.length === block.length, "all of it")
    wire.pause()
    one.socket.write(Buffer.alloc(16 * 1024 * 1024, 97))
    await Bun.sleep(30)
    expect(door.seen[0]!.received.length).toBeLessThan(3 * 1024 * 1024)
    wire.resume()
    await until(() => door.seen[0]!.received.length === 16 * 1024 * 1024, "the rest")
    one.socket.end()
    await until(() => door.seen[0]!.ended === 1, "the FIN")
    expect(door.seen[0]!.closed).toBe(0)
    wire.end()
    await until(() => door.seen[0]!.closed === 1, "the end")
    const two = await secure(at.port)
    await until(() => door.seen.length === 2, "the second")
    two.socket.resetAndDestroy()
    await until(() => door.seen[1]!.closed === 1, "the reset")
    await Bun.sleep(10)
    expect(door.seen.map(({ closed }) => closed)).toEqual([1, 1])
  })

  test("limits: the one too many is closed before its handshake, failed handshakes give their place back", async () => {
    const options = { connectionsMax: 2, perClientMax: 2, workers: 1 }
    const counted = new ConnectionLimits(ConnectionLimits.share(options), options, 0)
    const { door, at } = start({}, { limits: counted })
    const [a, b] = [await secure(at.port), await secure(at.port)]
    expect((await secure(at.port)).closed).toBeTrue()
    expect([door.seen.length, door.refusals]).toEqual([2, ["connectionsMax"]])
    a.socket.destroy()
    b.socket.destroy()
    await until(() => counted.open === 0, "none left")
    for (let i = 0; i < 5; i++) {
      const bad = await client(at.port)
      bad.socket.write("no TLS")
      await until(() => bad.closed && counted.open === 0, "its end")
    }
    expect((await secure(at.port)).closed).toBeFalse()
  })
})

describe("client certificates", () => {
  test("optional: none, a good one and a stranger's, told apart", async () => {
    const { door, at } = start({ clientCertificates: { mode: "optional", ca: authorityFile } })
    for (const pair of [{}, clientPair, strangerPair]) {
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        const one = await secure(at.port, { ...pair, maxVersion, servername: "b.test" })
        one.socket.write("hello")
        await until(() => one.received === "hello", "the echo")
      }
    }
    const shown = door.seen.map(({ info }) => info.clientCertificate)
    expect([shown[0], shown[1]]).toEqual([null, null])
    for (const good of [shown[2], shown[3]]) expect(good).toMatchObject({ verified: true, problem: "", subject: "CN=alice", issuer: "CN=authority" })
    for (const bad of [shown[4], shown[5]])
      expect(bad).toMatchObject({ verified: false, problem: "DEPTH_ZERO_SELF_SIGNED_CERT", subject: "CN=mallory" })
    expect(shown[2]!.fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  })

  test("required: only a good one gets in, with every name and without one", async () => {
    const { door, at } = start({ clientCertificates: { mode: "required", ca: authorityFile } })
    for (const servername of ["a.test", "b.test", undefined]) {
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        const good = await secure(at.port, { ...clientPair, maxVersion, servername })
        good.socket.write("hello")
        await until(() => good.received === "hello", "the echo")
        for (const pair of [{}, strangerPair]) {
          const bad = await secure(at.port, { ...pair, maxVersion, servername })
          bad.socket.write("hello")
          await until(() => bad.closed, "the refusal")
          expect(bad.received).toBe("")
        }
      }
    }
    expect(door.seen.length).toBe(6)
    expect(door.failures.map(([failure]) => failure)).toEqual(Array<"handshake">(12).fill("handshake"))
  })

  test("a resumed session is the same client, verified or not", async () => {
    const { door, at } = start({ clientCertificates: { mode: "optional", ca: authorityFile } })
    for (const pair of [clientPair, strangerPair, undefined]) {
      const words = pair === undefined ? [] : ["-cert", filesOf("resume", pair).cert, "-key", filesOf("resume", pair).key]
      await openssl("s_client", "-connect", `127.0.0.1:${at.port}`, "-servername", "b.test", "-tls1_2", "-reconnect", ...words)
      const seen = door.seen.splice(0)
      expect(seen.length).toBe(6)
      expect(new Set(seen.map(({ info }) => info.clientCertificate?.verified)).size).toBe(1)
    }
  })
})

describe("PROXY header before TLS", () => {
  const options = { prefaceFrom: CidrSet.parse(["127.0.0.1"]) }

  async function prefaced(port: number, header: string, tls: ConnectionOptions = {}, pauseMs = 0): Promise<SecureClient> {
    const socket = connectPlain({ port, host: "127.0.0.1" })
    await watched(socket)
    socket.write(header)
    if (pauseMs > 0) await Bun.sleep(pauseMs)
    return secure(port, { socket, ...tls })
  }

  test("in one packet with the ClientHello, and before it", async () => {
    const { door, at } = start({}, options)
    for (const pauseMs of [0, 10]) {
      const one = await prefaced(at.port, "PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n", { servername: "b.test" }, pauseMs)
      expect(one.subject).toBe("DNS:b.test, DNS:a.test")
      one.socket.write("hello")
      await until(() => one.received === "hello", "the echo")
    }
    for (const { info } of door.seen) {
      expect([info.remoteAddress, info.localPort, info.secure, info.serverName, info.alpn]).toEqual(["203.0.113.7", 443, true, "b.test", "http/1.1"])
    }
  })

  test("a peer that is not in the list begins with TLS", async () => {
    const { door, at } = start({}, { prefaceFrom: CidrSet.parse(["192.0.2.1"]) })
    const one = await secure(at.port, { servername: "b.test" })
    one.socket.write("hello")
    await until(() => one.received === "hello", "the echo")
    expect(door.seen[0]!.info.remoteAddress).toBe("127.0.0.1")
  })

  test("client certificates, limits, failures and ends", async () => {
    const limit = { connectionsMax: 10, perClientMax: 1, workers: 1 }
    const counted = new ConnectionLimits(ConnectionLimits.share(limit), limit, 0)
    const { door, at } = start({ clientCertificates: { mode: "required", ca: authorityFile } }, { ...options, limits: counted, handshakeMs: 150 })
    const header = (host: number): string => `PROXY TCP4 203.0.113.${host} 198.51.100.1 4711 443\r\n`
    const good = await prefaced(at.port, header(1), clientPair)
    good.socket.write("hello")
    await until(() => good.received === "hello", "the echo")
    expect(door.seen[0]!.info.clientCertificate).toMatchObject({ verified: true, subject: "CN=alice" })
    const twice = await prefaced(at.port, header(1), clientPair)
    await until(() => twice.closed, "the second of one client")
    expect(door.refusals).toEqual(["connectionsPerClientMax"])
    const none = await prefaced(at.port, header(2))
    await until(() => none.closed, "the one without a certificate")
    const silent = await client(at.port)
    silent.socket.write(header(3))
    await until(() => silent.closed, "the silent one")
    const broken = await client(at.port)
    broken.socket.write(`${header(4)}no TLS at all`)
    await until(() => broken.closed, "the broken one")
    expect(door.failures.map(([failure]) => failure)).toEqual(["handshake", "timeout", "handshake"])
    good.socket.end()
    await until(() => counted.open === 0, "none left")
    expect(door.seen.map(({ closed, ended }) => [closed, ended])).toEqual([[1, 1]])
    for (const host of [1, 2, 3, 4]) expect(counted.admit(`203.0.113.${host}`)).toBeGreaterThan(0)
  })

  test("back-pressure reaches through", async () => {
    const { door, at } = start({}, options)
    door.echoes = false
    const one = await prefaced(at.port, "PROXY UNKNOWN\r\n")
    await until(() => door.seen.length === 1, "the connection")
    const { wire } = door.seen[0]!
    wire.pause()
    const bytes = 16 * 1024 * 1024
    one.socket.write(Buffer.alloc(bytes, 97))
    await Bun.sleep(30)
    expect(door.seen[0]!.received.length).toBeLessThan(3 * 1024 * 1024)
    wire.resume()
    await until(() => door.seen[0]!.received.length === bytes, "the rest")
    one.socket.destroy()
    await until(() => door.seen[0]!.closed === 1, "the end")
  })
})
