import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, type RawClientOptions, rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

// One setting for client certificates holds for a whole listener, so no name of it has another handshake than its neighbours: a name that needs a
// certificate says so on its route, by Host, whatever the connection was opened for. 421 is for that name alone; all others are served in every spelling.
const authority = new Authority()
const site = authority.issue(["a.test", "b.test", "c.test"])
const [alice, bob] = [authority.issue(["alice"]), authority.issue(["bob"])]
const [secure, strict] = (await freePorts(2)) as [number, number]
const upstream = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
const tls = (mode: string) => ({
  certificates: [{ cert: site.certFile, key: site.keyFile }],
  clientCertificates: { mode, ca: authority.ca.certFile },
})
const { stdout } = Bun.spawnSync(["openssl", "x509", "-in", alice.certFile, "-noout", "-fingerprint", "-sha256"])
const print = stdout.toString().trim().split("=")[1]!
const proxy = await startBothways({
  listeners: { secure: { bind: `127.0.0.1:${secure}`, tls: tls("optional") }, strict: { bind: `127.0.0.1:${strict}`, tls: tls("required") } },
  clusters: { a: { peers: [upstream.address] } },
  routes: [
    { name: "vault", match: { listener: "strict", host: "vault.test" }, to: { cluster: "a" } },
    { name: "a", match: { host: "a.test" }, filters: ["require-certificate"], to: { cluster: "a" } },
    {
      name: "alice",
      match: { host: "c.test", path: "/alice" },
      filters: [{ "require-certificate": { fingerprints: [print] } }],
      to: { cluster: "a" },
    },
    { name: "site", match: { host: ["b.test", "c.test"] }, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream[Symbol.asyncDispose]()
})

type Tls = NonNullable<RawClientOptions["tls"]>
const open = (tls: Tls = {}, port = secure): Promise<RawClient> => rawClient(port, { tls: { servername: "b.test", ...tls } })

async function status(client: RawClient, host: string, target = "/"): Promise<number> {
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const { status, body } = await client.response()
  expect(body.includes("secret")).toBe(status === 200)
  return status
}

describe("O-38: 421 when needed, and only then (h1)", () => {
  test("one connection for b.test without a certificate serves b and c in every spelling", async () => {
    using client = await open()
    for (const host of ["b.test", "c.test", "c.test:8443", "C.TEST", "c.test.", `b.test:${secure}`])
      expect([host, await status(client, host)]).toEqual([host, 200])
    client.send("GET https://c.test/ HTTP/1.1\r\nHost: c.test\r\n\r\n")
    expect((await client.response()).status).toBe(200)
  })
  test("a.test on it: 421 without content, in every spelling, and the connection ends", async () => {
    const before = upstream.requests.length
    for (const host of ["a.test", "A.Test:443", "a.test."]) {
      using client = await open()
      expect(await status(client, "b.test")).toBe(200)
      expect([host, await status(client, host)]).toEqual([host, 421])
      expect(await client.ended()).toBe("fin")
    }
    for (const head of ["GET https://a.test/ HTTP/1.1\r\nHost: b.test", "GET / HTTP/1.0\r\nHost: a.test"]) {
      using client = await open()
      client.send(`${head}\r\n\r\n`)
      expect((await client.response()).status).toBe(421)
    }
    expect(upstream.requests.length).toBe(before + 3)
    await until(() => proxy.log().some(line => line.fault === "client.certificate-required" && line.route === "a" && line.status === 421))
  })
  test("a name that nobody serves: 404, and the connection goes on", async () => {
    using client = await open()
    expect([await status(client, "d.test"), await status(client, "b.test")]).toEqual([404, 200])
  })
  test("without a name in the handshake the same holds", async () => {
    using client = await open({ servername: "" })
    expect([await status(client, "b.test"), await status(client, "c.test"), await status(client, "a.test")]).toEqual([200, 200, 421])
  })
  test("with a certificate every name is served, whichever the connection was opened for", async () => {
    using client = await open({ cert: alice.cert, key: alice.key })
    for (const host of ["a.test", "b.test", "c.test", "a.test"]) expect([host, await status(client, host)]).toEqual([host, 200])
  })
  test("what a route grants to some certificates alone is 403 for the others", async () => {
    using one = await open({ cert: alice.cert, key: alice.key })
    using other = await open({ cert: bob.cert, key: bob.key })
    using none = await open()
    expect([await status(one, "c.test", "/alice"), await status(other, "c.test", "/alice"), await status(none, "c.test", "/alice")]).toEqual([
      200, 403, 421,
    ])
  })
  test("a route of a stricter listener cannot be had at another one by its Host", async () => {
    using client = await open({ cert: alice.cert, key: alice.key, servername: "vault.test" })
    expect(await status(client, "vault.test")).toBe(404)
    using strictly = await open({ cert: alice.cert, key: alice.key, servername: "vault.test" }, strict)
    expect(await status(strictly, "vault.test")).toBe(200)
  })
})
