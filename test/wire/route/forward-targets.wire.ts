import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { networkInterfaces } from "node:os"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import type { ResponseMessage } from "../../support/message.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

const [tls443, tls443and80, closed, partly, admin, reverse] = (await freePorts(6)) as [number, number, number, number, number, number]
const dns = await DnsServer.start()
const origin = await recorder()
// Listens on everything that is loopback, so that whatever walks around a rule arrives somewhere.
const inside = await scriptedServer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ninside", { host: "0.0.0.0" })
const forward = (port: number, more: object): object => ({ bind: `127.0.0.1:${port}`, forward: more })
const own = [tls443, tls443and80, closed, partly, admin, reverse]
const config = {
  resolver: { servers: [dns.address], timeout: "300ms", attempts: 2, ttlMax: "1s" },
  admin: { bind: `127.0.0.1:${admin}` },
  listeners: {
    tls443: forward(tls443, { privateRanges: "allow", ports: ["80", "443", "1025-65535"] }),
    tls443and80: forward(tls443and80, { privateRanges: "allow", connectPorts: [443, 80] }),
    closed: forward(closed, { connectPorts: ["1-65535"], ports: ["1-65535"] }),
    partly: forward(partly, { privateRanges: ["127.0.0.0/30"], connectPorts: ["1-65535"], ports: ["1-65535"] }),
    reverse: { bind: `127.0.0.1:${reverse}` },
  },
  routes: [
    { match: { listener: "reverse" }, to: { respond: { body: "reverse" } } },
    { match: { listener: ["tls443", "tls443and80", "closed", "partly"] }, to: { origin: {} } },
  ],
}
dns.say("app.test", { a: ["127.0.0.9"], ttl: 1 })
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  for (const server of [origin, inside]) await server[Symbol.asyncDispose]()
  dns.stop()
})

async function ask(port: number, request: string, client?: RawClient): Promise<ResponseMessage> {
  using own = client === undefined ? await rawClient(port) : null
  const on = client ?? own!
  on.send(request)
  return await on.response(request.slice(0, request.indexOf(" ")))
}

