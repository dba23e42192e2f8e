import { afterAll, expect, test } from "bun:test"
import { createServer as createPlain, type AddressInfo, connect } from "node:net"
import { createServer } from "node:tls"
import { Authority } from "../../test/support/certificates.ts"
import { dialOver, dialPair } from "./dial.ts"
import { outcomeOf, watch } from "./test-dial.ts"
import { testTime, until } from "./test-time.ts"
import { ClientTls } from "./tls/client-tls.ts"
import type { Wire } from "./wire.ts"

const authority = new Authority()
const site = authority.issue(["a.test"])
const secure = createServer({ cert: site.cert, key: site.key, ALPNProtocols: ["h2"] }, socket =>
  socket.on("data", data => socket.write(`echo ${data}`)),
)
const seen: (string | undefined)[] = []
const plain = createPlain(socket => void seen.push(socket.remoteAddress))
const listening = (server: typeof plain, host: string) =>
  new Promise<number>(resolve => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)))
const secureAt = await listening(secure, "127.0.0.1")
const plainAt = await listening(plain, "0.0.0.0")
afterAll(() => {
  secure.close()
  plain.close()
})
const tls = (ca = authority.ca.cert) => new ClientTls({ ca, alpn: ["h2"] })
const quiet = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
const options = (serverName: string) => ({ time: testTime, timeoutMs: 1000, serverName })

async function echoed(outcome: ReturnType<typeof watch>): Promise<void> {
  await until(() => outcome.calls > 0, "an outcome")
  expect([outcome.failure, outcome.alpn]).toEqual(["", "h2"])
  outcome.wire!.write("hi")
  await until(() => outcome.received === "echo hi", "the echo")
  outcome.wire!.end()
}

test("TLS over a connection that stands", async () => {
  const { wire } = await outcomeOf({ host: "127.0.0.1", port: secureAt })
  const outcome = watch()
  dialOver(wire!, { ...options("a.test"), tls: tls() }, outcome)
  await echoed(outcome)
})

test("TLS over a connection that stands: the name is checked, and a lost connection is told of", async () => {
  for (const name of ["b.test", "a.test"]) {
    const { wire } = await outcomeOf({ host: "127.0.0.1", port: name === "b.test" ? secureAt : plainAt })
    if (name === "a.test") wire!.terminate()
    const outcome = watch()
    dialOver(wire!, { ...options(name), tls: tls() }, outcome)
    await until(() => outcome.calls > 0, "an outcome")
    expect(outcome.failure).toBe(name === "b.test" ? "tls" : "reset")
  }
})

/** What comes from the pair goes to the server, and back. */
function relay(wire: Wire, port: number) {
  const socket = connect(port, "127.0.0.1")
  socket.on("data", data => void wire.write(data))
  return { ...quiet, onData: (_: Wire, chunk: Buffer) => void socket.write(Buffer.from(chunk)), onClose: () => void socket.destroy() }
}

test("TLS over a pair of sockets", async () => {
  const outcome = watch()
  dialPair({ ...options("a.test"), tls: tls() }, outcome, wire => relay(wire, secureAt))
  expect(outcome.calls).toBe(0)
  await echoed(outcome)
})

test("a pair without TLS is open at once", async () => {
  const outcome = watch()
  let far: Wire | null = null
  dialPair(options(""), outcome, wire => {
    far = wire
    return quiet
  })
  await until(() => outcome.calls > 0 && far !== null, "both ends")
  far!.write("one")
  await until(() => outcome.received === "one", "what the other end sent")
  far!.terminate()
  await until(() => outcome.closed === 1, "its end")
})

test("a source address: taken, absent on this machine, of the other family", async () => {
  const { wire } = await outcomeOf({ host: "127.0.0.1", port: plainAt }, { source: "127.0.0.9" })
  await until(() => seen.includes("127.0.0.9"), "the server's view")
  wire!.terminate()
  expect(await outcomeOf({ host: "127.0.0.1", port: plainAt }, { source: "192.0.2.1" })).toMatchObject({
    failure: "unreachable",
    detail: "EADDRNOTAVAIL",
  })
  expect(await outcomeOf({ host: "127.0.0.1", port: plainAt }, { source: "::1" })).toMatchObject({ failure: "unreachable", detail: "EINVAL" })
})
