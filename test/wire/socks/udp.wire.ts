import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { udpServer } from "../../support/connect-udp.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { greeting, password, refused5, request5, socksUdpClient, wrapped } from "../../support/socks.ts"
import { pause, until } from "../../support/wait.ts"

// UDP ASSOCIATE (RFC 1928 section 7; FIELD-CASES O-51 f) in front of a UDP server that returns what it gets.
const [open, small, closed, routeless, login] = (await freePorts(5)) as [number, number, number, number, number]
const users = join(temporaryFolder("users"), "users")
writeFileSync(users, `ann:{SHA}${new Bun.CryptoHasher("sha1").update("secret").digest("base64")}\n`)
const echo = await udpServer()
const other = await udpServer()
const forward = { privateRanges: ["127.0.0.0/8"], udpPorts: [echo.port, other.port] }
const proxy = await startBothways({
  listeners: {
    open: { bind: `127.0.0.1:${open}`, forward: { ...forward, socks: { udp: "on" } } },
    small: { bind: `127.0.0.1:${small}`, forward: { ...forward, socks: { udp: { idle: "300ms", targetsMax: 1 } } } },
    closed: { bind: `127.0.0.1:${closed}`, forward },
    login: { bind: `127.0.0.1:${login}`, forward: { ...forward, auth: { htpasswd: users }, socks: { udp: "on" } } },
    routeless: { bind: `127.0.0.1:${routeless}`, forward: { ...forward, socks: { udp: "on" } } },
  },
  routes: [
    { name: "no-udp", match: { listener: "routeless" }, to: { origin: {} } },
    { name: "ads", match: { host: "ads.localhost" }, to: { respond: { status: 403, body: "no" } } },
    { name: "out", to: { origin: {} }, upgrade: ["connect-udp"] },
  ],
  observe: { accessLog: { format: "json", to: "stdout" } },
})
afterAll(async () => {
  await proxy.stop()
  await echo[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

/** Opens an association; the relay's port. */
async function associate(port: number, said = 0, from = "127.0.0.1"): Promise<{ client: RawClient; relay: number }> {
  const client = await rawClient(port, { from })
  client.send(greeting(0) + request5("0.0.0.0", said, 3))
  expect(await client.bytes(2)).toBe("\x05\0")
  const reply = await client.bytes(10)
  expect(reply.slice(0, 8)).toBe("\x05\0\0\x01\x7f\0\0\x01")
  return { client, relay: reply.charCodeAt(8) * 256 + reply.charCodeAt(9) }
}

describe("a relay", () => {
  test("takes payloads there and back, to several targets, by address and by name, and counts them", async () => {
    const { client, relay } = await associate(open)
    using _ = client
    using udp = await socksUdpClient()
    for (const [i, [host, port, text]] of (
      [
        ["127.0.0.1", echo.port, "one"],
        ["localhost", other.port, "two"],
        ["127.0.0.1", echo.port, ""],
      ] as const
    ).entries()) {
      udp.send(relay, wrapped(host, port, text))
      expect(await udp.datagram(i)).toBe(wrapped(host, port, text))
    }
    expect(proxy.log().filter(line => line["method"] === "ASSOCIATE")).toEqual([])
    client.fin()
    expect(await client.ended()).toBe("fin")
    const lines = await until(() => {
      const all = proxy.log().filter(line => line["listener"] === "open")
      return all.length >= 3 ? all : undefined
    })
    expect(lines.map(({ method, host, version, status, route }) => [method, host, version, status, route])).toContainEqual([
      "GET",
      "localhost",
      "socks5",
      101,
      "out",
    ])
    const whole = lines.find(line => line["method"] === "ASSOCIATE")!
    expect([whole["version"], whole["status"], whole["fault"]]).toEqual(["socks5", 200, undefined])
    expect(whole["requestBytes"]).toBe(10 + 3 + 16 + 3 + 10)
    expect(whole["responseBytes"]).toBe(10 + 3 + 16 + 3 + 10)
  })

  test("hears from the client's address alone, and from one port of it", async () => {
    const { client, relay } = await associate(open)
    using _ = client
    using stranger = await socksUdpClient("127.0.0.9")
    using udp = await socksUdpClient()
    using second = await socksUdpClient()
    stranger.send(relay, wrapped("127.0.0.1", echo.port, "stranger"))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "first"))
    expect(await udp.datagram(0)).toBe(wrapped("127.0.0.1", echo.port, "first"))
    second.send(relay, wrapped("127.0.0.1", echo.port, "second"))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "last"))
    expect(await udp.datagram(1)).toBe(wrapped("127.0.0.1", echo.port, "last"))
    expect([stranger.came.length, second.came.length]).toEqual([0, 0])
  })

  test("hears from the port that the client named", async () => {
    using udp = await socksUdpClient()
    using wrong = await socksUdpClient()
    const { client, relay } = await associate(open, udp.socket.address().port)
    using _ = client
    wrong.send(relay, wrapped("127.0.0.1", echo.port, "wrong"))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "right"))
    expect(await udp.datagram(0)).toBe(wrapped("127.0.0.1", echo.port, "right"))
    expect(wrong.came.length).toBe(0)
  })

  test("does nothing with fragments, cut headers, and types that are none", async () => {
    const { client, relay } = await associate(open)
    using _ = client
    using udp = await socksUdpClient()
    const good = wrapped("127.0.0.1", echo.port, "good")
    for (const bad of [
      "",
      "\0",
      "\0\0\0",
      "\0\0\0\x03",
      good.slice(0, 9),
      `\0\0\x01${good.slice(3)}`,
      `\x01${good.slice(1)}`,
      `\0\0\0\x05${good.slice(4)}`,
      "\0\0\0\x03\xff abc",
    ])
      udp.send(relay, bad)
    udp.send(relay, good)
    expect(await udp.datagram(0)).toBe(good)
    expect(udp.came.length).toBe(1)
  })

  test("ends with a client that said more than it should, and then nothing more", async () => {
    using client = await rawClient(open)
    client.send(`${greeting(0)}${request5("0.0.0.0", 0, 3)}more`)
    client.send("and more")
    await client.bytes(12)
    client.fin()
    expect(await client.ended()).not.toBe("open")
  })

  test("judges each target: ports, ranges, rules about hosts, names that are none", async () => {
    const { client, relay } = await associate(open)
    using _ = client
    using udp = await socksUdpClient()
    const refusals = () => proxy.log().filter(line => line["listener"] === "open" && Number(line["status"]) >= 400)
    for (const [host, port] of [
      ["127.0.0.1", 9],
      ["10.0.0.1", echo.port],
      ["ads.localhost", echo.port],
      ["a b\r\nc", echo.port],
      ["127.0.0.1", 0],
    ] as const)
      for (const text of ["x", "y"]) udp.send(relay, wrapped(host, port, text))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "good"))
    expect(await udp.datagram(0)).toBe(wrapped("127.0.0.1", echo.port, "good"))
    const lines = await until(() => (refusals().length >= 5 ? refusals() : undefined))
    // One exchange for each, not for each datagram.
    expect(lines.map(({ host, status, fault }) => [host, status, fault]).sort()).toEqual(
      [
        ["127.0.0.1", 403, "proxy.port-forbidden"],
        ["10.0.0.1", 403, "proxy.address-forbidden"],
        ["ads.localhost", 403, undefined],
        ["", 400, "client.bad-target"],
        ["", 400, "client.bad-target"],
      ].sort(),
    )
  })

  test("ends with its connection, whose further octets mean nothing", async () => {
    const ends = proxy.log().filter(line => line["method"] === "ASSOCIATE").length
    const { client, relay } = await associate(open)
    using udp = await socksUdpClient()
    client.send("anything")
    udp.send(relay, wrapped("127.0.0.1", echo.port, "before"))
    await udp.datagram(0)
    client.reset()
    await until(() => (proxy.log().filter(line => line["method"] === "ASSOCIATE").length > ends ? true : undefined))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "after"))
    await pause(50)
    expect(udp.came.length).toBe(1)
  })
})

