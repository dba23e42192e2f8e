import { afterAll, describe, expect, test } from "bun:test"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { residentBytes } from "../../support/bulk.ts"
import {
  capsule,
  ended,
  openByHttp1,
  openByHttp2,
  openByHttp3,
  payload,
  type TunnelClient,
  targetPath,
  udpCapsule,
  udpServer,
  varint,
} from "../../support/connect-udp.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { freePorts } from "../../support/ports.ts"
import { pause, until } from "../../support/wait.ts"

// What goes through tunnels of CONNECT-UDP (RFC 9298), how much of it is kept, and what is left when they end.
const MB = 1024 * 1024
const [plain, secure, hasty] = (await freePorts(3)) as [number, number, number]
const echo = await udpServer()
const forward = { privateRanges: "allow", udpPorts: ["1024-65535"] }
const names = await DnsServer.start()
names.say("slow.test", { a: ["127.0.0.1"], delayMs: 150, ttl: 0 })
const proxy = await startBothways({
  resolver: { servers: [names.address] },
  listeners: {
    fwd: { bind: `127.0.0.1:${plain}`, forward },
    tls: { bind: `127.0.0.1:${secure}`, ...secureListener(), forward },
    hasty: { bind: `127.0.0.1:${hasty}`, forward, timeouts: { tunnelIdle: "1s" } },
  },
  routes: [{ to: { origin: {} }, upgrade: ["connect-udp"] }],
})
afterAll(async () => {
  await proxy.stop()
  await echo[Symbol.asyncDispose]()
  names.stop()
})

const ways: [string, (path: string) => Promise<TunnelClient>][] = [
  ["HTTP/1.1", path => openByHttp1(plain, path)],
  ["HTTP/2", path => openByHttp2(plain, path)],
  ["HTTP/3, datagrams", path => openByHttp3(secure, path)],
  ["HTTP/3, capsules", path => openByHttp3(secure, path, { datagrams: false })],
]

describe.each(ways)("%s", (_name, open) => {
  test("10,000 datagrams each way: hardly one is lost when they are not sent too fast, and nothing grows with them", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    client.send("first")
    await payload(client)
    const before = residentBytes(proxy.pid)
    const body = Buffer.alloc(100)
    let lost = 0
    for (let sent = 0; sent < 10_000; ) {
      const target = sent + 20
      for (; sent < target; sent++) {
        body.writeUInt32BE(sent)
        client.send(body)
      }
      // The first one's answer is not counted. A burst that is not answered whole has lost some, which is no reason to stop.
      await until(() => client.payloads.length - 1 >= sent - lost, 500, "answers").catch(() => {
        lost = sent - (client.payloads.length - 1)
      })
    }
    const numbers = new Set(client.payloads.slice(1).map(each => (each.length === 100 ? each.readUInt32BE() : -1)))
    expect([numbers.size >= 9_800, numbers.has(-1)]).toEqual([true, false])
    expect(residentBytes(proxy.pid) - before).toBeLessThan(40 * MB)
  }, 60_000)
})

