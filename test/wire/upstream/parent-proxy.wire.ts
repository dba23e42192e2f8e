import { afterAll, describe, expect, test } from "bun:test"
import { chmodSync, existsSync, readFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { startSquid } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"

// curl -> Bothways, which wants ann's password -> a parent, which wants bob's -> the origin.
const authority = new Authority()
const site = authority.issue(["localhost"])
const folder = temporaryFolder("parents")
chmodSync(folder, 0o777) // Squid writes and reads there as a user of its own
const own = join(folder, "own")
const theirs = join(folder, "theirs")
expect((await run("htpasswd", "-bcB", "-C", "5", own, "ann", "annsecret")).code).toBe(0)
expect((await run("htpasswd", "-bcB", "-C", "5", theirs, "bob", "bobsecret")).code).toBe(0)
// Squid's helper knows MD5 and not bcrypt.
const squidUsers = join(folder, "squid")
expect((await run("htpasswd", "-bcm", squidUsers, "bob", "bobsecret")).code).toBe(0)

const plain = await recorder()
const secure = createServer({ cert: site.cert, key: site.key }, (request, response) =>
  response.end(`secure ${request.url} ${request.headers["proxy-authorization"] ?? "none"}`),
)
await new Promise<void>(resolve => secure.listen(0, "127.0.0.1", () => resolve()))
const secureAt = (secure.address() as AddressInfo).port
const [squidAt, parentAt, parentTlsAt, dead, viaSquid, viaParent, viaTls, viaDead, viaWrong] = (await freePorts(9)) as [
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
const squidLog = join(folder, "squid.log")
const squid = await startSquid(
  squidAt,
  `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${squidUsers}
acl known proxy_auth REQUIRED
http_access deny !known
logformat seen %un %rm %ru %{Proxy-Authorization}>h %{X-Forwarded-For}>h %{Via}>h
access_log stdio:${squidLog} seen`,
)
const forward = { privateRanges: "allow", connectPorts: [secureAt], ports: [plain.port] }
const parent = await startBothways({
  listeners: {
    plain: { bind: `127.0.0.1:${parentAt}`, forward: { ...forward, auth: { htpasswd: theirs } } },
    secure: {
      bind: `127.0.0.1:${parentTlsAt}`,
      forward: { ...forward, auth: { htpasswd: theirs } },
      tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] },
    },
  },
  routes: [{ match: {}, to: { origin: {} } }],
})
const dns = await DnsServer.start()
const listeners: Record<string, { port: number; cluster: string; login: string }> = {
  squid: { port: viaSquid, cluster: "squid", login: "bob:bobsecret" },
  parent: { port: viaParent, cluster: "parent", login: "bob:bobsecret" },
  tls: { port: viaTls, cluster: "tls", login: "bob:bobsecret" },
  dead: { port: viaDead, cluster: "dead", login: "bob:bobsecret" },
  wrong: { port: viaWrong, cluster: "parent", login: "bob:wrong" },
}
const proxy: Bothways = await startBothways({
  resolver: { servers: [dns.address] },
  listeners: Object.fromEntries(
    Object.entries(listeners).map(([name, { port }]) => [name, { bind: `127.0.0.1:${port}`, forward: { ...forward, auth: { htpasswd: own } } }]),
  ),
  clusters: {
    squid: { peers: [`127.0.0.1:${squidAt}`] },
    parent: { peers: [`127.0.0.1:${parentAt}`] },
    tls: { peers: [`127.0.0.1:${parentTlsAt}`], tls: { serverName: "localhost", ca: authority.ca.certFile } },
    dead: { peers: [`127.0.0.1:${dead}`] },
  },
  routes: Object.entries(listeners).map(([listener, { cluster, login }]) => ({
    name: listener,
    match: { listener },
    filters: [{ headers: { request: { set: { "Proxy-Authorization": `Basic ${Buffer.from(login).toString("base64")}` } } } }],
    to: { origin: { via: cluster } },
  })),
})
afterAll(async () => {
  await proxy.stop()
  await parent.stop()
  await squid.stop()
  await plain[Symbol.asyncDispose]()
  secure.closeAllConnections()
  secure.close()
  dns.stop()
})