const connectTo = (target: string, port = tls443, fields = ""): Promise<ResponseMessage> =>
  ask(port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${fields}\r\n`)
const getFrom = (authority: string, port = tls443): Promise<ResponseMessage> =>
  ask(port, `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
const faultOf = ({ status, body }: ResponseMessage): string => `${status} ${/fault: (\S+)/.exec(body)?.[1] ?? ""}`

describe("O-49: CONNECT to ports and targets that should be closed", () => {
  test("443 only: others are 403, and what is let through reaches for the origin", async () => {
    for (const port of [25, 80, 22, 65_535]) expect(faultOf(await connectTo(`127.0.0.9:${port}`))).toBe("403 proxy.port-forbidden")
    for (const target of ["127.0.0.9:443", "app.test:443", "APP.test.:443", "127.0.0.9:0443"])
      expect(faultOf(await connectTo(target))).toMatch(/^502 upstream\.connect-/)
  })
  test("malformed targets are 400 and close", async () => {
    const wrong = [
      "127.0.0.9:0",
      "127.0.0.9:65536",
      ":",
      ":443",
      "app.test",
      "app.test:",
      "app.test:443/x",
      "u@app.test:443",
      "app.test:44a",
      "app.test:443:443",
      "http://app.test:443",
      "/",
      "*",
      "app.test:443?x",
      "[::1]x:443",
      "[::1",
      "app test:443",
      "app.test:-443",
      "app.test:+443",
      "app.test:%34%34%33",
      "app%2etest:443",
    ]
    for (const target of wrong) {
      using client = await rawClient(tls443)
      expect([target, (await ask(tls443, `CONNECT ${target} HTTP/1.1\r\nHost: app.test:443\r\n\r\n`, client)).status]).toEqual([target, 400])
      await client.ended()
    }
  })
  test("a CONNECT with a body is malformed (RFC 9110 section 9.3.6)", async () => {
    for (const fields of ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 0\r\n"])
      expect((await connectTo("app.test:443", tls443, fields)).status).toBe(400)
  })
  test("our own ports are a loop, by address and by name, whatever the port rule", async () => {
    dns.say("self.test", { a: ["127.0.0.1"], ttl: 1 })
    for (const port of own) {
      for (const host of ["127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"])
        expect([port, host, faultOf(await connectTo(`${host}:${port}`, tls443))]).toEqual([port, host, "508 proxy.loop"])
      expect(faultOf(await connectTo(`self.test:${port}`, partly))).toBe("508 proxy.loop")
      expect(faultOf(await getFrom(`self.test:${port}`))).toBe("508 proxy.loop")
    }
  })
  test("absolute-form has a list of its own", async () => {
    for (const port of [25, 22, 143]) expect(faultOf(await getFrom(`127.0.0.9:${port}`))).toBe("403 proxy.port-forbidden")
    expect((await getFrom(origin.address)).body).toBe("ok")
    expect(faultOf(await connectTo(origin.address))).toBe("403 proxy.port-forbidden")
    expect(faultOf(await ask(tls443, `GET https://127.0.0.9:25/ HTTP/1.1\r\nHost: x\r\n\r\n`))).toBe("403 proxy.port-forbidden")
    for (const url of ["ftp://a.test/", "http:/a.test/", "http:///", "http://a.test:0/", "http://u:p@a.test/", "gopher://127.0.0.1:25/"]) {
      expect([url, (await ask(tls443, `GET ${url} HTTP/1.1\r\nHost: a.test\r\n\r\n`)).status]).toEqual([url, 400])
    }
  })
  test("a denied CONNECT is answered whole, and the connection carries further requests", async () => {
    using client = await rawClient(tls443)
    for (let i = 0; i < 3; i++) expect((await ask(tls443, "CONNECT 127.0.0.9:25 HTTP/1.1\r\nHost: x\r\n\r\n", client)).status).toBe(403)
    expect((await ask(tls443, `GET http://${origin.address}/ HTTP/1.1\r\nHost: x\r\n\r\n`, client)).body).toBe("ok")
    expect((await ask(tls443, "CONNECT 127.0.0.9:443 HTTP/1.1\r\nHost: x\r\n\r\n", client)).status).toBe(502)
    expect((await ask(tls443, `GET http://${origin.address}/ HTTP/1.1\r\nHost: x\r\n\r\n`, client)).body).toBe("ok")
  })
  test('the policy "443 and 80" opens exactly port 80', async () => {
    for (const [port, fault] of [
      [80, 502],
      [443, 502],
      [25, 403],
      [81, 403],
      [8080, 403],
      [8443, 403],
    ])
      expect([port, (await connectTo(`127.0.0.9:${port}`, tls443and80)).status]).toEqual([port, fault])
  })
  test("a reverse listener takes no CONNECT and no absolute target to elsewhere", async () => {
    expect((await connectTo("127.0.0.9:443", reverse)).status).toBe(405)
    expect((await getFrom(origin.address, reverse)).body).toBe("reverse")
  })
  // A client that does not wait sends what somebody else chose: the strict reading is that it is no request (RFC 9931).
  test("octets that come with a denied CONNECT are neither a tunnel's nor the next request", async () => {
    using client = await rawClient(tls443)
    client.send(`CONNECT 127.0.0.9:25 HTTP/1.1\r\nHost: x\r\n\r\nGET http://${origin.address}/behind HTTP/1.1\r\nHost: x\r\n\r\n`)
    const { status, fields } = await client.response("CONNECT")
    expect([status, fields.connection, await client.toEnd()]).toEqual([403, "close", ""])
    expect(origin.requests.filter(request => request.start.includes("/behind"))).toEqual([])
  })
  test("a client that waited for the denial asks on over the same connection", async () => {
    using client = await rawClient(tls443)
    client.send("CONNECT 127.0.0.9:25 HTTP/1.1\r\nHost: x\r\n\r\n")
    expect((await client.response("CONNECT")).status).toBe(403)
    client.send(`GET http://${origin.address}/waited HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect((await client.response()).status).toBe(200)
  })
})

describe("private ranges are closed", () => {
  const port = inside.port
  beforeAll(() => {
    inside.connections.length = 0
  })
  const closedTo: Record<string, string> = {
    loopback: "127.0.0.1",
    "all of loopback": "127.9.9.9",
    "this network": "0.0.0.0",
    "IPv6 loopback": "[::1]",
    "IPv6 unspecified": "[::]",
    "mapped loopback": "[::ffff:127.0.0.1]",
    "mapped in hexadecimal": "[::ffff:7f00:1]",
    compatible: "[::127.0.0.1]",
    NAT64: "[64:ff9b::7f00:1]",
    "6to4": "[2002:7f00:1::]",
    private: "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "link-local": "169.254.1.1",
    "metadata of clouds": "169.254.169.254",
    "metadata over IPv6": "[fd00:ec2::254]",
    "unique local": "[fc00::1]",
    "link-local IPv6": "[fe80::1]",
    "carrier NAT": "100.64.0.1",
    multicast: "224.0.0.1",
    broadcast: "255.255.255.255",
    "mapped private": "[::ffff:10.0.0.1]",
    Teredo: "[2001:0:7f00:1::]",
  }
  for (const [name, host] of Object.entries(closedTo)) {
    test(name, async () => {
      expect([faultOf(await connectTo(`${host}:${port}`, closed)), faultOf(await getFrom(`${host}:${port}`, closed))]).toEqual([
        "403 proxy.address-forbidden",
        "403 proxy.address-forbidden",
      ])
    })
  }
  const deceptive = [
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "00.0.0.0",
    "127.0.0.1.",
    "0x7F.0x0.0x0.0x1",
    "1.2.3.4.5",
    "127.0.0.01",
    "[127.0.0.1]",
    "[::1%25lo]",
    "[::1%lo]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
    "LocalHost.",
    "foo.localhost",
    "a_b-.test..",
    ".",
    "..",
    "-",
    "a..b",
    "*.test",
    "x".repeat(64),
    `${"a.".repeat(127)}a`,
  ]
  test("deceptive spellings never reach anything", async () => {
    for (const host of deceptive) {
      const answers = [
        await connectTo(`${Buffer.from(host).toString("latin1")}:${port}`, closed),
        await getFrom(`${Buffer.from(host).toString("latin1")}:${port}`, closed),
      ]
      for (const { status } of answers) expect([host, status >= 400 && status !== 503]).toEqual([host, true])
    }
    expect(inside.connections.length).toBe(0)
  })
  test("and so are the machine's own addresses when they are private", async () => {
    const addresses = Object.values(networkInterfaces()).flatMap(list =>
      (list ?? []).filter(entry => entry.family === "IPv4" && /^(10|172|192\.168)\./.test(entry.address)),
    )
    for (const { address } of addresses) expect((await connectTo(`${address}:${port}`, closed)).status).toBe(403)
    expect(inside.connections.length).toBe(0)
  })
  test("a list opens what it names and nothing else", async () => {
    expect((await getFrom(`127.0.0.1:${port}`, partly)).body).toBe("inside")
    expect((await getFrom(`127.0.0.3:${port}`, partly)).body).toBe("inside")
    expect((await getFrom(`[::ffff:127.0.0.2]:${port}`, partly)).body).toBe("inside")
    for (const host of ["127.0.0.4", "10.0.0.1", "[::1]", "[::ffff:127.0.0.4]"])
      expect([host, (await getFrom(`${host}:${port}`, partly)).status]).toEqual([host, 403])
  })
})

describe("names: the address that is dialled decides, not the name and not an earlier answer", () => {
  const port = inside.port
  const names: Record<string, Parameters<DnsServer["say"]>[1]> = {
    "loop.test": { a: ["127.0.0.1"] },
    "six.test": { aaaa: ["::1"] },
    "mapped.test": { aaaa: ["::ffff:127.0.0.1"] },
    "nat64.test": { aaaa: ["64:ff9b::7f00:1"] },
    "meta.test": { a: ["169.254.169.254"] },
    "alias.test": { cname: "loop.test" },
    "zero.test": { a: ["0.0.0.0"] },
  }
  for (const [name, rule] of Object.entries(names)) {
    test(`${name} is closed`, async () => {
      dns.say(name, rule)
      const before = inside.connections.length
      expect([faultOf(await connectTo(`${name}:${port}`, closed)), faultOf(await getFrom(`${name}:${port}`, closed))]).toEqual([
        "403 proxy.address-forbidden",
        "403 proxy.address-forbidden",
      ])
      expect(inside.connections.length).toBe(before)
    })
  }
  test("DNS rebinding: public first, loopback a second later", async () => {
    // An address that the list opens stands for the public one: nothing here may leave the machine.
    dns.say("rebind.test", { a: ["127.0.0.1"], ttl: 1 })
    expect((await getFrom(`rebind.test:${port}`, partly)).body).toBe("inside")
    dns.say("rebind.test", { a: ["127.0.0.66"], ttl: 1 })
    await until(async () => faultOf(await connectTo(`rebind.test:${port}`, partly)) === "403 proxy.address-forbidden", 4000, "the new address")
    // What is kept alive leads to the address that was allowed.
    expect((await getFrom(`rebind.test:${port}`, partly)).body).toBe("inside")
    expect(inside.connections.filter(({ socket }) => socket.localAddress === "127.0.0.66")).toEqual([])
  })
  test("of several addresses the closed ones are passed over, and an open one behind them is used", async () => {
    dns.say("mixed.test", { a: ["127.0.0.77", "127.0.0.2"] })
    expect((await getFrom(`mixed.test:${port}`, partly)).body).toBe("inside")
    expect((await until(() => inside.connections.at(-1))).socket.localAddress).toBe("127.0.0.2")
  })
  test("a name that does not exist, and one whose server is silent: 502, not 403", async () => {
    dns.say("silent.test", { silent: true })
    for (const name of ["nobody.test", "silent.test"]) expect(faultOf(await connectTo(`${name}:${port}`, closed))).toBe("502 upstream.resolve-failed")
  })
  test("a name whose port is closed is not even asked for", async () => {
    expect((await connectTo("unasked.test:25", tls443)).status).toBe(403)
    expect(dns.count("unasked.test")).toBe(0)
  })
})
