import { describe, expect, test } from "bun:test"
import { ask, site } from "./ask.fixture.ts"
import type { LiveCluster } from "./dry-peers.ts"
import type { ExplainRequest } from "./request-text.ts"

describe("clusters", () => {
  const shop = async (request: Partial<ExplainRequest>, live: readonly LiveCluster[] | null = null) => {
    const { route, answer } = await ask(site, { url: "http://a.test/cached/1", ...request }, live)
    if (route?.destination.kind !== "cluster") throw new Error("expected a cluster")
    return { ...route, cluster: route.destination.cluster, answer }
  }

  test("peers with weight, backup and unknown health; the only candidate is the pick", async () => {
    const { cluster, answer } = await shop({})
    expect(cluster).toMatchObject({
      name: "shop",
      balancer: "round-robin",
      key: null,
      tls: false,
      allDown: "try",
      pick: "127.0.0.1:9001",
      because: "the only candidate",
    })
    expect(cluster.peers.map(({ name, weight, backup, health, candidate }) => ({ name, weight, backup, health, candidate }))).toEqual([
      { name: "127.0.0.1:9001", weight: 1, backup: false, health: "unknown", candidate: true },
      { name: "127.0.0.1:9002", weight: 0, backup: false, health: "unknown", candidate: false },
      { name: "[::1]:9003", weight: 1, backup: true, health: "unknown", candidate: false },
    ])
    expect(answer).toEqual({ kind: "peer", cluster: "shop", peers: ["127.0.0.1:9001"], says: "the answer of peer 127.0.0.1:9001 of cluster shop" })
  })

  const live = (name: string, health: "up" | "down", more: object = {}) => ({
    name,
    host: "127.0.0.1",
    health,
    available: health === "up",
    ejectedForMs: 0,
    inFlight: 0,
    ...more,
  })

  test("health of a running instance moves the choice", async () => {
    const down = [{ name: "shop", peers: [live("127.0.0.1:9001", "down")] }]
    const { cluster } = await shop({}, down)
    expect(cluster.pick).toBe("[::1]:9003")
    expect(cluster.peers[0]).toMatchObject({ health: "down", candidate: false, note: "down by its health check" })
    const all = [{ name: "shop", peers: [live("127.0.0.1:9001", "down"), live("[::1]:9003", "down", { host: "::1" })] }]
    const lost = await shop({}, all)
    expect(lost.cluster.because).toStartWith("none is available and allDown is try; ")
    expect(lost.cluster.peers.filter(peer => peer.candidate)).toHaveLength(2)
    const ejected = await shop({}, [{ name: "shop", peers: [live("127.0.0.1:9001", "up", { available: false, ejectedForMs: 3500 })] }])
    expect(ejected.cluster.peers[0]).toMatchObject({ health: "up", candidate: false, note: "ejected for another 4s" })
    const draining = await shop({}, [{ name: "shop", peers: [live("127.0.0.1:9001", "up", { available: false })] }])
    expect(draining.cluster.peers[0]).toMatchObject({ candidate: false, note: "draining" })
  })

  test("a hash has one answer, and says what it hashes without showing it", async () => {
    const asked = async (...fields: string[]) => {
      const { route, answer } = await ask(site, { url: "http://a.test/me/", fields })
      if (route?.destination.kind !== "cluster") throw new Error("expected a cluster")
      return { cluster: route.destination.cluster, answer }
    }
    const one = await asked("Cookie: sid=t0ken")
    expect(one.cluster.key).toEqual({ from: "cookie sid", note: "it is there" })
    expect(one.cluster.because).toMatch(/^by its hash; when it fails: 127\.0\.0\.1:90\d\d, 127\.0\.0\.1:90\d\d$/)
    expect(one.answer).toMatchObject({ kind: "peer", peers: [one.cluster.pick!] })
    expect((await asked("Cookie: sid=t0ken")).cluster.pick).toBe(one.cluster.pick)
    const picks = new Set(await Promise.all(Array.from({ length: 30 }, async (_, i) => (await asked(`Cookie: sid=${i}`)).cluster.pick)))
    expect(picks.size).toBe(3)
    expect((await asked()).cluster.key?.note).toBe("it is not there, so the client's address is taken: 127.0.0.1")
    expect(JSON.stringify(one)).not.toContain("t0ken")
  })

  test("names are not resolved, unless a running instance has", async () => {
    const asked = async (clusters: readonly LiveCluster[] | null) => {
      const { route } = await ask(site, { url: "http://a.test/named" }, clusters)
      if (route?.destination.kind !== "cluster") throw new Error("expected a cluster")
      return route.destination.cluster
    }
    const offline = await asked(null)
    expect(offline.peers[0]).toMatchObject({ name: "app.test:80", host: "", resolved: false, candidate: true, note: "a name, not resolved here" })
    expect(offline).toMatchObject({ pick: null, because: "the hash is over addresses, and a peer that is a name is not resolved here" })
    const running = await asked([
      { name: "named", peers: [live("192.0.2.5:80", "up", { host: "app.test" }), live("192.0.2.6:80", "down", { host: "app.test" })] },
    ])
    expect(running.peers.map(({ name, host, health, candidate }) => [name, host, health, candidate])).toEqual([
      ["192.0.2.5:80", "app.test", "up", true],
      ["192.0.2.6:80", "app.test", "down", false],
      ["127.0.0.1:9021", "", "unknown", true],
    ])
    expect(running.pick).toBeOneOf(["192.0.2.5:80", "127.0.0.1:9021"])
  })

  test("timeouts, retry, body, cache, upgrade and fields", async () => {
    const fields = ["Connection: X-Hop, Upgrade", "X-Hop: 1", "Upgrade: h2c, websocket", "Cookie: a=1", "X-Forwarded-For: 1.2.3.4"]
    const told = await shop({ fields })
    expect(told.timeouts).toMatchObject({ upstream: { connect: 5000, head: 60_000, idle: 60_000, request: 9000 }, tunnelIdle: 3_600_000 })
    expect(told.retry?.says).toMatch(/^up to 3 attempts: .*GET is idempotent.*after 502-504; .*20% of the requests/)
    expect(told.cache).toBe("store main; passed by: The request asks for another protocol (Upgrade).")
    expect(told.upgrade).toEqual({ allowed: ["websocket"], asked: "h2c, websocket", says: "websocket; websocket goes through" })
    expect(told.body).toEqual({ bytesMax: 0, says: "no limit; this request has none" })
    expect(told.fields!.removed).toEqual(["Connection", "X-Hop", "Upgrade", "Cookie", "X-Forwarded-For"])
    expect(told.fields!.added).toContainEqual({ name: "X-Forwarded-For", value: "127.0.0.1" })
    expect(told.fields!.added).toContainEqual({ name: "X-Key", value: null })
    expect(JSON.stringify(told)).not.toContain("s3cret")
  })

  test("a body that is announced too long", async () => {
    const request = { method: "POST", url: "http://a.test/up/1" }
    expect(await ask(site, { ...request, fields: ["Content-Length: 2048"] })).toMatchObject({
      route: { name: "uploads", body: { bytesMax: 1024, says: "at most 1KB; this one has 2KB" }, fields: null },
      answer: { kind: "fault", code: "client.body-too-large", status: 413 },
    })
    const fits = await ask(site, { ...request, fields: ["Content-Length: 1024"] })
    expect(fits.answer.kind).toBe("peer")
    expect(fits.route?.retry?.says).toContain("POST is not idempotent")
    expect((await ask(site, { ...request, fields: ["Transfer-Encoding: chunked"] })).route?.body.says).toBe(
      "at most 1KB; this one does not say how long it is",
    )
  })
})

