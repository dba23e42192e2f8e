import { afterAll, describe, expect, test } from "bun:test"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { dial, type DialHandler } from "../dial.ts"
import { descriptors, outcomeOf } from "../test-dial.ts"
import { testTime as time, until } from "../test-time.ts"
import { ClientTls } from "./client-tls.ts"
import { makePair } from "./test-pair.ts"

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
    expect(await outcomeOf({ host: "127.0.0.1", port: peer.port }, { tls: trusting, serverName: "127.0.0.1" })).toMatchObject({
      failure: "",
      detail: "",
    })
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
    for (const [peer, reason] of [
      [stranger, "SIGNED_CERT"],
      [expired, "CERT_HAS_EXPIRED"],
    ] as const) {
      const target = { host: "127.0.0.1", port: peer.port }
      const outcome = await outcomeOf(target, { tls: trusting, serverName: "app.test" })
      expect([outcome.failure, outcome.detail]).toEqual(["tls", expect.stringContaining(reason)])
      expect(peer.seen[0]!.received).toBe("")
      expect(await outcomeOf(target, { tls: new ClientTls(), serverName: "app.test" })).toMatchObject({ failure: "tls" })
      expect(await outcomeOf(target, { tls: new ClientTls({ verify: false }), serverName: "app.test" })).toMatchObject({ failure: "", detail: "" })
      expect(await outcomeOf(target, { tls: new ClientTls({ verify: false }), serverName: "other.test" })).toMatchObject({ failure: "" })
    }
  })

  test("the second connection resumes the session; the name is checked all the same", async () => {
    const peer = tlsPeer({})
    const target = { host: "127.0.0.1", port: peer.port }
    const tls = new ClientTls({ ca: authority.cert })
    const reused: boolean[] = []
    for (const serverName of ["app.test", "app.test", "x.w.test", "127.0.0.1", "127.0.0.1"]) {
      const outcome = await outcomeOf(target, { tls, serverName })
      reused.push((outcome.wire as unknown as { isSessionReused(): boolean }).isSessionReused())
      outcome.wire!.write("hello")
      await until(() => outcome.received === "answer", "the answer")
      outcome.wire!.end()
    }
    expect(reused).toEqual([false, true, false, false, true])
    expect(await outcomeOf(target, { tls, serverName: "two.test" })).toMatchObject({ failure: "tls" })
    expect(await outcomeOf(target, { tls, serverName: "127.0.0.2" })).toMatchObject({ failure: "tls" })
  })

  test("a session that the peer does not know any more is no obstacle", async () => {
    const tls = new ClientTls({ ca: authority.cert })
    const first = tlsPeer({})
    const outcome = await outcomeOf({ host: "127.0.0.1", port: first.port }, { tls, serverName: "app.test" })
    outcome.wire!.write("hello")
    await until(() => outcome.received === "answer", "the answer")
    stops.pop()!()
    const server = Bun.listen({ hostname: "127.0.0.1", port: first.port, tls: pair, socket: { data() {} } })
    stops.push(() => server.stop(true))
    expect(await outcomeOf({ host: "127.0.0.1", port: first.port }, { tls, serverName: "app.test" })).toMatchObject({ failure: "", detail: "" })
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
    expect(await outcomeOf(target, { tls: new ClientTls({ ca: authority.cert, minVersion: "1.3" }), serverName: "app.test" })).toMatchObject({
      failure: "tls",
    })
    expect(await outcomeOf(target, { tls: trusting, serverName: "app.test" })).toMatchObject({ failure: "" })
  })

  test("a preface leaves in the clear in front of the handshake", async () => {
    const far = tlsPeer({})
    let first = ""
    const server = Bun.listen<{ far: Awaited<ReturnType<typeof Bun.connect>> | null; wait: Buffer[] }>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          socket.data = { far: null, wait: [] }
          void Bun.connect({
            hostname: "127.0.0.1",
            port: far.port,
            socket: {
              open(up) {
                socket.data.far = up as never
                for (const chunk of socket.data.wait) up.write(chunk)
              },
              data(_up, chunk) {
                socket.write(chunk)
              },
            },
          })
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
    const outcome = await outcomeOf(
      { host: "127.0.0.1", port: server.port },
      { tls: trusting, serverName: "app.test", preface: Buffer.from("PROXY UNKNOWN\r\n") },
    )
    expect([outcome.failure, outcome.detail, first]).toEqual(["", "", "PROXY UNKNOWN\r\n"])
    outcome.wire!.write("hello")
    await until(() => outcome.received === "answer", "the answer")
  })

  test("a peer that speaks no TLS, and one that hangs up in the handshake", async () => {
    const plain = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        },
      },
    })
    const rude = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.end()
        },
      },
    })
    const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    for (const server of [plain, rude, mute]) stops.push(() => server.stop(true))
    expect(await outcomeOf({ host: "127.0.0.1", port: plain.port }, { tls: trusting, serverName: "app.test" })).toMatchObject({
      failure: "tls",
      detail: expect.stringContaining("WRONG_VERSION"),
    })
    expect(await outcomeOf({ host: "127.0.0.1", port: rude.port }, { tls: trusting, serverName: "app.test" })).toMatchObject({
      failure: "reset",
      detail: expect.stringContaining("closed the connection"),
    })
    expect(await outcomeOf({ host: "127.0.0.1", port: mute.port }, { tls: trusting, serverName: "app.test", timeoutMs: 50 })).toMatchObject({
      failure: "timeout",
    })
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

  test("the session of a peer that was refused is never resumed into trust", async () => {
    const stranger = makePair({ names: "DNS:app.test" })
    for (const maxVersion of [0x0303, 0x0304]) {
      const tls = new ClientTls({ ca: authority.cert })
      const { port } = tlsPeer({ ...stranger, maxVersion } as object)
      for (let i = 0; i < 3; i++)
        expect(await outcomeOf({ host: "127.0.0.1", port }, { tls, serverName: "app.test" })).toMatchObject({ failure: "tls" })
    }
  })

  // FIELD-CASES O-37
  test("a peer that knows one name only: the right one is served, another meets its alert", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bothways-sni-"))
    writeFileSync(join(folder, "cert"), pair.cert)
    writeFileSync(join(folder, "key"), pair.key)
    const file = (name: string): string => join(folder, name)
    const words = [
      "s_server",
      "-accept",
      "127.0.0.1:0",
      "-cert",
      file("cert"),
      "-key",
      file("key"),
      "-cert2",
      file("cert"),
      "-key2",
      file("key"),
      "-servername",
      "app.test",
      "-servername_fatal",
      "-rev",
    ]
    const server = spawn("openssl", words)
    stops.push(() => {
      server.kill()
      rmSync(folder, { recursive: true })
    })
    let said = ""
    server.stdout.on("data", chunk => {
      said += String(chunk)
    })
    await until(() => /ACCEPT .*:\d+/.test(said), "the server")
    const target = { host: "127.0.0.1", port: Number(/ACCEPT .*:(\d+)/.exec(said)![1]) }
    const right = await outcomeOf(target, { tls: trusting, serverName: "app.test" })
    expect([right.failure, right.detail]).toEqual(["", ""])
    // This server serves one after the other.
    right.wire!.terminate()
    expect(await outcomeOf(target, { tls: trusting, serverName: "x.w.test" })).toMatchObject({
      failure: "tls",
      detail: expect.stringContaining("UNRECOGNIZED_NAME"),
    })
  })
})
