import { expect, test } from "bun:test"
import { AcmeServer } from "../../support/acme-server.ts"
import { Pebble } from "../../support/pebble.ts"
import { freePort } from "../../support/ports.ts"
import { certificates, Site } from "./acme.fixture.ts"

/** Allows names under `allowed.test`. */
async function askServer() {
  const asked: string[] = []
  const port = await freePort()
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch(request) {
      const domain = new URL(request.url).searchParams.get("domain")!
      asked.push(domain)
      return new Response(null, { status: domain.endsWith("allowed.test") ? 200 : 403 })
    },
  })
  return { asked, ask: `http://127.0.0.1:${port}/ask`, [Symbol.dispose]: () => void server.stop(true) }
}

test("on demand: the first handshake waits for its certificate, proven meanwhile on the same listener", async () => {
  const site = await Site.make()
  using decider = await askServer()
  await using pebble = await Pebble.start({ httpPort: site.http, tlsPort: site.https })
  const acme = { issuers: [pebble.issuer], challenges: ["tls-alpn-01"], onDemand: { ask: decider.ask } }
  await using proxy = await site.start([], acme, {}, { workers: 2 })
  const root = await pebble.root()
  const all = await Promise.all(["a.allowed.test", "a.allowed.test", "b.allowed.test"].map(name => site.shown(name, root)))
  expect(all.map(one => [one.authorized, one.subjectaltname])).toEqual([
    [true, "DNS:a.allowed.test"],
    [true, "DNS:a.allowed.test"],
    [true, "DNS:b.allowed.test"],
  ])
  expect([decider.asked.sort(), pebble.orders]).toEqual([["a.allowed.test", "b.allowed.test"], 2])
  expect((await certificates(proxy)).map(one => one.state)).toEqual(["valid", "valid"])
}, 20_000)

test("on demand: a name that is not allowed gets no certificate, and what is there is there behind a restart, also when nobody decides", async () => {
  const site = await Site.make()
  using decider = await askServer()
  using server = await AcmeServer.start()
  const acme = { issuers: [server.directory], onDemand: { ask: decider.ask, issuesMax: 1 } }
  await using first = await site.start([], acme)
  for (let i = 0; i < 3; i++) expect((await site.shown("evil.test")).subject.CN).toBe("Bothways temporary certificate")
  expect([decider.asked, server.orders.length]).toEqual([["evil.test"], 0])
  // One certificate a minute, and what is there is there: also behind a restart.
  expect((await site.shown("a.allowed.test", server.root)).authorized).toBe(true)
  expect((await site.shown("b.allowed.test")).subject.CN).toBe("Bothways temporary certificate")
  expect(server.orders.length).toBe(1)
  await first.stop()
  decider[Symbol.dispose]()
  await using second = await site.start([], acme)
  expect((await site.shown("A.allowed.test", server.root)).authorized).toBe(true)
  expect((await certificates(second)).map(one => one.name)).toEqual(["a.allowed.test"])
  expect(server.orders.length).toBe(1)
  expect((await site.shown("c.allowed.test")).subject.CN).toBe("Bothways temporary certificate")
  expect([server.orders.length, second.program.stderr.includes("did not answer")]).toEqual([1, true])
}, 20_000)
