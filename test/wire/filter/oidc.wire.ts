import { afterAll, beforeEach, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { CookieJar } from "../../support/cookie-jar.ts"
import { OidcProvider, signingKey } from "../../support/oidc-provider.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { until } from "../../support/wait.ts"

const provider = await new OidcProvider().start()
const upstream = await recorder()
const [one, two] = (await freePorts(2)) as [number, number]
const folder = temporaryFolder("oidc")
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const sessionSecretFile = file("session", `${"s".repeat(40)}\n`)
const base = `http://127.0.0.1:${one}`
provider.redirectUris = [`${base}/oauth2/callback`, `${base}/token/callback`]
const oidc = (more: object = {}) => ({
  oidc: {
    issuer: provider.issuer,
    clientId: "shop",
    clientSecretFile: file("client", `${provider.clientSecret}\n`),
    sessionSecretFile,
    cookie: { secure: false },
    claims: { groups: ["staff", "admin"] },
    emailDomains: ["a.test"],
    user: "email",
    set: { "X-User": "${claim:sub}", "X-Name": "${claim:name}", "X-Groups": "${claim:groups}" },
    provider: { refetch: "1s" },
    ...more,
  },
})
const apart = {
  userinfo: true,
  set: { "X-Department": "${claim:department}" },
  passAccessToken: true,
  cluster: "id",
  callbackPath: "/token/callback",
  logoutPath: "/token/logout",
  cookie: { name: "tok", secure: false },
}
const config = (port: number) => ({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { app: { peers: [upstream.address] }, id: { peers: [provider.issuer.slice(7)] } },
  routes: [
    { name: "token", match: { path: "/token/*" }, filters: [oidc(apart)], to: { cluster: "app" } },
    { name: "app", match: {}, filters: [oidc()], to: { cluster: "app" } },
  ],
})
const proxy = await startBothways(config(one), { workers: 2 })
const other = await startBothways(config(two))
afterAll(async () => {
  await Promise.all([proxy.stop(), other.stop()])
  await provider[Symbol.asyncDispose]()
  await upstream[Symbol.asyncDispose]()
})
beforeEach(() => {
  provider.down = false
  provider.tokenSeconds = 3600
  provider.spoil = claims => claims
  upstream.requests.length = 0
})

async function loggedIn(): Promise<CookieJar> {
  const jar = new CookieJar()
  expect((await jar.follow(`${base}/start`, base)).status).toBe(200)
  return jar
}

describe("oidc: the log-in", () => {
  test("to the provider and back to the page that was asked for, with claims for the peer", async () => {
    const jar = new CookieJar()
    const first = await jar.visit(`${base}//evil.test/page?q=1`)
    expect(first.status).toBe(302)
    expect(first.headers.get("cache-control")).toBe("no-store")
    expect(first.headers.get("location")).toStartWith(`${provider.issuer}/authorize?`)
    const answer = await jar.follow(`${base}//evil.test/page?q=1`, base)
    expect([answer.status, answer.url.startsWith(base), answer.url.endsWith("/evil.test/page?q=1")]).toEqual([200, true, true])
    const { fields } = upstream.requests.at(-1)!
    expect([fields["x-user"], fields["x-groups"], fields.cookie]).toEqual(["u1", "staff", undefined])
    expect(Buffer.from(fields["x-name"]!, "latin1").toString()).toBe("Änn")
    expect(jar.lines.every(line => line.includes("; HttpOnly; SameSite=Lax"))).toBe(true)
    expect(provider.complaints).toEqual([])
    await until(() => proxy.log().some(line => line.user === "ann@a.test" && line.status === 200))
  })

  test("what the client claims to be is gone, its other cookies are not", async () => {
    const jar = await loggedIn()
    await jar.visit(`${base}/a`, { "X-User": "root", X_Name: "root", Cookie: `a=1; bothways=${jar.cookies.get("bothways")}; b=2` })
    const { fields, head } = upstream.requests.at(-1)!
    expect([fields["x-user"], fields.cookie]).toEqual(["u1", "a=1; b=2"])
    expect(head).not.toContain("root")
  })

  test("programs are told, not led", async () => {
    const fields = { Accept: "application/json", "Sec-Fetch-Mode": "cors" }
    const answer = await new CookieJar().visit(`${base}/api`, fields)
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, `OpenIDConnect realm="${provider.issuer.slice(7)}"`])
    expect((await fetch(`${base}/api`, { method: "POST", headers: { Accept: "text/html" } })).status).toBe(401)
    expect(upstream.requests).toEqual([])
  })

  test("all workers and instances with the same secret share sessions", async () => {
    const jar = await loggedIn()
    for (let i = 0; i < 8; i++) expect((await jar.visit(`${base}/${i}`, { Connection: "close" })).status).toBe(200)
    expect((await jar.visit(`http://127.0.0.1:${two}/x`)).status).toBe(200)
  })

  test("through a cluster, with the access token for the peer in place of what the client sent", async () => {
    const jar = new CookieJar()
    expect((await jar.follow(`${base}/token/x`, base)).status).toBe(200)
    expect((await jar.visit(`${base}/token/x`, { Authorization: "Bearer mine" })).status).toBe(200)
    expect(upstream.requests.at(-1)!.fields["x-department"]).toBe("sales")
    expect(upstream.requests.at(-1)!.head.match(/^authorization: .*$/gim)).toEqual([
      expect.stringMatching(/^Authorization: Bearer access-[0-9a-f]+$/),
    ])
  })
})

