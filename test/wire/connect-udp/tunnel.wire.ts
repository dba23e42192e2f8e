import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
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
} from "../../support/connect-udp.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { freePorts } from "../../support/ports.ts"
import { until } from "../../support/wait.ts"

// CONNECT-UDP (RFC 9298) of forward clients over every version of HTTP, to a UDP server that returns what it gets.
const [plain, secure, front] = (await freePorts(3)) as [number, number, number]
const echo = await udpServer()
const six = await udpServer(undefined, "::1")
const forward = { privateRanges: "allow", udpPorts: [`1024-65535`] }
const proxy = await startBothways({
  listeners: {
    fwd: { bind: `127.0.0.1:${plain}`, forward },
    tls: { bind: `127.0.0.1:${secure}`, ...secureListener(), forward },
    front: { bind: `127.0.0.1:${front}`, ...secureListener() },
  },
  clusters: { inner: { peers: [`127.0.0.1:${plain}`] } },
  routes: [
    { match: { listener: "front" }, to: { cluster: "inner" }, upgrade: ["connect-udp"] },
    { match: { listener: ["fwd", "tls"] }, to: { origin: {} }, upgrade: ["connect-udp"] },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await echo[Symbol.asyncDispose]()
  await six[Symbol.asyncDispose]()
})

const ways: [string, number, (path: string) => Promise<TunnelClient>][] = [
  ["HTTP/1.1", 101, path => openByHttp1(plain, path)],
  ["HTTP/2", 200, path => openByHttp2(plain, path)],
  ["HTTP/3, datagrams", 200, path => openByHttp3(secure, path)],
  ["HTTP/3, capsules", 200, path => openByHttp3(secure, path, { datagrams: false })],
]

describe.each(ways)("%s", (_name, status, open) => {
  test("payloads go there and back, each in a datagram of its own", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    expect([client.status, client.fields["capsule-protocol"]]).toEqual([status, "?1"])
    for (const [i, text] of ["one", "", "three"].entries()) {
      client.send(text)
      expect(await payload(client, i)).toBe(text)
    }
  })

  test("a name, and IPv6 with its colons encoded", async () => {
    using named = await open(targetPath("localhost", echo.port))
    named.send("by name")
    expect(await payload(named)).toBe("by name")
    using client = await open(targetPath("::1", six.port))
    client.send("six")
    expect(await payload(client)).toBe("six")
  })

  test("payloads as long as UDP lets them be; longer than the way carries are lost", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    for (const [i, length] of [1100, 1149, 1500, 16_000, 65_507].entries()) {
      client.send("x".repeat(length))
      expect((await payload(client, i)).length).toBe(length)
    }
    client.send("x".repeat(65_508))
    client.send("after")
    expect(await payload(client, 5)).toBe("after")
  })

  test("other capsules and other contexts are passed over", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    client.octets(Buffer.concat([capsule(0x2f37, Buffer.alloc(100_000, 1)), udpCapsule("no", 2), capsule(0x10, Buffer.alloc(0)), udpCapsule("yes")]))
    expect(await payload(client)).toBe("yes")
  })

  test.each([
    ["no context id", capsule(0, Buffer.alloc(0))],
    ["longer than any UDP payload", Buffer.from([0, 0x80, 1, 0, 9])],
    ["a payload of 65,528 octets", udpCapsule(Buffer.alloc(65_528))],
  ])("a datagram that is none cuts the tunnel: %s", async (_what, octets) => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    client.octets(octets)
    expect(await ended(client)).toBe("cut")
  })

  test("the client ends it", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    client.send("one")
    await payload(client)
    client.end()
    expect(await ended(client)).toBe("end")
  })

  test("an end within a capsule is a cut", async () => {
    using client = await open(targetPath("127.0.0.1", echo.port))
    client.octets(udpCapsule("cut short").subarray(0, 5))
    client.end()
    expect(await ended(client)).toBe("cut")
  })

  test("nobody listens there: the first answer of ICMP ends it", async () => {
    const closed = await udpServer()
    await closed[Symbol.asyncDispose]()
    using client = await open(targetPath("127.0.0.1", closed.port))
    expect(client.status).toBe(status)
    client.send("anybody?")
    expect(await ended(client)).toBe("cut")
  })
})

test("the access log has the target, the octets both ways and the user's way in", async () => {
  const path = targetPath("127.0.0.1", echo.port)
  const before = proxy.log().length
  {
    using client = await openByHttp1(plain, path)
    client.send("12345")
    await payload(client)
    client.end()
    await ended(client)
  }
  const line = await until(() =>
    proxy
      .log()
      .slice(before)
      .find(each => each.target === path && each.requestBytes === 8),
  )
  expect(line).toMatchObject({ method: "GET", host: "127.0.0.1", status: 101, peer: `127.0.0.1:${echo.port}`, requestBytes: 8, responseBytes: 8 })
})

test("a reverse proxy in front of the UDP proxy: QUIC datagrams here, capsules of HTTP/1.1 behind", async () => {
  using client = await openByHttp3(front, targetPath("127.0.0.1", echo.port))
  expect([client.status, client.fields["capsule-protocol"]]).toEqual([200, "?1"])
  client.send("through both")
  expect(await payload(client)).toBe("through both")
  expect(client.datagrams).toBe(1)
  client.send("x".repeat(9000))
  expect((await payload(client, 1)).length).toBe(9000)
  client.octets(capsule(0x2f37, Buffer.alloc(100_000)))
  client.octets(udpCapsule("and on"))
  expect(await payload(client, 2)).toBe("and on")
  client.end()
  expect(await ended(client)).toBe("end")
})
