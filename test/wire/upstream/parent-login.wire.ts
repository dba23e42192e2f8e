import { afterAll, expect, test } from "bun:test"
import { chmodSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { startSquid } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// Parents that want a log-in, which the cluster has: Squid, and this product over HTTP/1.1 and HTTP/2 (O-13).
const authority = new Authority()
const site = authority.issue(["localhost"])
const folder = temporaryFolder("logins")
chmodSync(folder, 0o777) // Squid reads there as a user of its own
const users = join(folder, "users")
const squidUsers = join(folder, "squid")
for (const words of [
  ["-bcB", "-C", "4", users, "bob", "bob secret"],
  ["-bcm", squidUsers, "bob", "bob secret"],
])
  expect((await run("htpasswd", ...words)).code).toBe(0)
writeFileSync(join(folder, "password"), "bob secret\nnot this\n")

const plain = await recorder()
const secure = createServer({ cert: site.cert, key: site.key }, (request, response) =>
  response.end(`secure ${request.headers["proxy-authorization"] ?? "none"}`),
)
await new Promise<void>(resolve => secure.listen(0, "127.0.0.1", () => resolve()))
const secureAt = (secure.address() as AddressInfo).port
/** A parent that shows what it was sent: it answers itself, and takes a tunnel as its end. */
const shown: string[] = []
const showing = await scriptedServer(async connection => {
  while (true) {
    const { head, start } = await connection.request(3_600_000)
    shown.push(head)
    if (start.startsWith("CONNECT")) {
      connection.send("HTTP/1.1 200 OK\r\n\r\n")
      shown.push(await connection.bytes(5))
      connection.fin()
      return
    }
    connection.send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nProxy-Authenticate: Basic realm=theirs\r\n\r\nbad")
  }
})
const [squidAt, parentAt, tlsAt, dead, ...ports] = (await freePorts(11)) as [number, number, number, number, ...number[]]
const squidStarts = startSquid(
  squidAt,
  `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${squidUsers}\nacl known proxy_auth REQUIRED\nhttp_access deny !known`,
)
const forward = { privateRanges: "allow", connectPorts: [secureAt], ports: [plain.port, secureAt] }
const auth = { htpasswd: users }
const tls = { certificates: [{ cert: site.certFile, key: site.keyFile }] }
const parentStarts = startBothways({
  listeners: {
    plain: { bind: `127.0.0.1:${parentAt}`, forward: { ...forward, auth } },
    secure: { bind: `127.0.0.1:${tlsAt}`, forward: { ...forward, auth }, tls },
  },
  routes: [{ to: { origin: {} } }],
})
const login = { user: "bob", passwordFile: join(folder, "password") }
const clusters = {
  squid: { peers: [`127.0.0.1:${squidAt}`], parent: login },
  plain: { peers: [`127.0.0.1:${parentAt}`], parent: { user: "bob", password: "bob secret" } },
  http2: {
    peers: [`localhost:${tlsAt}`],
    parent: { kind: "https", ...login },
    tls: { ca: authority.ca.certFile, serverName: "localhost" },
    protocol: "http2",
  },
  second: { peers: [`127.0.0.1:${dead}`, { address: `127.0.0.1:${parentAt}`, backup: true }], parent: login, health: { passive: "off" } },
  wrong: { peers: [`127.0.0.1:${parentAt}`], parent: { user: "bob", password: "wrong" } },
  token: { peers: [showing.address], parent: { token: "bearer-secret" } },
}
const portOf = Object.fromEntries(Object.keys(clusters).map((name, i) => [name, ports[i]!]))
const proxyStarts = startBothways({
  listeners: Object.fromEntries(Object.entries(portOf).map(([name, port]) => [name, { bind: `127.0.0.1:${port}`, forward }])),
  clusters,
  routes: Object.keys(clusters).map(name => ({
    name,
    match: { listener: name },
    to: { origin: { via: name, upgrade: { ca: authority.ca.certFile, http: "http1" } } },
  })),
})
const [squid, parent, proxy] = await Promise.all([squidStarts, parentStarts, proxyStarts])
afterAll(async () => {
  await Promise.all([proxy.stop(), parent.stop(), squid.stop(), showing.close(), plain[Symbol.asyncDispose]()])
  secure.closeAllConnections()
  secure.close()
})

const curl = (via: string, ...words: string[]) =>
  run("curl", "-sS", "--cacert", authority.ca.certFile, "-x", `http://127.0.0.1:${portOf[via]}`, "-w", " %{http_connect} %{http_code}", ...words)

test.each(["squid", "plain", "http2", "second"])("through %s: both kinds of requests, and the origin learns no word of the log-in", async name => {
  const twice = [`http://localhost:${plain.port}/a`, `http://localhost:${plain.port}/b`]
  expect((await curl(name, ...twice)).stdout).toBe("ok 000 200ok 000 200")
  expect(plain.requests.splice(0).map(({ start, head }) => [start, /authorization|Basic /i.test(head)])).toEqual([
    ["GET /a HTTP/1.1", false],
    ["GET /b HTTP/1.1", false],
  ])
  expect((await curl(name, `https://localhost:${secureAt}/`)).stdout).toBe("secure none 200 200")
})

test("O-13: what tells of the client, or of a proxy before, does not come to the origin", async () => {
  const told = [
    "Proxy-Authorization: Basic dTpw",
    "Proxy-Connection: keep-alive",
    "X-Forwarded-For: 10.9.8.7",
    "Forwarded: for=10.9.8.7",
    "Via: 1.1 laptop",
  ]
  await curl("plain", ...told.flatMap(line => ["-H", line]), `http://localhost:${plain.port}/told`)
  const { head } = plain.requests.pop()!
  expect(head).toStartWith("GET /told ")
  expect(head).not.toMatch(/proxy-|forwarded|laptop|10\.9\.8\.7|authorization/i)
})

test.each(["squid", "plain", "http2"])("https asked for in the clear, through the tunnel of %s", async name => {
  using client = await rawClient(portOf[name]!)
  client.send(`GET https://localhost:${secureAt}/ HTTP/1.1\r\nHost: localhost\r\nProxy-Authorization: Basic Y2xpZW50\r\n\r\n`)
  expect(await client.response()).toMatchObject({ status: 200, body: "secure none" })
})

test("a wrong password is ours: 502, and no challenge for the client", async () => {
  const { stdout } = await curl("wrong", "-i", `http://localhost:${plain.port}/`)
  expect(stdout).toEndWith("000 502")
  expect(stdout).not.toMatch(/proxy-authenticate/i)
  expect((await curl("wrong", `https://localhost:${secureAt}/`)).stdout).toContain("502 000")
})

test("a bearer token, in place of what the client and a filter say; for https on CONNECT alone", async () => {
  const own = ["--proxy-header", "Proxy-Authorization: Basic Y2xpZW50"]
  await curl("token", "-H", "Proxy-Authorization: Basic Y2xpZW50", `http://localhost:${plain.port}/`)
  await curl("token", ...own, `https://localhost:${secureAt}/`)
  const [absolute, connect, inside] = shown
  for (const head of [absolute, connect]) expect(head!.match(/proxy-authorization:[^\r]*/gi)).toEqual(["Proxy-Authorization: Bearer bearer-secret"])
  // What goes through is the client's TLS.
  expect(inside!.charCodeAt(0)).toBe(22)
})

test("no secret is in log, status or explain", async () => {
  const texts = await Promise.all(["/status", "/metrics", "/config"].map(async path => (await proxy.ask(path)).text()))
  const explained = await run(
    process.execPath,
    "src/main.ts",
    "explain",
    proxy.configFile,
    "GET",
    `http://a.test:${plain.port}/`,
    "--listener",
    "plain",
  )
  expect(explained.stdout).toContain(`127.0.0.1:${parentAt}`)
  const all = [...texts, explained.stdout, explained.stderr, proxy.program.lines.join("\n"), proxy.program.stderr, JSON.stringify(proxy.log())]
  expect(all.join("\n")).not.toMatch(/secret|Ym9iOmJvYiBzZWNyZXQ|Bearer/)
})
