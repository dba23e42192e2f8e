import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Agent } from "node:http"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { ask, type Told, type TellingPeer, tellingPeers } from "../../support/telling-peers.ts"
import { until } from "../../support/wait.ts"

// K10 O-32: a client stays with its peer while that one is up, whoever joins; when it is gone each of its clients gets one new home and keeps it.

// Some start several proxies, one after the other.
setDefaultTimeout(20_000)

const CLIENTS = 200
const SECRET = "a key that several instances share"

let agent: Agent
beforeAll(() => {
  agent = new Agent({ keepAlive: true, maxSockets: 32 })
})
afterAll(() => agent.destroy())

/** A client with a jar for the cookie, or with another mark. */
class Client {
  cookie = ""
  home = ""
  readonly mark: Record<string, string>

  constructor(mark: Record<string, string> = {}) {
    this.mark = mark
  }

  /** Asks once; true = it was told to go elsewhere than before, or is new. */
  async visit(port: number, path = "/"): Promise<boolean> {
    const headers = { ...this.mark, ...(this.cookie === "" ? {} : { Cookie: this.cookie }) }
    const answer = await ask(port, path, headers, agent)
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
    const set = cookieOf(answer)
    if (set !== null) this.cookie = set
    const moved = answer.body !== this.home
    this.home = answer.body
    return moved
  }
}

function cookieOf({ headers }: Told): string | null {
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? null
}

async function moved(clients: readonly Client[], port: number): Promise<Client[]> {
  const all = await Promise.all(clients.map(async client => ((await client.visit(port)) ? client : null)))
  return all.filter(client => client !== null)
}

interface Shop {
  readonly proxy: Bothways
  readonly port: number
  change(what: string, address: string, more?: string): Promise<void>
}

async function start(peers: readonly string[], sticky: unknown, more: object = {}): Promise<Shop & AsyncDisposable> {
  const port = await freePort()
  const proxy = await startBothways(
    {
      listeners: { web: { bind: `127.0.0.1:${port}`, trustedHops: ["127.0.0.1"] } },
      clusters: { shop: { peers, sticky, health: { passive: "off" } } },
      routes: [{ to: { cluster: "shop" } }],
      observe: { accessLog: { to: "none" } },
      ...more,
    },
    { workers: 2 },
  )
  const change = async (what: string, address: string, query = ""): Promise<void> => {
    const reply = await proxy.ask(`/peers/${what}?cluster=shop&address=${address}${query}`, { method: "POST", headers: { "X-Bothways": "1" } })
    if (reply.status !== 200) throw new Error(await reply.text())
  }
  return { proxy, port, change, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() }
}

async function stopAll(peers: readonly TellingPeer[]): Promise<void> {
  for (const peer of peers) await peer.stop()
}

const kinds: [string, unknown, (index: number) => Client][] = [
  ["cookie", { cookie: { secret: SECRET } }, () => new Client()],
  ["header", { header: "X-Session" }, index => new Client({ "X-Session": `session-${index}` })],
  ["source", "source", index => new Client({ "X-Forwarded-For": `10.1.${index >> 7}.${index & 127}` })],
]