const curl = (via: number, ...words: string[]) =>
  run("curl", "-sS", "--cacert", authority.ca.certFile, "-x", `http://127.0.0.1:${via}`, "--proxy-user", "ann:annsecret", ...words)
const status = async (via: number, url: string): Promise<string> =>
  (await curl(via, "-o", "/dev/null", "-w", "%{http_connect} %{http_code}", url)).stdout

for (const [name, via] of Object.entries({ "a real Squid": viaSquid, "a second Bothways": viaParent, "a second Bothways over TLS": viaTls })) {
  describe(`through ${name}`, () => {
    test("absolute-form: the origin gets the request and no credentials", async () => {
      expect((await curl(via, `http://localhost:${plain.port}/a?b`)).stdout).toBe("ok")
      const { start, head, fields } = plain.requests.pop()!
      expect([start, fields.host]).toEqual(["GET /a?b HTTP/1.1", `localhost:${plain.port}`])
      expect(head).not.toMatch(/authorization|secret|Ym9i|YW5u/i)
    })
    test("a body, and a second request on the same connection", async () => {
      const { stdout } = await curl(
        via,
        "-d",
        "body",
        `http://localhost:${plain.port}/one`,
        "--next",
        "-sS",
        "-x",
        `http://127.0.0.1:${via}`,
        "--proxy-user",
        "ann:annsecret",
        `http://localhost:${plain.port}/two`,
      )
      expect(stdout).toBe("okok")
      expect(plain.requests.splice(0).map(({ start, body }) => [start, body])).toEqual([
        ["POST /one HTTP/1.1", "body"],
        ["GET /two HTTP/1.1", ""],
      ])
    })
    test("CONNECT: the origin is reached with its own certificate, and sees nothing of us", async () => {
      expect((await curl(via, `https://localhost:${secureAt}/t`)).stdout).toBe("secure /t none")
    })
  })
}

test("each proxy knows its own user, and none the other's password", async () => {
  const squidLines = (): string[] => (existsSync(squidLog) ? readFileSync(squidLog, "utf8").split("\n") : [])
  await until(() => squidLines().filter(line => line.startsWith("bob ")).length >= 3)
  await until(() => parent.log().filter(line => line.user === "bob").length >= 4)
  await until(() => proxy.log().filter(line => line.user === "ann" && line.peer === `127.0.0.1:${squidAt}`).length >= 3)
  const ann = Buffer.from("ann:annsecret").toString("base64")
  expect(squidLines().join("\n")).not.toContain(ann)
  expect(parent.program.lines.join("\n") + proxy.program.lines.join("\n") + parent.program.stderr + proxy.program.stderr).not.toMatch(
    /secret|Basic |YW5u|Ym9i/,
  )
  expect([...parent.log(), ...proxy.log()].filter(line => line.user !== "ann" && line.user !== "bob" && line.status !== 407)).toEqual([])
})

test("names are the parent's to resolve", async () => {
  expect(dns.queries).toEqual([])
})

test("a parent that is not there: 502, and nobody goes there directly", async () => {
  const before = plain.server.connections.length
  expect(await status(viaDead, `http://localhost:${plain.port}/`)).toBe("000 502")
  expect(await status(viaDead, `https://localhost:${secureAt}/`)).toBe("502 000")
  expect(plain.server.connections.length).toBe(before)
  expect(dns.queries).toEqual([])
})

test("a parent that does not take our credentials is our trouble, not the client's: 502 and no challenge", async () => {
  for (const [url, expected] of [
    [`http://localhost:${plain.port}/`, "000 502"],
    [`https://localhost:${secureAt}/`, "502 000"],
  ] as const)
    expect(await status(viaWrong, url)).toBe(expected)
  expect(plain.requests).toEqual([])
  await until(() => proxy.log().filter(line => line.route === "wrong" && line.status === 502).length === 2)
})

test("what the parent refuses is refused", async () => {
  expect(await status(viaParent, `http://localhost:${plain.port + 1}/`)).toBe("000 403")
  expect(await status(viaParent, `https://localhost:${secureAt + 1}/`)).toBe("403 000")
})
