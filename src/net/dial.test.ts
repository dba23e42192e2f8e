import { afterAll, describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dial, type DialFailure, type DialHandler, type DialOptions, type DialTarget, upgradeToTls } from "./dial.ts"
import { closeDescriptor, duplicate, resizeBacklog } from "./libc.ts"
import { testTime, until } from "./test-time.ts"
import { ClientTls } from "./tls/client-tls.ts"
import { makePair } from "./tls/test-pair.ts"
import type { Wire, WireHandler } from "./wire.ts"

const time = testTime
const authority = makePair({ commonName: "authority", authority: true })
const pair = makePair({ names: "DNS:app.test,DNS:*.w.test,IP:127.0.0.1", signedBy: authority })
const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
})

interface Peer {
  port: number
  /** What each connection was asked for and sent. */
  seen: { serverName: string | undefined; alpn: string | false | null; received: string; failed: string }[]
}

function tlsPeer(tls: object, answer = "answer"): Peer {
  const seen: Peer["seen"] = []
  const server = Bun.listen<Peer["seen"][0]>({
    hostname: "127.0.0.1",
    port: 0,
    tls: { ...pair, ...tls },
    socket: {
      open(socket) {
        socket.data = { serverName: "?", alpn: null, received: "", failed: "" }
        seen.push(socket.data)
      },
      handshake(socket, success, error) {
        socket.data.serverName = socket.getServername()
        socket.data.alpn = socket.alpnProtocol
        if (!success) socket.data.failed = error?.message ?? "?"
      },
      data(socket, chunk) {
        socket.data.received += chunk.toString()
        socket.write(answer)
      },
      error() {},
    },
  })
  stops.push(() => server.stop(true))
  return { port: server.port, seen }
}

function echoPeer(hostname = "127.0.0.1"): { port: number; received: string } {
  const state = { port: 0, received: "" }
  const server = Bun.listen({ hostname, port: 0, socket: { data(socket, chunk) { state.received += chunk.toString("latin1"); socket.write(chunk) } } })
  stops.push(() => server.stop(true))
  state.port = server.port
  return state
}

interface Outcome {
  wire: Wire | null
  alpn: string
  failure: DialFailure | ""
  detail: string
  received: string
  ended: number
  closed: number
  error: Error | null
  calls: number
}

function watch(): Outcome & DialHandler {
  const listener: WireHandler = {
    onData(_wire, chunk) {
      outcome.received += chunk.toString()
    },
    onDrain() {},
    onEnd() {
      outcome.ended++
    },
    onClose(_wire, error) {
      outcome.closed++
      outcome.error = error
    },
  }
  const outcome: Outcome & DialHandler = {
    wire: null, alpn: "", failure: "", detail: "", received: "", ended: 0, closed: 0, error: null, calls: 0,
    onOpen(wire, alpn) {
      outcome.calls++
      outcome.wire = wire
      outcome.alpn = alpn
      return listener
    },
    onFailed(kind, detail) {
      outcome.calls++
      outcome.failure = kind
      outcome.detail = detail
    },
  }
  return outcome
}

async function outcomeOf(target: DialTarget, options: Partial<DialOptions> = {}): Promise<Outcome> {
  const outcome = watch()
  dial(target, { time, timeoutMs: 1000, ...options }, outcome)
  expect(outcome.calls).toBe(0)
  await until(() => outcome.calls > 0, "an outcome")
  return outcome
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length
}

/** A port that neither takes nor refuses: the listening socket outlives its listener, and its accept queue is full. */
async function silentPort(): Promise<number> {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = server
  const fd = duplicate((server as unknown as { fd: number }).fd)
  server.stop(true)
  resizeBacklog(fd, 0)
  const filler = await outcomeOf({ host: "127.0.0.1", port })
  stops.push(() => {
    filler.wire!.terminate()
    closeDescriptor(fd)
  })
  return port
}