describe.each(kinds)("%s", (_kind, sticky, make) => {
  test("200 clients stay while peers join; of a peer that is removed or dies each client moves once", async () => {
    const peers = await tellingPeers(5)
    const [a, b, c, d, e] = peers.map(({ address }) => address) as [string, string, string, string, string]
    await using shop = await start([a, b], sticky)
    const clients = Array.from({ length: CLIENTS }, (_, index) => make(index))
    expect((await moved(clients, shop.port)).length).toBe(CLIENTS)
    expect(new Set(clients.map(({ home }) => home))).toEqual(new Set([a, b]))
    for (const address of [c, d, e]) {
      await shop.change("add", address)
      expect(await moved(clients, shop.port)).toEqual([])
    }
    const fresh = Array.from({ length: CLIENTS }, (_, index) => make(CLIENTS + index))
    await moved(fresh, shop.port)
    expect(new Set(fresh.map(({ home }) => home)).size).toBe(5)
    const ofA = clients.filter(({ home }) => home === a)
    await shop.change("remove", a)
    expect(new Set(await moved(clients, shop.port))).toEqual(new Set(ofA))
    expect(await moved(clients, shop.port)).toEqual([])
    const ofB = clients.filter(({ home }) => home === b)
    await peers[1]!.stop()
    expect(new Set(await moved(clients, shop.port))).toEqual(new Set(ofB))
    expect(await moved(clients, shop.port)).toEqual([])
    await stopAll(peers)
  }, 20_000)

  test("a draining peer keeps its sessions as long as it may, and nobody new comes", async () => {
    const peers = await tellingPeers(2)
    const [a, b] = peers.map(({ address }) => address) as [string, string]
    await using shop = await start([a, b], sticky)
    const clients = Array.from({ length: 40 }, (_, index) => make(index))
    await moved(clients, shop.port)
    const ofA = clients.filter(({ home }) => home === a)
    expect(ofA.length).toBeGreaterThan(5)
    await shop.change("drain", a, "&sessions=true&timeout=60s")
    expect(await moved(clients, shop.port)).toEqual([])
    const fresh = Array.from({ length: 20 }, (_, index) => make(1000 + index))
    await moved(fresh, shop.port)
    expect(fresh.every(({ home }) => home === b)).toBe(true)
    await shop.change("drain", a, "&timeout=60s")
    expect(new Set(await moved(clients, shop.port))).toEqual(new Set(ofA))
    await stopAll(peers)
  })
})

