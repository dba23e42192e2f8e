import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { greeting, password, refused5, request4, request5 } from "../../support/socks.ts"
import { until } from "../../support/wait.ts"

// SOCKS clients in front of an origin, of a parent proxy, and of parents that refuse (FIELD-CASES O-51, O-49).
const [open, login, only, five, secure, parent, dead, viaParent, viaDead, viaRefusal] = (await freePorts(10)) as number[] as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
const users = join(temporaryFolder("users"), "users")
expect((await run("htpasswd", "-bcB", "-C", "5", users, "ann", "annsecret")).code).toBe(0)
const site = new Authority().issue(["localhost"])
const origin = await recorder()
const dns = await DnsServer.start()
dns.say("site.test", { a: ["127.0.0.1"] })
// A parent that takes every CONNECT, and one that takes none.
const taking = await scriptedServer(
  async connection => {
    await connection.head()
    connection.send("HTTP/1.1 200 OK\r\n\r\n")
    connection.send(`heard ${await connection.through("\n")}`)
  },
  { port: parent },
)
const refusing = await scriptedServer("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n")
const forward = { privateRanges: ["127.0.0.0/8", "::1"], connectPorts: [origin.port, 1, 443] }
const certificates = [{ cert: site.certFile, key: site.keyFile }]
const proxy = await startBothways({
  resolver: { servers: [dns.address] },
  listeners: {
    open: { bind: `127.0.0.1:${open}`, forward },
    login: { bind: `127.0.0.1:${login}`, forward: { ...forward, auth: { htpasswd: users } } },
    only: { bind: `127.0.0.1:${only}`, forward: { ...forward, socks: { only: true } } },
    five: { bind: `127.0.0.1:${five}`, forward: { ...forward, socks: { versions: [5] } } },
    secure: { bind: `127.0.0.1:${secure}`, forward, tls: { certificates } },
    parent: { bind: `127.0.0.1:${viaParent}`, forward },
    dead: { bind: `127.0.0.1:${viaDead}`, forward },
    refusal: { bind: `127.0.0.1:${viaRefusal}`, forward },
  },
  clusters: {
    taking: { peers: [taking.address] },
    dead: { peers: [`127.0.0.1:${dead}`] },
    refusing: { peers: [refusing.address] },
  },
  routes: [
    { match: { listener: "parent" }, to: { origin: { via: "taking" } } },
    { match: { listener: "dead" }, to: { origin: { via: "dead" } } },
    { match: { listener: "refusal" }, to: { origin: { via: "refusing" } } },
    { match: { host: "ads.test" }, to: { respond: { status: 403, body: "no ads" } } },
    { name: "out", to: { origin: {} } },
  ],
  observe: { accessLog: { format: "json", to: "stdout" } },
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [origin, taking, refusing]) await server[Symbol.asyncDispose]()
  await dns.stop()
})

const curl = (...args: string[]) => run("curl", "-sS", "-m", "5", ...args)

/** The next line of the log that `meant` is true for. */
const line = (meant: (line: Readonly<Record<string, unknown>>) => boolean) => until(() => proxy.log().findLast(meant))

/** Sends it all at once and takes what comes until the end. */
async function answer(port: number, octets: string): Promise<string> {
  using client = await rawClient(port)
  client.send(octets)
  return await client.toEnd()
}