describe("forward requests", () => {
  const egress = (forward: string) => `
listeners:
  web: { bind: "127.0.0.1:8080" }
  egress: { bind: "127.0.0.1:3128", forward: ${forward} }
clusters: { parents: { peers: ["192.0.2.99:3128"] } }
routes:
  - { name: partner, match: { listener: egress, host: "*.partner.test" }, to: { origin: { via: parents } } }
  - { name: out, match: { listener: egress }, to: { origin: {} } }
  - { name: rest, match: { listener: web }, to: { respond: {} } }
`
  const asked = async (forward: string, request: Partial<ExplainRequest>) => {
    const told = await ask(egress(forward), { listener: "egress", ...request })
    const destination = told.route?.destination
    return { ...told, checks: destination?.kind === "origin" ? destination.origin.checks.map(({ what, ok }) => [what, ok]) : null }
  }

  test("the whole URL goes on the request line, CONNECT names the origin", async () => {
    expect((await asked("true", { url: "http://a.test?q#part" })).request.target).toBe("http://a.test?q")
    for (const url of ["a.test:443", "https://a.test/x", "a.test:443"])
      expect((await asked("true", { method: "CONNECT", url, listener: null })).request.target).toBe("a.test:443")
    expect((await asked("true", { method: "CONNECT", url: "a.test:443", listener: null })).listener).toMatchObject({
      name: "egress",
      because: "the only one that takes forward requests",
    })
  })

  test("port and address", async () => {
    const open = await asked("true", {})
    expect(open.checks).toEqual([
      ["port", true],
      ["address", null],
    ])
    expect(open.answer).toEqual({ kind: "origin", origin: "a.test:80", says: "the answer of the origin a.test:80, unless its addresses are closed" })
    const port = await asked("true", { method: "CONNECT", url: "a.test:25" })
    expect([port.checks, port.answer]).toMatchObject([
      [
        ["port", false],
        ["address", null],
      ],
      { code: "proxy.port-forbidden", status: 403 },
    ])
    const closed = await asked("true", { url: "http://[0:0:0:0:0:ffff:10.0.0.1]/" })
    expect([closed.checks, closed.answer]).toMatchObject([
      [
        ["port", true],
        ["address", false],
      ],
      { code: "proxy.address-forbidden" },
    ])
    expect(JSON.stringify(closed.route)).toContain("10.0.0.1 is in 10.0.0.0/8 (private use, RFC 1918)")
    const opened = await asked('{ privateRanges: ["10.0.0.0/8"] }', { url: "http://10.0.0.1/" })
    expect([opened.checks, opened.answer]).toMatchObject([
      [
        ["port", true],
        ["address", true],
      ],
      { kind: "origin", says: "the answer of the origin 10.0.0.1:80" },
    ])
    const own = await asked("true", { url: "http://[::ffff:127.0.0.1]:3128/" })
    expect([own.checks, own.answer]).toMatchObject([
      [
        ["port", null],
        ["address", false],
      ],
      { code: "proxy.loop", status: 508 },
    ])
    const local = await asked("true", { url: "http://localhost:3000/" })
    expect(local.answer).toMatchObject({ kind: "fault", code: "proxy.address-forbidden" })
    expect((await asked("true", { url: "http://127.1/" })).answer).toMatchObject({ code: "client.bad-host" })
    expect((await asked("true", { url: "http://nobody.invalid/" })).answer).toMatchObject({ code: "upstream.resolve-failed", status: 502 })
  })

  test("privacy decides which fields go", async () => {
    const fields = ["Referer: http://x.test/", "From: me@x.test", "X-Real-IP: 1.2.3.4"]
    const transparent = await asked("{ privacy: transparent }", { fields })
    expect(transparent.route).toMatchObject({ destination: { origin: { privacy: "transparent" } }, fields: { removed: [] } })
    expect(transparent.route!.fields!.added.map(added => added.name)).toEqual(["X-Forwarded-For", "Via"])
    const high = await asked("{ privacy: high }", { fields })
    expect(high.route!.fields).toEqual({ removed: ["Referer", "From", "X-Real-IP"], added: [] })
  })

  test("by a parent proxy", async () => {
    const { answer, checks, route } = await asked("true", { url: "http://www.partner.test/" })
    expect(answer).toMatchObject({
      kind: "peer",
      cluster: "parents",
      peers: ["192.0.2.99:3128"],
      says: expect.stringContaining("on the way to www.partner.test:80"),
    })
    expect(checks).toEqual([
      ["port", true],
      ["address", true],
    ])
    expect(route?.destination).toMatchObject({ kind: "origin", via: { name: "parents" } })
  })

  test("a path alone is sent as it stands", async () => {
    const { request, answer } = await asked("true", { url: "/x", fields: ["Host: a.test"] })
    expect(request.target).toBe("/x")
    expect(answer).toMatchObject({ kind: "fault", code: "proxy.not-forward", status: 400 })
  })
})