describe("who asks", () => {
  test("is found out before there is a relay, and said of each target", async () => {
    const request = request5("0.0.0.0", 0, 3)
    using wrong = await rawClient(login)
    wrong.send(greeting(2) + password("ann", "wrong") + request)
    expect(await wrong.toEnd()).toBe(`\x05\x02\x01\0${refused5(2)}`)
    using client = await rawClient(login)
    client.send(greeting(2) + password("ann", "secret") + request)
    const reply = (await client.bytes(14)).slice(4)
    using udp = await socksUdpClient()
    udp.send(reply.charCodeAt(8) * 256 + reply.charCodeAt(9), wrapped("127.0.0.1", echo.port, "hers"))
    expect(await udp.datagram(0)).toBe(wrapped("127.0.0.1", echo.port, "hers"))
    client.fin()
    const lines = await until(() => {
      const all = proxy.log().filter(line => line["listener"] === "login" && line["user"] === "ann")
      return all.length === 2 ? all : undefined
    })
    expect(lines.map(line => line["method"]).sort()).toEqual(["ASSOCIATE", "GET"])
  })
})

describe("limits", () => {
  test("targetsMax, and room again when one has been silent", async () => {
    const { client, relay } = await associate(small)
    using _ = client
    using udp = await socksUdpClient()
    udp.send(relay, wrapped("127.0.0.1", echo.port, "one"))
    expect(await udp.datagram(0)).toBe(wrapped("127.0.0.1", echo.port, "one"))
    udp.send(relay, wrapped("127.0.0.1", other.port, "too many"))
    udp.send(relay, wrapped("127.0.0.1", echo.port, "two"))
    expect(await udp.datagram(1)).toBe(wrapped("127.0.0.1", echo.port, "two"))
    const third = await until(() => {
      udp.send(relay, wrapped("127.0.0.1", other.port, "later"))
      return udp.came.find(data => data.toString("latin1").endsWith("later"))
    })
    expect(third.toString("latin1")).toBe(wrapped("127.0.0.1", other.port, "later"))
  })

  test("no relay unless it is configured (O-51 f)", async () => {
    using client = await rawClient(closed)
    client.send(greeting(0) + request5("0.0.0.0", 0, 3))
    expect(await client.toEnd()).toBe(`\x05\0${refused5(7)}`)
  })

  test("no target unless a route lets UDP through", async () => {
    const { client, relay } = await associate(routeless)
    using _ = client
    using udp = await socksUdpClient()
    udp.send(relay, wrapped("127.0.0.1", echo.port, "closed"))
    const line = await until(() => proxy.log().find(each => each["listener"] === "routeless"))
    expect([line["method"], line["status"], line["fault"], line["route"]]).toEqual(["GET", 403, "proxy.forbidden", "no-udp"])
    expect(udp.came.length).toBe(0)
  })
})
