import { afterAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { openByHttp1, openByHttp2, openByHttp3, payload, type TunnelClient, targetPath, udpServer } from "../../support/connect-udp.ts"
import { secureListener } from "../../support/h3/secure-config.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// What CONNECT-UDP (RFC 9298) is refused for, and with which status.
const [usual, closed, secure, guarded, reverse] = (await freePorts(5)) as [number, number, number, number, number]
const echo = await udpServer()
const site = await recorder()
const users = join(temporaryFolder("users"), "htpasswd")
writeFileSync(users, `u:{SHA}${createHash("sha1").update("p").digest("base64")}\n`)
const open = { privateRanges: "allow", udpPorts: [echo.port, usual, secure] }
const proxies = ["usual", "closed", "secure", "guarded"]
const udp = { upgrade: ["websocket", "connect-udp"] }
const proxy = await startBothways({
  listeners: {
    usual: { bind: `127.0.0.1:${usual}`, forward: open },
    closed: { bind: `127.0.0.1:${closed}`, forward: { udpPorts: ["1024-65535"] } },
    secure: { bind: `127.0.0.1:${secure}`, ...secureListener(), forward: open },
    guarded: { bind: `127.0.0.1:${guarded}`, forward: { ...open, auth: { htpasswd: users } } },
    web: { bind: `127.0.0.1:${reverse}` },
  },
  clusters: { site: { peers: [site.address] } },
  routes: [
    { match: { listener: "web" }, to: { cluster: "site" }, ...udp },
    { match: { listener: proxies, host: "closed.test" }, to: { respond: { status: 451 } }, ...udp },
    { match: { listener: proxies, host: "fine.test" }, to: { respond: { status: 200 } }, ...udp },
    { match: { listener: proxies, host: "cluster.test" }, to: { cluster: "site" }, ...udp },
    { match: { listener: proxies, host: "parent.test" }, to: { origin: { via: "site" } }, ...udp },
    { match: { listener: proxies, host: "plain.test" }, to: { origin: {} } },
    { match: { listener: proxies, host: "tls.test" }, to: { origin: { upgrade: { tls: true } } }, ...udp },
    { match: { listener: proxies }, to: { origin: {} }, ...udp },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await echo[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

const ways: [string, (path: string) => Promise<TunnelClient>][] = [
  ["HTTP/1.1", path => openByHttp1(usual, path)],
  ["HTTP/2", path => openByHttp2(usual, path)],
  ["HTTP/3", path => openByHttp3(secure, path)],
]

describe.each(ways)("%s", (name, tunnel) => {
  test.each([
    ["", 400],
    [targetPath("127.0.0.1", ""), 400],
    [targetPath("", echo.port), 400],
    [targetPath("127.0.0.1", 0), 400],
    [targetPath("127.0.0.1", 65_536), 400],
    [targetPath("127.0.0.1", `0${echo.port}`), 400],
    [targetPath("127.0.0.1", "x"), 400],
    [targetPath("127.0.0.1", echo.port).slice(0, -1), 400],
    [`${targetPath("127.0.0.1", echo.port)}more`, 400],
    [`${targetPath("127.0.0.1", echo.port)}?q`, 400],
    [targetPath("[::1]", echo.port), 400],
    [targetPath("fe80::1%eth0", echo.port), 400],
    [targetPath("127.1", echo.port), 400],
    [targetPath("0x7f000001", echo.port), 400],
    [targetPath("a b", echo.port), 400],
    [targetPath("a.test:80", echo.port), 400],
    [targetPath("a/b", echo.port), 400],
    [targetPath("bücher.test", echo.port), 400],
    [`/.well-known/masque/udp/a%zz/${echo.port}/`, 400],
    [`/elsewhere/127.0.0.1/${echo.port}/`, 400],
  ])("%s is no target", async (path, status) => {
    using client = await tunnel(path === "" ? "/" : path)
    expect([client.status, client.fields["capsule-protocol"]]).toEqual([status, undefined])
  })

  test.each([
    ["a port that is not in udpPorts", targetPath("127.0.0.1", 53), 403, "proxy.port-forbidden"],
    ["one of our own ports", targetPath("127.0.0.1", usual), 508, "proxy.loop"],
    ["a route that does not let it through", targetPath("plain.test", echo.port), 403, "proxy.forbidden"],
    ["a route to a cluster", targetPath("cluster.test", echo.port), 403, "proxy.forbidden"],
    ["a route to parents", targetPath("parent.test", echo.port), 403, "proxy.forbidden"],
    ["a route that answers by itself", targetPath("closed.test", echo.port), 451, undefined],
    ["a route whose own answer could be taken for a tunnel", targetPath("fine.test", echo.port), 403, "proxy.forbidden"],
    ["another spelling of that host", targetPath("CLOSED.test.", echo.port), 451, undefined],
    ["a name that does not exist", targetPath("nobody.invalid", echo.port), 502, "upstream.resolve-failed"],
    ["an address that nobody may send to", targetPath("255.255.255.255", echo.port), 502, "upstream.connect-failed"],
  ])("%s", async (_what, path, status, fault) => {
    using client = await tunnel(path)
    expect(client.status).toBe(status)
    const line = await until(() => proxy.log().find(each => each.target === path && each.version === name.slice(5).padEnd(3, ".0")))
    expect([line.fault, line.status]).toEqual([fault, status])
    expect(line.host).toBe(path.split("/")[4]!.toLowerCase().replace(/\.$/, ""))
  })
})

test("private addresses, as they are and as what a name resolves to", async () => {
  for (const host of ["127.0.0.1", "localhost", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]) {
    using client = await openByHttp1(closed, targetPath(host, echo.port))
    expect([host, client.status]).toEqual([host, 403])
  }
  expect(echo.count).toBe(0)
})

test("who does not say who it is learns nothing, not even that its target is none", async () => {
  using unknown = await openByHttp1(guarded, "/.well-known/masque/udp/x/0/")
  expect(unknown.status).toBe(407)
  using known = await openByHttp1(guarded, targetPath("127.0.0.1", echo.port), "Proxy-Authorization: Basic dTpw\r\n")
  known.send("hello")
  expect(await payload(known)).toBe("hello")
})

test("a route that reaches origins of http URLs over TLS leaves the port of a tunnel as it is", async () => {
  using client = await openByHttp1(usual, targetPath("tls.test", 80))
  expect(client.status).toBe(403)
  const line = await until(() => proxy.log().find(each => each.host === "tls.test"))
  // The port is said where it is not the scheme's.
  expect([line.port, line.scheme]).toEqual([undefined, "http"])
})

test("absolute-form, and a protocol among others", async () => {
  using client = await rawClient(usual)
  const path = targetPath("127.0.0.1", echo.port)
  client.send(`GET http://proxy.test${path} HTTP/1.1\r\nHost: proxy.test\r\nConnection: Upgrade\r\nUpgrade: websocket, Connect-UDP\r\n\r\n`)
  const head = await client.head()
  expect(head).toStartWith("HTTP/1.1 101 ")
  expect(head).toMatch(/\r\nUpgrade: connect-udp\r\n/)
})

test("another method, or a body, asks for no tunnel", async () => {
  using client = await rawClient(usual)
  const path = targetPath("127.0.0.1", echo.port)
  client.send(`HEAD ${path} HTTP/1.1\r\nHost: proxy.test\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n`)
  expect((await client.response("HEAD")).status).toBe(400)
  using other = await rawClient(usual)
  other.send(`GET ${path} HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 1\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\nx`)
  expect((await other.response()).status).toBe(400)
})

test("a listener that is no forward proxy hands the request to its route, where nobody agrees to it", async () => {
  const before = echo.count
  using client = await openByHttp1(reverse, targetPath("127.0.0.1", echo.port))
  expect(client.status).toBe(200)
  using two = await openByHttp2(reverse, targetPath("127.0.0.1", echo.port))
  expect(two.status).toBe(501)
  client.send("x")
  two.send("x")
  expect(echo.count).toBe(before)
})
