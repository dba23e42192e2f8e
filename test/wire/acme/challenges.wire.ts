import { expect, test } from "bun:test"
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { deadDirectory, Pebble } from "../../support/pebble.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { Site, untilValid } from "./acme.fixture.ts"

test("HTTP-01: tls: auto serves at once, gets its certificate over the plain listener, and a restart orders nothing", async () => {
  const site = await Site.make()
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https })
  const acme = { issuers: [pebble.issuer], challenges: ["http-01"] }
  await using first = await site.start(["a.test", "b.test"], acme)
  expect((await site.shown("a.test")).subject.CN).toMatch(/^(Bothways temporary certificate|a\.test)$/)
  const all = await untilValid(first)
  expect(all.map(one => [one.name, one.issuer])).toEqual([
    ["a.test", new URL(pebble.directory).host],
    ["b.test", new URL(pebble.directory).host],
  ])
  const root = await pebble.root()
  for (const name of ["a.test", "b.test"]) expect(await site.shown(name, root)).toMatchObject({ authorized: true, subjectaltname: `DNS:${name}` })
  expect([site.mode("a.test"), pebble.orders]).toEqual(["600", 2])
  expect(readdirSync(join(site.directory, "challenges", "http-01"))).toEqual([])
  // A token of somebody else's is the route's business; a proof goes before every route, and nowhere else than for plain listeners.
  writeFileSync(join(site.directory, "challenges", "http-01", "our_token"), "our_token.proof")
  const asked = async (base: string, token: string, host: string): Promise<string> => {
    const headers = { Host: host }
    const answer = await fetch(`${base}/.well-known/acme-challenge/${token}`, { headers, tls: { rejectUnauthorized: false } })
    return `${answer.status} ${(await answer.text()).split("\n")[0]}`
  }
  const [plain, secure] = [`http://127.0.0.1:${site.http}`, `https://127.0.0.1:${site.https}`]
  expect(await asked(plain, "our_token", "nobody.test")).toBe("200 our_token.proof")
  expect(await asked(plain, "our_token.x", "a.test")).toBe("200 served")
  expect(await asked(plain, "other", "a.test")).toBe("200 served")
  expect(await asked(secure, "our_token", "a.test")).toBe("200 served")
  await first.stop()
  await using second = await site.start(["a.test", "b.test"], acme)
  await untilValid(second)
  expect(await site.shown("b.test", root)).toMatchObject({ authorized: true })
  expect(pebble.orders).toBe(2)
}, 20_000)

test("TLS-ALPN-01: workers show the challenge to the authority and the usual certificate to everybody else", async () => {
  const site = await Site.make()
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https })
  await using proxy = await site.start(["a.test", "b.test", "c.test"], { issuers: [pebble.issuer], challenges: ["tls-alpn-01"] }, {}, { workers: 2 })
  await untilValid(proxy)
  const root = await pebble.root()
  for (const name of ["a.test", "b.test", "c.test"]) expect(await site.shown(name, root)).toMatchObject({ authorized: true })
  expect(readdirSync(join(site.directory, "challenges", "tls-alpn-01"))).toEqual([])
}, 20_000)

test("DNS-01: a hook command sets the record for a wildcard and takes it away", async () => {
  const site = await Site.make()
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https })
  const hook = join(temporaryFolder("hook"), "hook")
  writeFileSync(hook, pebble.hook)
  chmodSync(hook, 0o755)
  const names = { tls: { auto: { names: ["*.b.test", "x.b.test"] } } }
  await using proxy = await site.start([], { issuers: [pebble.issuer], challenges: { "dns-01": { command: hook, wait: 0 } } }, names)
  await untilValid(proxy)
  expect(await site.shown("y.b.test", await pebble.root())).toMatchObject({ authorized: true, subjectaltname: "DNS:*.b.test" })
  const record = "_acme-challenge.b.test"
  expect(readFileSync(`${hook}.log`, "utf8")).toBe(`present ${record} present ${record}\ncleanup ${record} cleanup ${record}\n`)
  expect(existsSync(join(site.directory, "_.b.test.pem"))).toBe(true)
}, 20_000)

test("the next issuer is asked when the first is down, and it may want an account of its own", async () => {
  const site = await Site.make()
  const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https, accounts: { "kid-1": key } })
  const issuers = [await deadDirectory(), { ...pebble.issuer, eab: { kid: "kid-1", hmacKey: key } }]
  await using proxy = await site.start(["a.test"], { issuers })
  const [one] = await untilValid(proxy)
  expect(one!.issuer).toBe(new URL(pebble.directory).host)
}, 20_000)