describe("dial", () => {
  test("a connection over IPv4, IPv6 and a Unix socket", async () => {
    const path = join(tmpdir(), `bothways-dial-${process.pid}.sock`)
    const peer = echoPeer()
    const local = Bun.listen({ unix: path, socket: { data(socket, chunk) { socket.write(chunk) } } })
    stops.push(() => local.stop(true))
    const targets: DialTarget[] = [{ host: "127.0.0.1", port: peer.port }, { host: "::1", port: echoPeer("::1").port }, { path }]
    for (const target of targets) {
      const outcome = await outcomeOf(target)
      expect([outcome.failure, outcome.detail]).toEqual(["", ""])
      outcome.wire!.write("ping")
      await until(() => outcome.received === "ping", "the echo")
      if ("port" in target) expect([outcome.wire!.remoteAddress, outcome.wire!.remotePort]).toEqual([target.host, target.port])
      outcome.wire!.end()
      await until(() => outcome.closed === 1, "the end")
    }
  })

  test("nobody listens", async () => {
    expect(await outcomeOf({ host: "127.0.0.1", port: 1 })).toMatchObject({ failure: "refused", detail: "ECONNREFUSED", calls: 1 })
    expect(await outcomeOf({ host: "::1", port: 1 })).toMatchObject({ failure: "refused" })
    expect(await outcomeOf({ path: "/nonexistent/bothways.sock" })).toMatchObject({ failure: "refused", detail: "ENOENT" })
    expect(await outcomeOf({ host: "127.0.0.1", port: 1 }, { tls: new ClientTls(), serverName: "app.test" })).toMatchObject({ failure: "refused" })
    expect(await outcomeOf({ host: "not-a-literal", port: 1 })).toMatchObject({ failure: "unreachable", detail: "EINVAL" })
    expect(await outcomeOf({ host: "255.255.255.255", port: 1 })).toMatchObject({ failure: "unreachable" })
  })

  test("a thousand refused dials leave no descriptor and no timer", async () => {
    await outcomeOf({ host: "127.0.0.1", port: 1 })
    const before = descriptors()
    let failed = 0
    const handler: DialHandler = { onOpen: () => null, onFailed: () => void failed++ }
    for (let i = 0; i < 1000; i++) dial({ host: "127.0.0.1", port: 1 }, { time, timeoutMs: 5000 }, handler)
    await until(() => failed === 1000, "1000 failures")
    expect(descriptors()).toBeLessThanOrEqual(before + 2)
    expect(time.wheel.size).toBe(0)
  })

  test("cancel before the outcome: no call, no descriptor", async () => {
    const peer = echoPeer()
    await outcomeOf({ host: "127.0.0.1", port: peer.port })
    const before = descriptors()
    const outcome = watch()
    for (let i = 0; i < 50; i++) dial({ host: "127.0.0.1", port: peer.port }, { time, timeoutMs: 1000 }, outcome).cancel()
    dial({ path: "/nonexistent/bothways.sock" }, { time, timeoutMs: 1000 }, outcome).cancel()
    await Bun.sleep(30)
    expect(outcome.calls).toBe(0)
    expect(descriptors()).toBeLessThanOrEqual(before + 1)
    expect(time.wheel.size).toBe(0)
  })

  test("cancel from the callback and afterwards does nothing", async () => {
    const outcome = await outcomeOf({ host: "127.0.0.1", port: echoPeer().port })
    expect(outcome.failure + outcome.detail).toBe("")
    outcome.wire!.write("still here")
    await until(() => outcome.received === "still here", "the echo")
    expect(outcome.calls).toBe(1)
  })

  test("a silent address: timeout by the wheel, and the half-made connection is gone at once", async () => {
    const port = await silentPort()
    const before = descriptors()
    const start = performance.now()
    const outcome = await outcomeOf({ host: "127.0.0.1", port }, { timeoutMs: 60 })
    expect(outcome).toMatchObject({ failure: "timeout", calls: 1 })
    expect(performance.now() - start).toBeWithin(55, 200)
    expect(await outcomeOf({ host: "127.0.0.1", port }, { timeoutMs: 30, tls: new ClientTls(), serverName: "app.test" })).toMatchObject({ failure: "timeout" })
    const cancelled = watch()
    const handle = dial({ host: "127.0.0.1", port }, { time, timeoutMs: 1000 }, cancelled)
    await Bun.sleep(10)
    handle.cancel()
    await Bun.sleep(10)
    expect(cancelled.calls).toBe(0)
    expect(descriptors()).toBe(before)
  })

  test("a preface leaves before everything else", async () => {
    const peer = echoPeer()
    const outcome = await outcomeOf({ host: "127.0.0.1", port: peer.port }, { preface: Buffer.from("PROXY UNKNOWN\r\n") })
    outcome.wire!.write("GET")
    await until(() => peer.received === "PROXY UNKNOWN\r\nGET", "preface and request")
  })

  test("the peer's reset reaches onClose once, with the reason", async () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data(socket) { socket.terminate() } } })
    stops.push(() => server.stop(true))
    const outcome = await outcomeOf({ host: "127.0.0.1", port: server.port })
    outcome.wire!.write("x")
    await until(() => outcome.closed > 0, "the reset")
    await Bun.sleep(10)
    expect([outcome.closed, outcome.error?.message.includes("ECONNRESET"), outcome.ended]).toEqual([1, true, 0])
  })

  test("half-close both ways: our FIN leaves their writing half open", async () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, socket: { data() {}, end(socket) { socket.end("late answer") } } })
    stops.push(() => server.stop(true))
    const outcome = await outcomeOf({ host: "127.0.0.1", port: server.port })
    outcome.wire!.shutdown()
    await until(() => outcome.closed === 1, "the end")
    expect(outcome.received).toBe("late answer")
  })
})

