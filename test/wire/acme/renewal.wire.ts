import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Pebble } from "../../support/pebble.ts"
import { until } from "../../support/wait.ts"
import { certificates, Site, untilValid } from "./acme.fixture.ts"

test("a certificate is renewed in time, and new connections see the new one", async () => {
  const site = await Site.make()
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https, validity: 15 })
  const acme = { issuers: [pebble.issuer], challenges: ["http-01"], renewal: { at: "10%" } }
  await using proxy = await site.start(["a.test"], acme)
  await untilValid(proxy)
  const before = (await site.shown("a.test")).serialNumber
  const root = await pebble.root()
  await until(async () => (await site.shown("a.test")).serialNumber !== before, 10_000, "the renewal")
  expect(await site.shown("a.test", root)).toMatchObject({ authorized: true })
}, 20_000)

test("two instances that share a directory order each certificate once, and both serve it", async () => {
  const site = await Site.make()
  const other = await Site.make()
  Object.assign(other, { directory: site.directory })
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https })
  const acme = { issuers: [pebble.issuer], challenges: ["http-01"] }
  const names = ["a.test", "b.test", "c.test"]
  // The authority comes to the first one only: the second one's challenges are answered there, too.
  await using first = await site.start(names, acme)
  await using second = await other.start(names, acme)
  await Promise.all([untilValid(first), untilValid(second)])
  const root = await pebble.root()
  for (const name of names) expect(await until(async () => (await other.shown(name, root)).authorized)).toBe(true)
  expect(pebble.orders).toBe(3)
  expect(readdirSync(join(site.directory, "locks"))).toEqual([])
}, 20_000)

test("what fails is said, and tried again; what there is serves on", async () => {
  const site = await Site.make()
  const ports = await Site.make()
  // It looks for us at ports where nobody is.
  await using pebble = await Pebble.start({ httpPort: ports.http, tlsPort: ports.https })
  await using proxy = await site.start(["a.test"], { issuers: [pebble.issuer], renewal: { retryMin: "200ms" } })
  const failed = await until(async () => (await certificates(proxy)).find(one => one.lastError !== ""), 10_000)
  expect(failed.state).toBe("temporary")
  expect(failed.lastError).toContain("tls-alpn-01: ")
  expect(failed.lastError).toContain("http-01: ")
  expect((await site.shown("a.test")).subject.CN).toBe("Bothways temporary certificate")
  await until(() => proxy.program.stderr.split("no certificate could be had").length > 2, 10_000, "another attempt")
}, 20_000)
