import { expect, test } from "bun:test"
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { once } from "node:events"
import { TickClock, TimerWheel } from "../../base/index.ts"
import { type Listening, listen } from "../listen.ts"
import { selfSigned } from "../x509/authority.ts"
import { readClientHello } from "./client-hello.ts"
import { nativeContext } from "./context.ts"
import type { HelloGate } from "./hello-gate.ts"
import type { ServerTls } from "./server-tls.ts"

/** What a real client says first. */
async function helloOf(serverName: string, protocols: string[]): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (_socket, data) => resolve(Buffer.from(data)) } })
  const client = connectTls({ host: "127.0.0.1", port: server.port, servername: serverName, ALPNProtocols: protocols })
  client.on("error", () => {})
  const hello = await promise
  client.destroy()
  server.stop(true)
  return hello
}

test("a hello tells its name and protocols, however it arrives", async () => {
  const whole = await helloOf("Shop.test", ["h2", "acme-tls/1"])
  for (let length = 1; length < whole.length; length += 7) expect(readClientHello(whole.subarray(0, length))).toBe("incomplete")
  expect(readClientHello(whole)).toEqual({ serverName: "Shop.test", protocols: ["h2", "acme-tls/1"] })
  // The same message in records of 50 octets.
  const message = whole.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += 50) {
    const part = message.subarray(at, at + 50)
    records.push(Buffer.from([22, 3, 1, 0, part.length]), part)
  }
  expect(readClientHello(Buffer.concat(records))).toEqual({ serverName: "Shop.test", protocols: ["h2", "acme-tls/1"] })
})

test("what is no hello, and what is damaged, is told from what is not whole yet", async () => {
  expect(readClientHello(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toBe("invalid")
  expect(readClientHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]))).toBe("invalid")
  expect(readClientHello(Buffer.from([22, 3, 1, 0, 4, 1, 9, 0, 0]))).toBe("invalid")
  const whole = await helloOf("a.test", ["h2"])
  for (let at = 5 + 38; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = 0xff
    expect(typeof readClientHello(damaged)).not.toBe("undefined")
  }
})

const DAY_MS = 86_400_000
const usual = selfSigned(["usual.test"], DAY_MS)
const late = nativeContext(selfSigned(["late.test"], DAY_MS))
const proof = nativeContext(selfSigned(["proof.test"], DAY_MS))

interface Scene extends AsyncDisposable {
  readonly listening: Listening
  /** Lets handshakes go on. */
  readonly released: (() => void)[]
  readonly opened: string[]
  readonly failed: string[]
  lateIsThere: boolean
}

function scene(): Scene {
  const clock = new TickClock()
  const wheel = new TimerWheel(clock.now())
  const tick = setInterval(() => {
    clock.tick()
    wheel.advance(clock.now())
  }, 10)
  const state = { released: [] as (() => void)[], opened: [] as string[], failed: [] as string[], lateIsThere: false }
  const tls: ServerTls = {
    clientCertificates: "off",
    alpn: ["h2", "http/1.1"],
    defaultContext: nativeContext(usual),
    defaultOptions: usual,
    contextFor: name => (name === "late.test" && state.lateIsThere ? late : undefined),
    onDefaultChange: () => () => {},
  }
  const gate: HelloGate = {
    challenge: name => (name === "proof.test" ? proof : undefined),
    hold(name, release) {
      if (name !== "late.test") return false
      state.released.push(release)
      return true
    },
  }
  const acceptor = {
    onOpen(wire: { end(): void }, info: { alpn: string }) {
      state.opened.push(info.alpn)
      return { onData() {}, onDrain() {}, onEnd: () => wire.end(), onClose() {} }
    },
    onFailed: (_info: unknown, _failure: unknown, detail: string) => void state.failed.push(detail),
  }
  const listening = listen({ bind: { host: "127.0.0.1", port: 0 }, time: { clock, wheel }, handshakeMs: 400, tls, gate }, acceptor as never)
  return Object.assign(state, {
    listening,
    async [Symbol.asyncDispose]() {
      clearInterval(tick)
      listening.stop()
    },
  })
}

async function shown(port: number, servername: string, ALPNProtocols = ["http/1.1"]): Promise<string> {
  const client = connectTls({ host: "127.0.0.1", port, servername, ALPNProtocols, rejectUnauthorized: false })
  try {
    await once(client, "secureConnect")
    return `${client.getPeerCertificate().subjectaltname} ${client.alpnProtocol}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    client.end()
  }
}

test("a validating authority gets the certificate of its challenge, everybody else the usual one", async () => {
  await using it = scene()
  const { port } = it.listening
  expect(await shown(port, "proof.test", ["acme-tls/1"])).toBe("DNS:proof.test acme-tls/1")
  expect(await shown(port, "proof.test")).toBe("DNS:usual.test http/1.1")
  expect(await shown(port, "other.test", ["acme-tls/1"])).toBe("ECONNRESET")
  while (it.opened.length === 0) await Bun.sleep(5)
  expect(it.opened).toEqual(["http/1.1"])
})

test("a handshake waits for a certificate that is being made", async () => {
  await using it = scene()
  const answer = shown(it.listening.port, "late.test")
  while (it.released.length === 0) await Bun.sleep(5)
  it.lateIsThere = true
  it.released[0]!()
  expect(await answer).toBe("DNS:late.test http/1.1")
})

test("a handshake that waits too long is ended, and letting it go on then does nothing", async () => {
  await using it = scene()
  expect(await shown(it.listening.port, "late.test")).toBe("ECONNRESET")
  it.released[0]!()
  expect(it.failed).toEqual(["the client's first message, or a certificate for it, did not come in time"])
})

test("a client that says something else, or nothing and goes, hurts nobody", async () => {
  await using it = scene()
  const { port } = it.listening
  const talker = connect(port, "127.0.0.1")
  talker.on("error", () => {})
  talker.write("GET / HTTP/1.1\r\n\r\n")
  await once(talker, "close")
  const silent = connect(port, "127.0.0.1")
  await once(silent, "connect")
  silent.destroy()
  expect(await shown(port, "usual.test")).toBe("DNS:usual.test http/1.1")
})
