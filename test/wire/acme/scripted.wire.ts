import { expect, test } from "bun:test"
import { X509Certificate } from "node:crypto"
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseConfig } from "../../../src/config/load.ts"
import type { CertificateEntry } from "../../../src/control/admin/status.ts"
import { CertificateKeeper } from "../../../src/control/certificates/certificate-keeper.ts"
import { readCertificateParts } from "../../../src/net/x509/read-certificate.ts"
import { AcmeServer } from "../../support/acme-server.ts"
import { until } from "../../support/wait.ts"
import { certificates, Site, untilValid } from "./acme.fixture.ts"

const HOUR_MS = 3_600_000

test("ARI: within the issuer's window a certificate is renewed, and the order says which one it replaces", async () => {
  const site = await Site.make()
  using server = await AcmeServer.start()
  server.window = { start: Date.now() + HOUR_MS, end: Date.now() + 2 * HOUR_MS }
  const acme = { issuers: [server.directory], challenges: ["http-01"] }
  await using first = await site.start(["a.test"], acme)
  await untilValid(first)
  const old = new X509Certificate(site.bundle("a.test").replace(/^[\s\S]*?(?=-----BEGIN CERT)/, ""))
  const { authorityKeyId } = readCertificateParts(old.raw)
  const id = `${authorityKeyId!.toString("base64url")}.${Buffer.from(old.serialNumber, "hex").toString("base64url")}`
  await until(() => server.renewalQuestions.length > 0, 5000, "the question when to renew")
  expect(server.renewalQuestions[0]).toBe(id)
  const [told] = await certificates(first)
  expect(told).toMatchObject({ state: "valid" })
  await first.stop()
  // The issuer has to withdraw it: the window lies in the past.
  server.window = { start: Date.now() - 2 * HOUR_MS, end: Date.now() - HOUR_MS }
  const note = join(site.directory, "a.test.json")
  await Bun.write(note, JSON.stringify({ ...(await Bun.file(note).json()), askAt: 0 }))
  await using _second = await site.start(["a.test"], acme)
  await until(() => server.orders.length === 2, 8000, "the renewal")
  expect([server.orders[0]!["replaces"], server.orders[1]!["replaces"]]).toEqual([undefined, id])
  await until(async () => (await site.shown("a.test")).serialNumber !== old.serialNumber, 5000, "the new certificate")
  expect([server.accounts, readdirSync(join(site.directory, "accounts")).length]).toEqual([1, 1])
}, 20_000)

/** The keeper by itself: what it does with issuers needs no workers. */
async function kept(acme: object): Promise<CertificateKeeper> {
  const keeper = new CertificateKeeper({ looked: () => Promise.resolve(), answered() {} })
  const loaded = parseConfig(JSON.stringify((await Site.make()).config(["a.test"], acme)))
  if (!loaded.ok) throw new Error(loaded.problems[0]!.message)
  const staged = await keeper.stage(loaded.config)
  expect(staged.problem).toBe("")
  staged.commit()
  return keeper
}

const settled = (keeper: CertificateKeeper): Promise<CertificateEntry> =>
  until(() => keeper.entries().find(one => one.state === "valid" || one.lastError !== ""), 5000, "an end of the order")

test("an issuer that limits rates is left alone as long as it says, and the next one issues", async () => {
  using busy = await AcmeServer.start()
  using idle = await AcmeServer.start()
  busy.refusals = [{ kind: "rateLimited", status: 429, retryAfter: "3600" }]
  const keeper = await kept({ issuers: [busy.directory, idle.directory] })
  expect((await settled(keeper)).issuer).toBe(new URL(idle.directory).host)
  expect([busy.orders.length, idle.orders.length]).toEqual([0, 1])
  keeper.close()
})

test("without another issuer the wait is the one that the issuer asked for", async () => {
  using busy = await AcmeServer.start()
  busy.refusals = [{ kind: "rateLimited", status: 429, retryAfter: "3600" }]
  const keeper = await kept({ issuers: [busy.directory], renewal: { retryMin: "100ms", retryMax: "1s" } })
  expect((await settled(keeper)).lastError).toContain("rateLimited")
  const one = await until(() => keeper.entries().find(each => each.lastError.includes("left alone")), 5000)
  expect([one.state, busy.orders.length]).toEqual(["temporary", 0])
  keeper.close()
})

test("a profile is asked for where the issuer offers it, and missed with a word where it does not", async () => {
  using server = await AcmeServer.start()
  const issuers = [
    { url: server.directory, profile: "forever" },
    { url: server.directory, profile: "shortlived" },
  ]
  const keeper = await kept({ issuers })
  await settled(keeper)
  expect(server.orders).toMatchObject([{ profile: "shortlived" }])
  const only = await kept({ issuers: issuers.slice(0, 1) })
  expect((await settled(only)).lastError).toContain("it offers no profile forever; it has shortlived")
  keeper.close()
  only.close()
})

test("an issuer that has forgotten the account gets another one", async () => {
  using server = await AcmeServer.start()
  const site = await Site.make()
  const acme = { directory: site.directory, issuers: [server.directory] }
  const first = await kept(acme)
  await settled(first)
  first.close()
  server.forget()
  for (const file of ["a.test.pem", "a.test.json"]) rmSync(join(site.directory, file))
  const second = await kept(acme)
  expect((await settled(second)).state).toBe("valid")
  expect([server.accounts, server.orders.length]).toEqual([2, 2])
  second.close()
})
