import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { OidcProvider, signed, signingKey } from "../../support/oidc-provider.ts"
import { freePort } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"

// Keys come over the wire, by URL and through a cluster, change while requests run, and stay away.
const provider = await new OidcProvider().start()
const upstream = await recorder()
const port = await freePort()
const jwks = { url: `${provider.issuer}/jwks`, refetch: "1s", refresh: "1s", stale: "4s" }
const jwt = (more: object) => ({ jwt: { issuer: provider.issuer, audience: "shop", set: { "X-User": "${claim:sub}" }, ...more } })
const config = {
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { app: { peers: [upstream.address] }, id: { peers: [provider.issuer.slice(7)] } },
  routes: [
    { name: "cluster", match: { path: "/cluster/*" }, filters: [jwt({ jwks: { ...jwks, cluster: "id" } })], to: { cluster: "app" } },
    { name: "url", match: {}, filters: [jwt({ jwks, scopes: ["read"] })], to: { cluster: "app" } },
  ],
}
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await provider[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})

const token = (sub: string, key = provider.keys[0]!): Promise<string> =>
  signed(key, { iss: provider.issuer, aud: "shop", sub, scope: "read", exp: Math.floor(Date.now() / 1000) + 300 })
const ask = async (bearer: string, path = "/"): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Authorization: `Bearer ${bearer}`, "X-User": "root" } })).status

describe("jwt", () => {
  test.each(["/", "/cluster/x"])("keys from the issuer: %s", async path => {
    expect(await ask(await token("ann"), path)).toBe(200)
    expect(upstream.requests.at(-1)!.fields["x-user"]).toBe("ann")
    expect(upstream.requests.at(-1)!.head).not.toContain("root")
    expect(await ask(await token("ann", await signingKey("ES256", "k1")), path)).toBe(401)
  })

  test("keys of three kinds, rotated while requests run: nobody with a good token is turned away", async () => {
    const [rsa, ed] = await Promise.all([signingKey("RS256", "k2"), signingKey("EdDSA", "k3")])
    const first = provider.keys[0]!
    const statuses = new Set<number>()
    let running = true
    let signer = first
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        for (let n = 0; running; n++) statuses.add(await ask(await token(`u${i}-${n}`, signer)))
      }),
    )
    // An issuer publishes its next key before it signs with it, and keeps the last one until its tokens are over.
    for (const [keys, next] of [
      [[first, rsa], rsa],
      [[rsa, ed], ed],
    ] as const) {
      provider.keys = [...keys]
      await Bun.sleep(1200)
      signer = next
      await Bun.sleep(300)
    }
    running = false
    await load
    expect([...statuses]).toEqual([200])
    // The first key is gone, with what was remembered of its tokens.
    expect(await ask(await token("old", first))).toBe(401)
  }, 20_000)

  test("the issuer is down: the last keys serve for their time, a reload included, then nobody gets in until it is back", async () => {
    const good = await token("ann")
    expect(await ask(good)).toBe(200)
    provider.down = true
    const downAt = Date.now()
    proxy.rewrite({ ...config, admin: { bind: proxy.admin.slice(7) }, workers: 1, routes: [{ ...config.routes[1], name: "renamed" }] })
    proxy.program.signal("SIGHUP")
    await until(async () => {
      expect(await ask(await token("other"))).toBe(200)
      return proxy.log().some(line => line.route === "renamed")
    })
    expect(Date.now() - downAt).toBeLessThan(3000)
    await until(async () => (await ask(good)) === 503, 8000, "the end of the old keys")
    expect(await ask(await token("third"))).toBe(503)
    await until(() => proxy.log().some(line => line.status === 503 && line.fault === "proxy.auth-unavailable"))
    expect(proxy.program.stderr).toContain("what a log-in depends on cannot be had")
    provider.down = false
    await until(async () => (await ask(good)) === 200, 5000, "the issuer's return")
  }, 30_000)

  test("no token is in any log", async () => {
    const good = await token("secret-user")
    await ask(good)
    await ask(`${good}x`)
    await until(() => proxy.log().some(line => line.user === "secret-user"))
    const logs = proxy.program.stderr + proxy.program.lines.join("\n")
    expect([logs.includes(good.split(".")[2]!), logs.includes(good.split(".")[1]!)]).toEqual([false, false])
    const metrics = await scrape(proxy)
    expect([...metrics.keys()].filter(name => name.startsWith("bothways_jwt_")).toSorted()).toEqual([
      "bothways_jwt_checked_total",
      "bothways_jwt_refused_total",
    ])
  })
})