describe("curl", () => {
  const ways = [
    ["--socks4", "socks4"],
    ["--socks4a", "socks4"],
    ["--socks5", "socks5"],
    ["--socks5-hostname", "socks5"],
  ] as const
  for (const [way, version] of ways)
    test(way, async () => {
      const { stdout, stderr } = await curl(way, `127.0.0.1:${open}`, `http://localhost:${origin.port}/${way}`)
      expect([stdout !== "", stderr]).toEqual([true, ""])
      // Who resolves by itself sends an address.
      const seen = way === "--socks4a" || way === "--socks5-hostname" ? "localhost" : "127.0.0.1"
      const { method, status, route, user } = await line(each => each["version"] === version && each["host"] === seen)
      expect([method, status, route, user]).toEqual(["CONNECT", 200, "out", undefined])
    })

  test("a port where nothing else is spoken, and one inside TLS", async () => {
    expect((await curl("--socks5-hostname", `127.0.0.1:${only}`, `http://site.test:${origin.port}/`)).code).toBe(0)
    using client = await rawClient(secure, { tls: {} })
    client.send(greeting(0) + request5("127.0.0.1", origin.port))
    expect((await client.bytes(12)).slice(0, 4)).toBe("\x05\0\x05\0")
    client.send(`GET / HTTP/1.1\r\nHost: ${origin.address}\r\n\r\n`)
    expect((await client.response()).status).toBe(200)
  })

  test("HTTP is spoken on the same port, and not where only SOCKS is", async () => {
    expect((await curl("-x", `http://127.0.0.1:${open}`, "-p", `http://127.0.0.1:${origin.port}/`)).code).toBe(0)
    expect(await answer(only, "GET / HTTP/1.1\r\n\r\n")).toEndWith("\r\n\r\nThis port speaks SOCKS, and not HTTP.\n")
    expect(await answer(only, "\x16\x03\x01")).toBe("")
    expect((await line(each => each["listener"] === "only" && each["fault"] !== undefined))["fault"]).toBe("client.socks-malformed")
  })

  test("a log-in: name and password, wrong ones, none, and SOCKS 4, which has none", async () => {
    const at = `127.0.0.1:${login}`
    const url = `http://127.0.0.1:${origin.port}/`
    expect((await curl("--socks5", at, "--proxy-user", "ann:annsecret", url)).code).toBe(0)
    expect((await line(each => each["listener"] === "login" && each["status"] === 200))["user"]).toBe("ann")
    expect((await curl("--socks5", at, "--proxy-user", "ann:wrong", url)).stderr).toContain("(2)")
    expect((await curl("--socks5", at, url)).code).not.toBe(0)
    expect((await curl("--socks4", at, url)).code).not.toBe(0)
    expect(await answer(login, greeting(0))).toBe("\x05\xff")
    expect(await answer(login, greeting(2) + password("ann:x", "y"))).toBe("\x05\x02\x01\x01")
    expect(await answer(login, request4("127.0.0.1", origin.port, { user: "ann" }))).toBe("\0\x5b\0\0\0\0\0\0")
    const said = await line(each => each["claimedUser"] === "ann")
    expect([said["user"], said["status"], said["fault"]]).toEqual([undefined, 407, "proxy.auth-required"])
    expect(JSON.stringify(proxy.log())).not.toMatch(/secret|d3Jvbmc/)
  })

  test("a password that nobody asked for", async () => {
    expect((await curl("--socks5", `127.0.0.1:${open}`, "--proxy-user", "x:y", `http://127.0.0.1:${origin.port}/`)).code).toBe(0)
    using client = await rawClient(open)
    client.send(greeting(2) + password("x", "y") + request5("127.0.0.1", origin.port))
    expect((await client.bytes(14)).slice(0, 6)).toBe("\x05\x02\x01\0\x05\0")
  })
})