describe("oidc: what is refused", () => {
  const callback = async (jar: CookieJar, change: (url: URL) => void): Promise<number> => {
    const first = await jar.visit(`${base}/p`)
    const back = await fetch(first.headers.get("location")!, { redirect: "manual" })
    const url = new URL(back.headers.get("location")!)
    change(url)
    return (await jar.visit(url.href)).status
  }

  test.each<[string, (url: URL) => void]>([
    ["another state", url => url.searchParams.set("state", `${url.searchParams.get("state")!.slice(0, -1)}x`)],
    ["no state", url => url.searchParams.delete("state")],
    ["a code that was never given", url => url.searchParams.set("code", "x")],
    ["no code", url => url.searchParams.delete("code")],
    ["another issuer", url => url.searchParams.set("iss", "https://evil.test")],
    ["a refusal", url => url.searchParams.set("error", "access_denied")],
  ])("%s", async (_, change) => {
    const jar = new CookieJar()
    expect(await callback(jar, change)).toBe(403)
    expect(jar.cookies.has("bothways")).toBe(false)
  })

  test("a callback in another browser (a log-in that somebody else began)", async () => {
    const first = await new CookieJar().visit(`${base}/p`)
    const back = await fetch(first.headers.get("location")!, { redirect: "manual" })
    const victim = new CookieJar()
    expect((await victim.visit(back.headers.get("location")!)).status).toBe(403)
    expect(victim.cookies.size).toBe(0)
  })

  test("a code twice", async () => {
    const jar = new CookieJar()
    const first = await jar.visit(`${base}/p`)
    const back = (await fetch(first.headers.get("location")!, { redirect: "manual" })).headers.get("location")!
    const before = new Map(jar.cookies)
    expect((await jar.visit(back)).status).toBe(302)
    const again = new CookieJar()
    for (const [name, value] of before) again.cookies.set(name, value)
    expect((await again.visit(back)).status).toBe(403)
  })

  test("ID tokens of others, of another time, for others", async () => {
    for (const change of [
      { nonce: "x" },
      { aud: "other" },
      { iss: "https://evil.test" },
      { exp: 1 },
      { azp: "other" },
      { nonce: undefined },
      { sub: undefined },
    ]) {
      provider.spoil = claims => ({ ...claims, ...change })
      const jar = new CookieJar()
      expect([change, (await jar.follow(`${base}/p`, base)).status]).toEqual([change, 403])
      expect(jar.cookies.has("bothways")).toBe(false)
    }
    provider.spoil = claims => claims
    provider.signer = await signingKey("ES256", "k1")
    expect((await new CookieJar().follow(`${base}/p`, base)).status).toBe(403)
    provider.signer = null
  })

  test("users whom the rules do not let in", async () => {
    for (const change of [
      { groups: ["guests"] },
      { groups: undefined },
      { email: "ann@evil.test" },
      { email: "a.test" },
      { email_verified: false },
      { email: undefined },
    ]) {
      provider.spoil = claims => ({ ...claims, ...change })
      expect([change, (await new CookieJar().follow(`${base}/p`, base)).status]).toEqual([change, 403])
    }
  })

  test("a session that other rules let in is none", async () => {
    const jar = await loggedIn()
    const strict = {
      ...config(two),
      admin: { bind: other.admin.slice(7) },
      workers: 1,
      routes: [{ name: "strict", match: {}, filters: [oidc({ claims: { groups: ["admin"] } })], to: { cluster: "app" } }],
    }
    const api = { headers: { Accept: "*/*", Cookie: `bothways=${jar.cookies.get("bothways")}` } }
    expect((await fetch(`http://127.0.0.1:${two}/x`, api)).status).toBe(200)
    other.rewrite(strict)
    other.program.signal("SIGHUP")
    await until(async () => (await fetch(`http://127.0.0.1:${two}/x`, api)).status === 401, 5000, "the stricter rules")
  })

  test("a session cookie with a changed character is no session", async () => {
    const jar = await loggedIn()
    const value = jar.cookies.get("bothways")!
    for (const at of [0, 20, value.length >> 1, value.length - 3]) {
      const changed = value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1)
      expect((await fetch(`${base}/x`, { headers: { Cookie: `bothways=${changed}` } })).status).toBe(401)
    }
    const login = new CookieJar()
    await login.visit(`${base}/x`)
    const sealed = [...login.cookies.values()][0]!
    expect((await fetch(`${base}/x`, { headers: { Cookie: `bothways=${sealed}` } })).status).toBe(401)
  })
})