test("a client that does not read loses datagrams, not the proxy its memory", async () => {
  const talker = await udpServer(() => null)
  using client = await openByHttp1(plain, targetPath("127.0.0.1", talker.port))
  client.send("here I am")
  await until(() => talker.clients.length === 1)
  const { port } = talker.clients[0]!
  const before = residentBytes(proxy.pid)
  client.pause()
  for (let i = 0; i < 30_000; i++) {
    talker.socket.send(Buffer.alloc(1400), port, "127.0.0.1")
    if (i % 50 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  expect(residentBytes(proxy.pid) - before).toBeLessThan(30 * MB)
  client.resume()
  await until(() => {
    talker.socket.send("the last", port, "127.0.0.1")
    return client.payloads.at(-1)?.toString() === "the last"
  })
  expect(client.payloads.length).toBeLessThan(30_000)
  await talker[Symbol.asyncDispose]()
}, 30_000)

test("nobody but the target is heard", async () => {
  using client = await openByHttp1(plain, targetPath("127.0.0.1", echo.port))
  client.send("one")
  await payload(client)
  const stranger = await udpServer()
  await new Promise(sent => stranger.socket.send("boo", echo.clients.at(-1)!.port, "127.0.0.1", sent))
  client.send("two")
  expect(await payload(client, 1)).toBe("two")
  await stranger[Symbol.asyncDispose]()
})

test("a question of the DNS and its answer, for several at once", async () => {
  const question = (id: number): Buffer =>
    Buffer.concat([Buffer.from([id >> 8, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]), Buffer.from("a\u0004test\0", "latin1"), Buffer.from([0, 1, 0, 1])])
  // The question comes back as an answer with one address, as RFC 1035 section 4.1 has it.
  const dns = await udpServer(data => {
    const head = Buffer.from(data.subarray(0, 12))
    head[2]! |= 0x80
    head[7] = 1
    return Buffer.concat([head, data.subarray(12), Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7])])
  })
  const asks = Array.from({ length: 20 }, async (_, i) => {
    using client = await (i % 2 === 0
      ? openByHttp3(secure, targetPath("127.0.0.1", dns.port))
      : openByHttp1(plain, targetPath("127.0.0.1", dns.port)))
    client.send(question(i))
    const answer = Buffer.from(await payload(client), "latin1")
    return [answer.readUInt16BE(), [...answer.subarray(-4)]]
  })
  expect(await Promise.all(asks)).toEqual(Array.from({ length: 20 }, (_, i) => [i, [192, 0, 2, 7]]))
  await dns[Symbol.asyncDispose]()
})

describe("HTTP/3", () => {
  test("answers come in QUIC datagrams where they fit, on the stream where they do not", async () => {
    using client = await openByHttp3(secure, targetPath("127.0.0.1", echo.port))
    client.send("small")
    await payload(client)
    expect(client.datagrams).toBe(1)
    client.send("x".repeat(1400))
    expect((await payload(client, 1)).length).toBe(1400)
    expect(client.datagrams).toBe(1)
  })

  test("datagrams and capsules that are sent before the answer are not lost", async () => {
    using client = await rawH3Client(secure)
    const came: string[] = []
    Object.assign(client, { onDatagram: (_c: unknown, data: Uint8Array) => void came.push(Buffer.from(data.subarray(2)).toString()) })
    const stream = client.request(
      { ":method": "CONNECT", ":protocol": "connect-udp", ":path": targetPath("slow.test", echo.port), ":authority": "proxy.test" },
      { end: false },
    )
    stream.quic!.write(udpCapsule("in a capsule"))
    await until(() => stream.quic!.id >= 0)
    client.connection.sendDatagram(Buffer.concat([varint(stream.quic!.id / 4), varint(0), Buffer.from("in a datagram")]))
    await until(() => came.length === 2)
    expect(names.count("slow.test", "A")).toBeGreaterThan(0)
    expect(came.sort()).toEqual(["in a capsule", "in a datagram"])
  })

  test("several tunnels of one connection are kept apart", async () => {
    using client = await rawH3Client(secure)
    const tunnels = []
    for (let i = 0; i < 5; i++) tunnels.push(await openByHttp3(secure, targetPath("127.0.0.1", echo.port), { client, datagrams: i % 2 === 0 }))
    const byStream = new Map<number, string[]>()
    Object.assign(client, {
      onDatagram: (_c: unknown, data: Uint8Array) =>
        byStream.set(data[0]!, [...(byStream.get(data[0]!) ?? []), Buffer.from(data.subarray(2)).toString()]),
    })
    for (const [i, tunnel] of tunnels.entries()) tunnel.send(`n${i}`)
    await until(() => byStream.size === 5)
    expect(tunnels.map(({ stream }) => byStream.get(stream.quic!.id / 4))).toEqual(tunnels.map((_, i) => [`n${i}`]))
  })

  test("a datagram between the halves of a capsule harms neither", async () => {
    using client = await openByHttp3(secure, targetPath("127.0.0.1", echo.port))
    const whole = udpCapsule("on the stream")
    client.octets(whole.subarray(0, 7))
    client.send("in between")
    expect(await payload(client)).toBe("in between")
    client.octets(whole.subarray(7))
    expect(await payload(client, 1)).toBe("on the stream")
    const other = capsule(0x1234, Buffer.alloc(50))
    client.octets(other.subarray(0, 20))
    await pause(50)
    client.send("may be lost")
    await pause(50)
    client.octets(other.subarray(20))
    client.octets(udpCapsule("after"))
    expect(await payload(client, 2)).toBe("after")
  })

  test("datagrams for streams that are not there are dropped; one without a stream id, or with one that no stream can have, ends the connection", async () => {
    using client = await openByHttp3(secure, targetPath("127.0.0.1", echo.port))
    const { connection } = client.client
    for (const head of ["3f", "7fff", "bfffffff", "cfffffff00000000"])
      connection.sendDatagram(Buffer.concat([Buffer.from(head, "hex"), Buffer.from("\0x")]))
    client.send("still here")
    expect(await payload(client)).toBe("still here")
    connection.sendDatagram(Buffer.from([0xc0, 0]))
    await until(() => client.client.closed !== null)
    using other = await openByHttp3(secure, targetPath("127.0.0.1", echo.port))
    other.client.connection.sendDatagram(Buffer.from("d000000000000000", "hex"))
    await until(() => other.client.closed !== null)
  })
})