describe("O-51: where names are resolved", () => {
  const asked = (name: string): number => dns.queries.filter(query => query.name.endsWith(name)).length

  test("a: a parent gets the name, and nobody is asked for it", async () => {
    for (const [i, octets] of [greeting(0) + request5("secret.test", 443), request4("secret.test", 443)].entries()) {
      using client = await rawClient(viaParent)
      client.send(`${octets}early\n`)
      expect((await client.bytes(i === 0 ? 12 : 8)).slice(0, 4)).toBe(i === 0 ? "\x05\0\x05\0" : "\0\x5a\0\0")
      expect(await client.through("\n")).toBe("heard early\n")
      client.reset()
      const head = (await taking.connection(i)).received
      expect(head).toStartWith("CONNECT secret.test:443 HTTP/1.1\r\nHost: secret.test:443\r\n")
      expect(head).toMatch(i === 0 ? /\r\nVia: SOCKS\/5 / : /\r\nVia: SOCKS\/4 /)
    }
    expect(asked("secret.test")).toBe(0)
  })

  test("c: addresses of both families, and IPv4 in the clothes of IPv6", async () => {
    for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      const octets = host.includes(".") && host.includes(":") ? request5("::ffff:7f00:1", 1) : request5(host, 1)
      expect(await answer(open, greeting(0) + octets)).toBe(`\x05\0${refused5(5)}`)
    }
    const lines = await until(() => {
      const all = proxy.log().filter(each => each["port"] === 1)
      return all.length === 3 ? all : undefined
    })
    expect(lines.map(each => each["host"])).toEqual(["127.0.0.1", "::1", "127.0.0.1"])
    expect(asked("1")).toBe(0)
  })

  test("d: what the client resolves comes as an address, what it does not is resolved here", async () => {
    const { stdout } = await curl("--socks5-hostname", `127.0.0.1:${open}`, `http://site.test:${origin.port}/`)
    expect(stdout).not.toBe("")
    expect(asked("site.test")).toBeGreaterThan(0)
  })

  test("e: a parent that is not there, or refuses, ends it: nothing goes out directly", async () => {
    const before = [dns.queries.length, origin.requests.length]
    expect(await answer(viaDead, greeting(0) + request5("site.test", origin.port))).toBe(`\x05\0${refused5(5)}`)
    expect(await answer(viaRefusal, greeting(0) + request5("site.test", origin.port))).toBe(`\x05\0${refused5(2)}`)
    expect(await answer(viaRefusal, request4("127.0.0.1", origin.port))).toBe("\0\x5b\0\0\0\0\0\0")
    expect([dns.queries.length, origin.requests.length]).toEqual(before as [number, number])
  })

  test("f: BIND is not offered", async () => {
    expect(await answer(open, greeting(0) + request5("127.0.0.1", origin.port, 2))).toBe(`\x05\0${refused5(7)}`)
    expect(await answer(open, request4("127.0.0.1", origin.port, { command: 2 }))).toBe("\0\x5b\0\0\0\0\0\0")
  })

  test("g: names of 255 octets, and of none", async () => {
    expect(await answer(open, greeting(0) + request5("a".repeat(255), 443))).toBe(`\x05\0${refused5(1)}`)
    expect(await answer(open, greeting(0) + request5("", 443))).toBe(`\x05\0${refused5(1)}`)
    expect(await answer(open, request4("", 443))).toBe("\0\x5b\0\0\0\0\0\0")
    expect(await answer(viaParent, greeting(0) + request5(`${"a.".repeat(127)}a`, 443))).toBe(`\x05\0${refused5(1)}`)
  })
})

describe("O-49 and the rest of the rules hold as for CONNECT", () => {
  const rows: readonly [string, number, number, string][] = [
    ["127.0.0.1", 25, 2, "proxy.port-forbidden"],
    ["10.0.0.1", 443, 2, "proxy.address-forbidden"],
    ["0.0.0.0", 443, 2, "proxy.address-forbidden"],
    ["127.0.0.1", open, 2, "proxy.loop"],
    ["127.1", 443, 1, "client.bad-host"],
    ["127.0.0.1", 0, 1, "client.bad-host"],
    ["a:80", 443, 1, "client.bad-host"],
    ["u@a.test", 443, 1, "client.bad-host"],
    ["nobody.test", 443, 4, "upstream.resolve-failed"],
    ["127.0.0.1", 1, 5, "upstream.connect-refused"],
  ]
  test("ports, ranges, our own, spellings, and what cannot be reached", async () => {
    const replies: [string, number, string][] = []
    for (const [host, port] of rows) replies.push([host, port, await answer(open, greeting(0) + request5(host, port))])
    expect(replies).toEqual(rows.map(([host, port, code]) => [host, port, `\x05\0${refused5(code)}`]))
    for (const [host, port, , fault] of rows) expect((await line(each => each["target"] === `${host}:${port}`))["fault"]).toBe(fault)
  })

  test("a page in place of a tunnel", async () => {
    expect(await answer(open, greeting(0) + request5("ads.test", 443))).toBe(`\x05\0${refused5(2)}`)
  })

  test("a version that is not taken", async () => {
    expect(await answer(five, request4("127.0.0.1", origin.port))).toContain("HTTP/1.1 400")
  })
})