describe("oidc: sessions go on and end", () => {
  test("expired tokens are renewed once for all requests of a page, and the cookie with them", async () => {
    provider.tokenSeconds = 1
    const jar = await loggedIn()
    const before = jar.cookies.get("bothways")!
    provider.tokenSeconds = 3600
    provider.claims = { ...provider.claims, groups: ["admin"] }
    await Bun.sleep(1100)
    provider.asked.length = 0
    using client = await rawClient(one)
    client.send(`GET /x HTTP/1.1\r\nHost: 127.0.0.1:${one}\r\nCookie: bothways=${before}\r\n\r\n`.repeat(4))
    for (let i = 0; i < 4; i++) {
      const answer = await client.response()
      expect([answer.status, answer.head.includes("Set-Cookie: bothways=")]).toEqual([200, true])
    }
    expect(provider.asked.filter(path => path === "/token").length).toBe(1)
    expect(upstream.requests.at(-1)!.fields["x-groups"]).toBe("admin")
    provider.claims = { ...provider.claims, groups: ["staff"] }
  })

  test("a session whose renewal is refused is over; while the provider is down nobody gets in with it", async () => {
    provider.tokenSeconds = 1
    const [jar, second] = [await loggedIn(), await loggedIn()]
    await Bun.sleep(1100)
    provider.down = true
    expect((await jar.visit(`${base}/x`)).status).toBe(503)
    provider.down = false
    provider.revokeAll()
    const answer = await second.visit(`${base}/x`)
    expect([answer.status, answer.headers.get("location")?.startsWith(`${provider.issuer}/authorize`)]).toEqual([302, true])
    expect((await fetch(`${base}/x`, { headers: { Cookie: `bothways=${jar.cookies.get("bothways")}` } })).status).toBe(401)
  })

  test("while the provider is down, sessions that are not over go on", async () => {
    const jar = await loggedIn()
    provider.down = true
    expect((await jar.visit(`${base}/x`)).status).toBe(200)
  })

  test("the log-out: here and at the provider", async () => {
    const jar = await loggedIn()
    const answer = await jar.visit(`${base}/oauth2/logout`)
    const url = new URL(answer.headers.get("location")!)
    expect([
      answer.status,
      url.pathname,
      url.searchParams.get("post_logout_redirect_uri"),
      url.searchParams.get("id_token_hint")?.split(".").length,
    ]).toEqual([302, "/logout", `${base}/`, 3])
    expect(jar.cookies.size).toBe(0)
    // Without a session as well: somebody whom the rules keep out has one at the provider.
    const stranger = new URL((await new CookieJar().visit(`${base}/oauth2/logout`)).headers.get("location")!)
    expect([stranger.pathname, stranger.searchParams.has("id_token_hint"), stranger.searchParams.get("client_id")]).toEqual([
      "/logout",
      false,
      "shop",
    ])
  })

  test("a large session goes in chunks, and comes back", async () => {
    provider.spoil = claims => ({ ...claims, name: "x".repeat(6000) })
    const jar = await loggedIn()
    expect([...jar.cookies.keys()].toSorted()).toEqual(
      ["bothways", "bothways.1", "bothways.2", "bothways.3", "bothways.4"].slice(0, jar.cookies.size),
    )
    expect(jar.cookies.size).toBeGreaterThan(1)
    expect((await jar.visit(`${base}/x`)).status).toBe(200)
    expect(upstream.requests.at(-1)!.fields["x-name"]!.length).toBe(6000)
    await jar.visit(`${base}/oauth2/logout`)
    expect(jar.cookies.size).toBe(0)
  })

  test("a new secret: the old one still opens, and no longer once it is gone", async () => {
    const jar = await loggedIn()
    const statuses = async (): Promise<number[]> => {
      const got: number[] = []
      for (let i = 0; i < 6; i++) got.push((await jar.visit(`${base}/x`, { Connection: "close" })).status)
      return got
    }
    file("session", `${"n".repeat(40)}\n${"s".repeat(40)}\n`)
    await until(() => proxy.program.stderr.includes("was read again"), 5000, "the new secrets")
    expect(await statuses()).toEqual(Array(6).fill(200))
    file("session", `${"n".repeat(40)}\n`)
    await until(async () => (await statuses()).every(status => status === 302), 8000, "the end of the old secret")
  }, 20_000)
})