test("silence both ways for tunnelIdle ends it; any datagram puts that off", async () => {
  using client = await openByHttp1(hasty, targetPath("127.0.0.1", echo.port))
  for (let i = 0; i < 10; i++) {
    await pause(130)
    expect(client.ending).toBe("")
    client.send(String(i))
  }
  await payload(client, 9)
  const from = performance.now()
  expect(await ended(client)).toBe("cut")
  expect(performance.now() - from).toBeGreaterThan(700)
})

test("however tunnels end, no socket of theirs stays", async () => {
  const path = targetPath("127.0.0.1", echo.port)
  const silent = await udpServer()
  await silent[Symbol.asyncDispose]()
  {
    using warm = await openByHttp3(secure, path)
    warm.end()
    await ended(warm)
  }
  await until(() => proxy.log().length > 0)
  const ends: [string, (client: TunnelClient) => void][] = [
    ["an end", client => client.end()],
    ["a cut", client => client[Symbol.dispose]()],
    ["nonsense", client => client.octets(capsule(0, Buffer.alloc(0)))],
  ]
  await pause(100)
  const before = openSockets(proxy.pid)
  for (const [name, open] of ways)
    for (const [how, end] of ends) {
      const clients = await Promise.all(Array.from({ length: 5 }, () => open(path)))
      for (const [i, client] of clients.entries()) client.send(`n${i}`)
      for (const [i, client] of clients.entries()) expect(await payload(client)).toBe(`n${i}`)
      expect(openSockets(proxy.pid)).toBeGreaterThanOrEqual(before + 5)
      for (const client of clients) end(client)
      await until(() => openSockets(proxy.pid) <= before + 5, 4000, `${name}: sockets gone after ${how}`)
      for (const client of clients) client[Symbol.dispose]()
      await until(() => openSockets(proxy.pid) <= before, 4000, `${name}: all sockets gone after ${how}`)
    }
  using refused = await openByHttp1(plain, targetPath("127.0.0.1", silent.port))
  refused.send("anybody?")
  await ended(refused)
  await until(() => openSockets(proxy.pid) <= before)
})

test("many at once", async () => {
  using h2 = await openByHttp2(plain, targetPath("127.0.0.1", echo.port))
  const clients = await Promise.all(Array.from({ length: 100 }, () => openByHttp1(plain, targetPath("127.0.0.1", echo.port))))
  for (const [i, client] of clients.entries()) client.send(`n${i}`)
  expect(await Promise.all(clients.map(client => payload(client)))).toEqual(clients.map((_, i) => `n${i}`))
  for (const client of clients) client[Symbol.dispose]()
  h2.send("and on")
  expect(await payload(h2)).toBe("and on")
})
