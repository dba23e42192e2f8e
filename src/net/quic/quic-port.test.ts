import { afterEach, expect, test } from "bun:test"
import { createSocket } from "node:dgram"
import { ListenError } from "../listen-error.ts"
import { until } from "../test-time.ts"
import { ask, dialTest, get, identity, serve, type StreamPlan, TestIdentities, type TestServer } from "./quic.fixture.ts"

const tls = new TestIdentities(identity("a.test"))
const servers: TestServer[] = []

function start(name: string, options = {}): TestServer {
  const plan: StreamPlan = (stream, log) => {
    log.whenHeaders = () => stream.sendHeaders([":status", "200", "x-name", name], "initial", true)
  }
  const server = serve(tls, plan, options)
  servers.push(server)
  return server
}

afterEach(() => {
  for (const { at } of servers.splice(0)) at.close()
})

test("a port that is taken, and an address that this machine does not have", () => {
  const { at } = start("first")
  const code = (bind: { host: string; port: number }, reusePort = false): string => {
    try {
      start("second", { bind, reusePort })
      return ""
    } catch (error) {
      expect(error).toBeInstanceOf(ListenError)
      return (error as ListenError).code
    }
  }
  expect(code({ host: "127.0.0.1", port: at.port })).toBe("EADDRINUSE")
  expect(code({ host: "127.0.0.1", port: at.port }, true)).toBe("EADDRINUSE")
  expect(code({ host: "203.0.113.9", port: 0 })).toBe("EADDRNOTAVAIL")
})

test("several share a port, a connection stays where it began, and a stopped one gets no more", async () => {
  const first = start("first", { reusePort: true })
  const second = start("second", { reusePort: true, bind: { host: "127.0.0.1", port: first.at.port } })
  const names = new Set<string>()
  for (let i = 0; i < 40 && names.size < 2; i++) {
    const { connection } = await dialTest(first.at.port)
    const seen = new Set<string>()
    for (let j = 0; j < 3; j++) {
      const { log } = ask(connection!, get, true)
      await until(() => log.closed === "done", "an answer")
      seen.add(log.field("x-name")!)
    }
    expect(seen.size).toBe(1)
    for (const name of seen) names.add(name)
    connection!.close(0x100)
  }
  expect([...names].sort()).toEqual(["first", "second"])
  second.at.close()
  for (let i = 0; i < 5; i++) {
    const { connection } = await dialTest(first.at.port)
    const { log } = ask(connection!, get, true)
    await until(() => log.closed === "done", "an answer")
    expect(log.field("x-name")).toBe("first")
    connection!.close(0x100)
  }
})

test("a stopped listener serves who is there and nobody new", async () => {
  const { at } = start("only")
  const { connection, log: client } = await dialTest(at.port)
  at.stop()
  expect((await dialTest(at.port, { timeoutMs: 300 })).failure).not.toBe("")
  const { log } = ask(connection!, get, true)
  await until(() => log.closed === "done", "an answer")
  connection!.close(0x100)
  await until(() => client.closed !== null, "the end")
  const again = start("again", { bind: { host: "127.0.0.1", port: 0 } })
  again.at.close()
  again.at.close()
})

test("settings that the runtime refuses are told", () => {
  expect(() => start("never", { alpn: [""] })).toThrow(ListenError)
})

test("the client's address alone decides who serves it, when that is wanted", async () => {
  const options = { reusePort: true, steerOver: 2 }
  const first = start("first", options)
  start("second", { ...options, bind: { host: "127.0.0.1", port: first.at.port } })
  const names = new Set<string>()
  for (let i = 0; i < 12; i++) {
    const { connection } = await dialTest(first.at.port)
    const { log } = ask(connection!, get, true)
    await until(() => log.closed === "done", "an answer")
    names.add(log.field("x-name")!)
    connection!.close(0x100)
  }
  expect(names.size).toBe(1)
})

test("every address, IPv4 and IPv6, and IPv6 alone", async () => {
  const { at, connections } = start("both", { bind: { host: "", port: 0 } })
  const { connection } = await dialTest(at.port)
  expect(connections[0]!.connection!.facts.remoteAddress).toBe("127.0.0.1")
  connection!.close(0x100)
  const six = start("six", { bind: { host: "::", port: 0 } })
  expect((await dialTest(six.at.port, { timeoutMs: 200 })).failure).toStartWith("timeout")
})

test("packets to nowhere hold up nobody", async () => {
  const large = new Uint8Array(60_000)
  const server = serve(tls, (stream, log) => {
    log.whenHeaders = () => {
      stream.sendHeaders([":status", "200"], "initial")
      for (let i = 0; i < 30; i++) stream.write(large)
      stream.end()
    }
  })
  servers.push(server)
  for (let i = 0; i < 12; i++) {
    const started = performance.now()
    const { connection } = await dialTest(server.at.port)
    const { log } = ask(connection!, get, true)
    await until(() => log.bytes > 0, "an answer")
    expect(performance.now() - started).toBeLessThan(800)
    // Gone without a word in the middle of it: what is sent then comes back as an ICMP error.
    const client = connection as unknown as { native: { endpoint: { destroy(): Promise<void> } } }
    void client.native.endpoint.destroy()
  }
})

test("rubbish on the port is nobody's harm", async () => {
  const { at } = start("only")
  const socket = createSocket("udp4")
  for (let i = 0; i < 200; i++) {
    const packet = Buffer.alloc(1200)
    for (let j = 0; j < packet.length; j++) packet[j] = (i * 31 + j * 17 + (j >>> 3)) & 0xff
    if (i % 2 === 0) packet.set([0xc3, 0, 0, 0, 1, 8])
    socket.send(i % 3 === 0 ? packet.subarray(0, i) : packet, at.port, "127.0.0.1")
  }
  const { connection } = await dialTest(at.port)
  const { log } = ask(connection!, get, true)
  await until(() => log.closed === "done", "an answer")
  connection!.close(0x100)
  socket.close()
})