describe("the cookie", () => {
  let peers: TellingPeer[]
  let [a, b] = ["", ""]
  beforeAll(async () => {
    peers = await tellingPeers(2)
    ;[a, b] = peers.map(({ address }) => address) as [string, string]
  })
  afterAll(() => stopAll(peers))

  test("has its attributes, no address, and is set only when that is needed; the peer does not see it", async () => {
    await using shop = await start([a, b], { cookie: { name: "home", ttl: "1h", path: "/shop", domain: "shop.test", sameSite: "strict" } })
    const first = await ask(shop.port, "/", {}, agent)
    const [set] = first.headers["set-cookie"]!
    expect(set).toMatch(/^home=[A-Za-z0-9_-]{22}; Path=\/shop; Domain=shop\.test; Max-Age=3600; HttpOnly; SameSite=Strict$/)
    const peer = peers.find(({ address }) => address === first.body)!
    for (const cookies of [`${cookieOf(first)}`, `x=1; ${cookieOf(first)}; y="2; 3"`, `x=1;${cookieOf(first)}`]) {
      peer.cookies = []
      const again = await ask(shop.port, "/", { Cookie: cookies }, agent)
      expect([again.body, again.headers["set-cookie"]]).toEqual([first.body, undefined])
    }
    expect(peer.cookies).toEqual(["x=1"])
  })

  test("is Secure where that is said, and behind TLS", async () => {
    const cluster = (secure: unknown) => ({ peers: [a, b], sticky: { cookie: { secure, sameSite: "none", httpOnly: false } } })
    const clusters = { auto: cluster("auto"), always: cluster(true), never: cluster(false) }
    const routes = Object.keys(clusters).map(name => ({ match: { path: `/${name}` }, to: { cluster: name } }))
    await using shop = await start([], null, { clusters, routes })
    const end = async (path: string) => (await ask(shop.port, path, {}, agent)).headers["set-cookie"]![0]!.split("; ").at(-1)
    expect([await end("/auto"), await end("/always"), await end("/never")]).toEqual(["SameSite=None", "Secure", "SameSite=None"])
  })

  test("forged, of another cluster or of a peer that is gone: as good as none, and replaced", async () => {
    await using shop = await start([a, b], { cookie: { secret: SECRET, name: "home" } })
    const good = new Client()
    await good.visit(shop.port)
    const value = good.cookie.slice("home=".length)
    const forged = [value.slice(1), `${value}A`, value.toLowerCase(), a, "", Buffer.from(a).toString("base64url"), "x".repeat(4000), `"${value}"`]
    for (const each of forged) {
      const homes = new Set<string>()
      for (let i = 0; i < 8; i++) {
        const answer = await ask(shop.port, "/", { Cookie: `home=${each}` }, agent)
        expect(cookieOf(answer)).toMatch(/^home=/)
        homes.add(answer.body)
      }
      expect([each, homes.size]).toEqual([each, 2])
    }
    // Beside one that is no good the good one counts.
    const both = await ask(shop.port, "/", { Cookie: `home=nonsense; ${good.cookie}` }, agent)
    expect([both.body, both.headers["set-cookie"]]).toEqual([good.home, undefined])
  })

  test("is good at every instance with the same secret, and so after a restart; with another secret it is not", async () => {
    const cluster = (cookie: object) => ({ peers: [b, a], sticky: { cookie: { name: "home", ...cookie } } })
    const clusters = { shop: cluster({ secret: SECRET }), other: cluster({}) }
    const routes = [{ match: { path: "/other" }, to: { cluster: "other" } }, { to: { cluster: "shop" } }]
    await using one = await start([a, b], { cookie: { secret: SECRET, name: "home" } })
    await using two = await start([], null, { clusters, routes })
    const clients = Array.from({ length: 12 }, () => new Client())
    await moved(clients, one.port)
    expect(await moved(clients, two.port)).toEqual([])
    const strange = await Promise.all(clients.map(({ cookie }) => ask(two.port, "/other", { Cookie: cookie }, agent)))
    expect(strange.every(answer => cookieOf(answer) !== null)).toBe(true)
  })

  test("moves nobody over a reload, also with a secret that was made up", async () => {
    await using shop = await start([a, b], "cookie")
    const clients = Array.from({ length: 20 }, () => new Client())
    await moved(clients, shop.port)
    const config = JSON.parse(await Bun.file(shop.proxy.configFile).text()) as { routes: object[] }
    config.routes.unshift({ match: { path: "/other" }, to: { respond: { status: 204 } } })
    shop.proxy.rewrite(config)
    await shop.proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
    expect((await ask(shop.port, "/other", {}, agent)).status).toBe(204)
    expect(await moved(clients, shop.port)).toEqual([])
  })

  test("on a cached route: whoever asked the peer gets it, nobody else, and it is not stored", async () => {
    const routes = [{ match: {}, filters: [{ cache: { store: "main" } }], to: { cluster: "shop" } }]
    await using shop = await start([a, b], { cookie: { name: "home" } }, { caches: { main: { memory: "8MB" } }, routes })
    const miss = await ask(shop.port, "/page", {}, agent)
    expect([miss.headers["cache-status"], cookieOf(miss)]).toEqual([expect.stringContaining("stored"), expect.stringMatching(/^home=/)])
    await until(async () => String((await ask(shop.port, "/page", {}, agent)).headers["cache-status"]).includes("hit"))
    const hit = await ask(shop.port, "/page", {}, agent)
    expect(hit.headers["set-cookie"]).toBeUndefined()
    // With our cookie the request is still one that may be answered from, and stored in, the cache.
    const withCookie = await ask(shop.port, "/page-2", { Cookie: cookieOf(miss)! }, agent)
    expect([withCookie.headers["cache-status"], withCookie.body, withCookie.headers["set-cookie"]]).toEqual([
      expect.stringContaining("stored"),
      miss.body,
      undefined,
    ])
  })

  test("of a peer that refuses: the retry goes to another one, which is the home from then on", async () => {
    const alive = await tellingPeers(1)
    const doomed = await tellingPeers(1)
    await using shop = await start([alive[0]!.address, doomed[0]!.address], { cookie: { name: "home" } })
    const client = new Client()
    for (let i = 0; i < 20 && client.home !== doomed[0]!.address; i++) {
      client.cookie = ""
      await client.visit(shop.port)
    }
    await doomed[0]!.stop()
    const before = client.cookie
    expect([await client.visit(shop.port), client.home, client.cookie === before]).toEqual([true, alive[0]!.address, false])
    expect(await client.visit(shop.port)).toBe(false)
    await stopAll(alive)
  })
})
