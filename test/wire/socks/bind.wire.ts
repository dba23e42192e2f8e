import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { greeting, refused5, request4, request5 } from "../../support/socks.ts"
import { until } from "../../support/wait.ts"

// BIND (RFC 1928 section 4; FIELD-CASES O-51 f): one peer of the host that was named, two replies.
const [port, told] = (await freePorts(2)) as [number, number]
const parent = await scriptedServer("HTTP/1.1 200 OK\r\n\r\n")
const forward = { privateRanges: ["127.0.0.0/8"], connectPorts: [21] }
const proxy = await startBothways({
  listeners: {
    egress: { bind: `127.0.0.1:${port}`, forward: { ...forward, socks: { bind: { wait: "500ms" } } } },
    told: { bind: `127.0.0.1:${told}`, forward: { ...forward, socks: { bind: { wait: "500ms", address: "192.0.2.9" } } } },
  },
  clusters: { parents: { peers: [parent.address] } },
  routes: [
    { match: { host: "127.0.0.7" }, to: { origin: { via: "parents" } } },
    { match: { host: "127.0.0.8" }, to: { respond: { status: 403, body: "no" } } },
    { name: "out", to: { origin: {} } },
  ],
  observe: { accessLog: { format: "json", to: "stdout" } },
})
afterAll(async () => {
  await proxy.stop()
  await parent[Symbol.asyncDispose]()
})

const portAt = (reply: string, at: number): number => reply.charCodeAt(at) * 256 + reply.charCodeAt(at + 1)

/** Asks to wait for a peer; the port that it may connect to. */
async function bind(client: RawClient, host = "127.0.0.1"): Promise<number> {
  client.send(greeting(0) + request5(host, 21, 2))
  const reply = await client.bytes(12)
  expect(reply.slice(0, 6)).toBe("\x05\0\x05\0\0\x01")
  return portAt(reply, 10)
}

test("a peer connects, and octets go both ways", async () => {
  using client = await rawClient(port)
  using peer = await rawClient(await bind(client))
  const second = await client.bytes(10)
  expect(second.slice(0, 8)).toBe("\x05\0\0\x01\x7f\0\0\x01")
  expect(portAt(second, 8)).toBe(peer.socket.localPort!)
  peer.send("from the peer\n")
  client.send("from the client\n")
  expect([await client.through("\n"), await peer.through("\n")]).toEqual(["from the peer\n", "from the client\n"])
  peer.fin()
  client.fin()
  expect(await client.ended()).toBe("fin")
  const line = await until(() => proxy.log().find(each => each["method"] === "BIND" && each["status"] === 200))
  expect([line["host"], line["port"], line["version"], line["route"], line["requestBytes"], line["responseBytes"]]).toEqual([
    "127.0.0.1",
    21,
    "socks5",
    "out",
    16,
    14,
  ])
})

test("SOCKS 4", async () => {
  using client = await rawClient(port)
  client.send(request4("127.0.0.1", 21, { command: 2 }))
  const reply = await client.bytes(8)
  expect(reply.slice(0, 2)).toBe("\0\x5a")
  using _peer = await rawClient(portAt(reply, 2))
  expect((await client.bytes(8)).slice(0, 2)).toBe("\0\x5a")
})

test("a stranger is sent away, and the peer still comes; nobody comes after it", async () => {
  using client = await rawClient(port)
  const at = await bind(client, "127.0.0.3")
  // It may not even live to be connected.
  const stranger = await rawClient(at, { from: "127.0.0.4" }).catch(() => null)
  await stranger?.ended()
  using _peer = await rawClient(at, { from: "127.0.0.3" })
  expect((await client.bytes(10)).slice(0, 8)).toBe("\x05\0\0\x01\x7f\0\0\x03")
  expect(
    await rawClient(at, { from: "127.0.0.3" }).then(
      () => "came",
      () => "refused",
    ),
  ).toBe("refused")
})

test("nobody comes in time; the client goes: the port is closed", async () => {
  using waiting = await rawClient(port)
  const at = await bind(waiting)
  const gone = await rawClient(port)
  const other = await bind(gone)
  gone.reset()
  await until(() =>
    rawClient(other).then(
      client => void client.destroy(),
      () => true,
    ),
  )
  expect(await waiting.toEnd()).toBe(refused5(6))
  expect(
    await rawClient(at).then(
      () => "came",
      () => "refused",
    ),
  ).toBe("refused")
})

test("whom CONNECT would not reach is not waited for, and a parent does not wait", async () => {
  for (const [host, at, code] of [
    ["10.0.0.1", 21, 2],
    ["127.0.0.1", 25, 2],
    ["127.0.0.8", 21, 2],
    ["127.0.0.7", 21, 7],
    ["0.0.0.0", 21, 2],
  ] as const) {
    using client = await rawClient(port)
    client.send(greeting(0) + request5(host, at, 2))
    expect([host, at, await client.toEnd()]).toEqual([host, at, `\x05\0${refused5(code)}`])
  }
  expect(parent.connections.length).toBe(0)
})

test("the address that peers are told", async () => {
  using client = await rawClient(told)
  client.send(greeting(0) + request5("127.0.0.1", 21, 2))
  const reply = await client.bytes(12)
  expect(reply.slice(2, 10)).toBe("\x05\0\0\x01\xc0\0\x02\x09")
  using _peer = await rawClient(portAt(reply, 10))
  expect((await client.bytes(10)).slice(0, 8)).toBe("\x05\0\0\x01\x7f\0\0\x01")
})