describe("dial over TLS", () => {
  const trusting = new ClientTls({ ca: authority.cert })

  test("the name is sent, the protocol is agreed, the certificate is verified", async () => {
    const peer = tlsPeer({ ALPNProtocols: "\x02h2\x08http/1.1" })
    const tls = new ClientTls({ ca: authority.cert, alpn: ["http/1.1"] })
    const outcome = await outcomeOf({ host: "127.0.0.1", port: peer.port }, { tls, serverName: "app.test" })
    expect([outcome.failure, outcome.detail, outcome.alpn]).toEqual(["", "", "http/1.1"])
    outcome.wire!.write("hello")
    await until(() => outcome.received === "answer", "the answer")
    expect(peer.seen[0]).toMatchObject({ serverName: "app.test", alpn: "http/1.1", received: "hello" })
  })

  // FIELD-CASES O-37
  test("names: the exact one, one label for a wildcard, a final dot; no other", async () => {
    const { port } = tlsPeer({})
    const target = { host: "127.0.0.1", port }
    for (const serverName of ["app.test", "APP.test", "app.test.", "x.w.test"]) {
      expect(await outcomeOf(target, { tls: trusting, serverName })).toMatchObject({ failure: "", detail: "" })
    }
    for (const serverName of ["two.test", "x.y.w.test", "w.test", "test", "127.0.0.2"]) {
      const outcome = await outcomeOf(target, { tls: trusting, serverName })
      expect([serverName, outcome.failure, outcome.wire]).toEqual([serverName, "tls", null])
    }
    expect(await outcomeOf(target, { tls: trusting, serverName: "two.test" })).toMatchObject({ detail: expect.stringContaining("app.test") })
    expect(await outcomeOf(target, { tls: trusting })).toMatchObject({ failure: "tls", detail: "no name to check the certificate against" })
  })

  test("an address literal is not sent and must be among the certificate's addresses", async () => {
    const peer = tlsPeer({})
    expect(await outcomeOf({ host: "127.0.0.1", port: peer.port }, { tls: trusting, serverName: "127.0.0.1" })).toMatchObject({ failure: "", detail: "" })
    expect(peer.seen[0]!.serverName).toBeUndefined()
    const other = tlsPeer(makePair({ names: "DNS:127.0.0.1", signedBy: authority }))
    expect(await outcomeOf({ host: "127.0.0.1", port: other.port }, { tls: trusting, serverName: "127.0.0.1" })).toMatchObject({ failure: "tls" })
  })

  test("a common name without a subject alternative name is no name", async () => {
    const { port } = tlsPeer(makePair({ commonName: "app.test", signedBy: authority }))
    expect(await outcomeOf({ host: "127.0.0.1", port }, { tls: trusting, serverName: "app.test" })).toMatchObject({ failure: "tls" })
  })

  test("a stranger's authority, an expired certificate; verify: false takes both", async () => {
    const stranger = tlsPeer(makePair({ names: "DNS:app.test" }))
    const expired = tlsPeer(makePair({ names: "DNS:app.test", signedBy: authority, days: -1 }))
    for (const [peer, reason] of [[stranger, "SIGNED_CERT"], [expired, "CERT_HAS_EXPIRED"]] as const) {
      const target = { host: "127.0.0.1", port: peer.port }
      const outcome = await outcomeOf(target, { tls: trusting, serverName: "app.test" })
      expect([outcome.failure, outcome.detail]).toEqual(["tls", expect.stringContaining(reason)])
      expect(peer.seen[0]!.received).toBe("")
      expect(await outcomeOf(target, { tls: new ClientTls(), serverName: "app.test" })).toMatchObject({ failure: "tls" })
      expect(await outcomeOf(target, { tls: new ClientTls({ verify: false }), serverName: "app.test" })).toMatchObject({ failure: "", detail: "" })
      expect(await outcomeOf(target, { tls: new ClientTls({ verify: false }), serverName: "other.test" })).toMatchObject({ failure: "" })
    }
  })

  test("a client certificate is shown when the peer asks", async () => {
    const mine = makePair({ commonName: "proxy", signedBy: authority })
    const { port } = tlsPeer({ ca: authority.cert, requestCert: true, rejectUnauthorized: true })
    const withOne = await outcomeOf({ host: "127.0.0.1", port }, { tls: new ClientTls({ ca: authority.cert, ...mine }), serverName: "app.test" })
    withOne.wire!.write("hello")
    await until(() => withOne.received === "answer", "the answer")
    const without = await outcomeOf({ host: "127.0.0.1", port }, { tls: trusting, serverName: "app.test" })
    // In TLS 1.3 the client is done before the server has looked at it.
    await until(() => without.failure === "tls" || without.closed === 1, "the refusal")
    expect(without.received).toBe("")
  })

  test("minVersion holds", async () => {
    const { port } = tlsPeer({ maxVersion: 0x0303 } as object)
    const target = { host: "127.0.0.1", port }
    expect(await outcomeOf(target, { tls: new ClientTls({ ca: authority.cert, minVersion: "1.3" }), serverName: "app.test" })).toMatchObject({ failure: "tls" })
    expect(await outcomeOf(target, { tls: trusting, serverName: "app.test" })).toMatchObject({ failure: "" })
  })

  test("a preface leaves in the clear in front of the handshake", async () => {
    const far = tlsPeer({})
    let first = ""
    const server = Bun.listen<{ far: Awaited<ReturnType<typeof Bun.connect>> | null; wait: Buffer[] }>({
      hostname: "127.0.0.1", port: 0,
      socket: {
        open(socket) {
          socket.data = { far: null, wait: [] }
          void Bun.connect({ hostname: "127.0.0.1", port: far.port, socket: { open(up) { socket.data.far = up as never; for (const chunk of socket.data.wait) up.write(chunk) }, data(_up, chunk) { socket.write(chunk) } } })
        },
        data(socket, chunk) {
          let rest = chunk
          if (first === "") {
            first = chunk.subarray(0, 15).toString()
            rest = chunk.subarray(15)
          }
          if (socket.data.far === null) socket.data.wait.push(rest)
          else socket.data.far.write(rest)
        },
      },
    })
    stops.push(() => server.stop(true))
    const outcome = await outcomeOf({ host: "127.0.0.1", port: server.port }, { tls: trusting, serverName: "app.test", preface: Buffer.from("PROXY UNKNOWN\r\n") })
    expect([outcome.failure, outcome.detail, first]).toEqual(["", "", "PROXY UNKNOWN\r\n"])
    outcome.wire!.write("hello")
    await until(() => outcome.received === "answer", "the answer")
  })

  test("TLS over a connection that stands, and its end", async () => {
    const peer = tlsPeer({})
    const plain = await outcomeOf({ host: "127.0.0.1", port: peer.port })
    const secure = watch()
    upgradeToTls(plain.wire!, { time, timeoutMs: 1000, tls: trusting, serverName: "app.test" }, secure)
    expect(secure.calls).toBe(0)
    await until(() => secure.calls === 1, "the handshake")
    expect([secure.failure, secure.detail]).toEqual(["", ""])
    secure.wire!.write("hello")
    await until(() => secure.received === "answer", "the answer")
    secure.wire!.end()
    await until(() => secure.closed === 1, "the end")
    expect([plain.closed, plain.received]).toEqual([0, ""])
  })

  test("a peer that speaks no TLS, and one that hangs up in the handshake", async () => {
    const plain = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data(socket) { socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") } } })
    const rude = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data(socket) { socket.end() } } })
    const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    for (const server of [plain, rude, mute]) stops.push(() => server.stop(true))
    expect(await outcomeOf({ host: "127.0.0.1", port: plain.port }, { tls: trusting, serverName: "app.test" })).toMatchObject({ failure: "tls", detail: expect.stringContaining("WRONG_VERSION") })
    expect(await outcomeOf({ host: "127.0.0.1", port: rude.port }, { tls: trusting, serverName: "app.test" })).toMatchObject({ failure: "tls", detail: expect.stringContaining("closed the connection") })
    expect(await outcomeOf({ host: "127.0.0.1", port: mute.port }, { tls: trusting, serverName: "app.test", timeoutMs: 50 })).toMatchObject({ failure: "timeout" })
  })

  test("200 failed handshakes leave no descriptor and no timer", async () => {
    const { port } = tlsPeer({})
    await outcomeOf({ host: "127.0.0.1", port }, { tls: trusting, serverName: "two.test" })
    await Bun.sleep(20)
    const before = descriptors()
    let failed = 0
    const handler: DialHandler = { onOpen: () => null, onFailed: () => void failed++ }
    for (let round = 1; round <= 5; round++) {
      for (let i = 0; i < 40; i++) dial({ host: "127.0.0.1", port }, { time, timeoutMs: 5000, tls: trusting, serverName: "two.test" }, handler)
      await until(() => failed === round * 40, "40 failures")
    }
    await Bun.sleep(20)
    expect(descriptors()).toBeLessThanOrEqual(before + 2)
    expect(time.wheel.size).toBe(0)
  })
})
