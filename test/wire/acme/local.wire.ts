import { expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { connect } from "node:tls"
import { join } from "node:path"
import { selfSigned } from "../../../src/net/x509/authority.ts"
import { AcmeServer } from "../../support/acme-server.ts"
import { run } from "../../support/run.ts"
import { until } from "../../support/wait.ts"
import { certificates, Site } from "./acme.fixture.ts"

test("the local authority: curl believes it for every name and for loopback addresses, at the first request and behind a restart", async () => {
  const site = await Site.make()
  const names = ["shop.test", "localhost", "127.0.0.1", "*.dev.test"]
  const listen = { tls: { auto: { names } } }
  const ca = join(site.directory, "authority", "ca.pem")
  const get = async (host: string): Promise<string> => {
    const resolve = /^[\d.]+$/.test(host) ? [] : ["--resolve", `${host}:${site.https}:127.0.0.1`]
    const { stdout, stderr } = await run("curl", "-sS", "--noproxy", "*", "--cacert", ca, ...resolve, `https://${host}:${site.https}/`)
    return stdout + stderr
  }
  const serials: string[] = []
  for (let start = 0; start < 2; start++) {
    await using proxy = await site.start([], { issuers: ["local"] }, listen)
    for (const host of ["shop.test", "localhost", "127.0.0.1", "a.dev.test"]) expect([host, await get(host)]).toEqual([host, "served"])
    expect(await get("x.a.dev.test")).toContain("no alternative certificate subject name matches")
    serials.push((await site.shown("shop.test")).serialNumber)
    expect((await certificates(proxy)).map(one => [one.name, one.issuer, one.state])).toContainEqual(["*.dev.test", "local", "valid"])
  }
  expect(serials[0]).toBe(serials[1]!)
}, 20_000)

test("no client is refused while a listener begins to look at what clients say first, and leaves it", async () => {
  const site = await Site.make()
  await using proxy = await site.start(["a.test"], { issuers: ["local"] }, {}, { workers: 2 })
  const { serialNumber } = await site.shown("a.test")
  const folder = join(site.directory, "challenges", "tls-alpn-01")
  const proof = selfSigned(["b.test"], 86_400_000)
  const asks = (): Promise<Response> => proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
  let going = true
  const seen = new Set<string>()
  const clients = Array.from({ length: 4 }, async () => {
    while (going) seen.add((await site.shown("a.test")).serialNumber)
  })
  for (let turn = 0; turn < 3; turn++) {
    writeFileSync(join(folder, "b.test.pem"), proof.key + proof.cert)
    await asks()
    await until(async () => (await proven(site, "b.test")) === "acme-tls/1")
    rmSync(join(folder, "b.test.pem"))
    await asks()
  }
  going = false
  await Promise.all(clients)
  expect([...seen]).toEqual([serialNumber])
}, 20_000)

test("names that no public authority signs get theirs from the local one; a reload adds names and keeps what is there; another issuer makes it anew", async () => {
  const site = await Site.make()
  using server = await AcmeServer.start()
  await using proxy = await site.start(["a.test"], {})
  expect((await certificates(proxy)).map(one => [one.name, one.issuer])).toEqual([["a.test", "local"]])
  const { serialNumber } = await site.shown("a.test")
  const reload = async (hosts: string[], acme: object): Promise<void> => {
    proxy.rewrite({ ...site.config(hosts, acme), admin: { bind: proxy.admin.slice("http://".length) }, workers: 1 })
    expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
  }
  await reload(["a.test", "b.test"], {})
  expect(await site.shown("b.test")).toMatchObject({ subjectaltname: "DNS:b.test" })
  expect((await site.shown("a.test")).serialNumber).toBe(serialNumber)
  await reload(["a.test", "b.test"], { issuers: [server.directory] })
  await until(async () => (await site.shown("b.test", server.root)).authorized, 5000, "the certificate of the other issuer")
}, 20_000)

/** What a validating authority agrees on with whoever shows the proof. */
function proven(site: Site, servername: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket = connect({ host: "127.0.0.1", port: site.https, servername, ALPNProtocols: ["acme-tls/1"], rejectUnauthorized: false })
  socket.once("secureConnect", () => resolve(String(socket.alpnProtocol)))
  socket.once("error", error => resolve(error.message))
  return promise.finally(() => socket.destroy())
}
