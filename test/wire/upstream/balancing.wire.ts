import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// Who gets a request, over real connections. The balancers' own properties are tested beside them.

const PEERS = 4
const hash = (key: string, more: object = {}) => ({ "consistent-hash": { key, ...more } })

/** Listener and cluster of one name. `weights` of the peers; "b" marks a backup. */
const clusters: Record<string, { weights: readonly (number | "b")[]; settings: object }> = {
  weighted: { weights: [3, 1], settings: {} },
  off: { weights: [1, 0], settings: {} },
  random: { weights: [1, 1, 1], settings: { balance: "random" } },
  least: { weights: [1, 1], settings: { balance: "least-requests" } },
  two: { weights: [1, 1, 1], settings: { balance: "power-of-two" } },
  header: { weights: [1, 1, 1, 1], settings: { balance: hash("header:X-Key") } },
  cookie: { weights: [1, 1, 1, 1], settings: { balance: hash("cookie:sid", { algorithm: "ring" }) } },
  client: { weights: [1, 1, 1, 1], settings: { balance: hash("client") } },
  path: { weights: [1, 1, 1, 1], settings: { balance: hash("path") } },
  moved: { weights: [1, 1, 1, 1], settings: { balance: hash("header:X-Key"), health: { tcp: { every: "30ms", rise: 1, fall: 1, jitter: 0 } } } },
  backup: { weights: [1, "b"], settings: { health: { tcp: { every: "30ms", rise: 1, fall: 1, jitter: 0 } } } },
}

const ports = new Map<string, number>()
const peers: ScriptedServer[] = []
/** Own peers of the clusters whose peers stop. */
const own = new Map<string, ScriptedServer[]>()
let proxy: Bothways

const serve =
  (index: number) =>
  async (connection: ScriptedServer["connections"][number]): Promise<void> => {
    for (;;) {
      const { start } = await connection.request(20_000).catch(() => ({ start: "" }))
      if (start === "") return
      const slow = /slow(\d)=(\d+)/.exec(start)
      if (slow !== null && Number(slow[1]) === index) await pause(Number(slow[2]))
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${index}`)
    }
  }

beforeAll(async () => {
  for (let index = 0; index < PEERS; index++) peers.push(await scriptedServer(serve(index)))
  const names = Object.keys(clusters)
  const free = await freePorts(names.length)
  const settings: Record<string, object> = {}
  for (const [at, name] of names.entries()) {
    ports.set(name, free[at]!)
    const { weights, settings: more } = clusters[name]!
    let list = peers
    if ("health" in more) {
      list = []
      for (let index = 0; index < weights.length; index++) list.push(await scriptedServer(serve(index)))
      own.set(name, list)
    }
    const entries = weights.map((weight, index) => ({ address: list[index]!.address, ...(weight === "b" ? { backup: true } : { weight }) }))
    settings[name] = { peers: entries, ...more }
  }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports.get(name)}` }])),
    clusters: settings,
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const server of [...peers, ...[...own.values()].flat()]) await server.close().catch(() => {})
})

/** Index of the peer that answered. */
async function ask(client: RawClient, fields = "", path = "/"): Promise<number> {
  client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
  const { status, body } = await client.response()
  expect(status).toBe(200)
  return Number(body)
}

async function tally(name: string, count: number, fields: (i: number) => string = () => "", path: (i: number) => string = () => "/") {
  using client = await rawClient(ports.get(name)!)
  const seen = Array.from({ length: PEERS }, () => 0)
  for (let i = 0; i < count; i++) seen[await ask(client, fields(i), path(i))]!++
  return seen
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

describe("shares", () => {
  test("round-robin by weight, exactly; weight 0 gets nothing", async () => {
    expect(await tally("weighted", 40)).toEqual([30, 10, 0, 0])
    expect(await tally("off", 10)).toEqual([10, 0, 0, 0])
  })

  test("random and power-of-two use everybody", async () => {
    for (const name of ["random", "two"]) {
      const seen = await tally(name, 120)
      expect(sum(seen)).toBe(120)
      for (const count of seen.slice(0, 3)) expect(count).toBeGreaterThan(15)
    }
  })

  test("least-requests keeps away from a peer that is slow", async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await pause(i * 4)
        using client = await rawClient(ports.get("least")!)
        return await ask(client, "", "/?slow0=400")
      }),
    )
    const slow = answers.filter(index => index === 0).length
    expect(slow).toBeGreaterThan(0)
    expect(slow).toBeLessThan(15)
  })
})

describe("consistent hash", () => {
  const keyed: Record<string, (key: number) => string> = {
    header: key => `X-Key: user-${key}\r\n`,
    cookie: key => `Cookie: a=1; sid=session-${key}; b=2\r\n`,
  }
  for (const [name, fields] of Object.entries(keyed)) {
    test(`by ${name}: a key stays where it is, keys are spread`, async () => {
      using client = await rawClient(ports.get(name)!)
      const homes: number[] = []
      for (let key = 0; key < 60; key++) homes.push(await ask(client, fields(key)))
      for (let key = 0; key < 60; key++) expect(await ask(client, fields(key))).toBe(homes[key]!)
      for (let index = 0; index < PEERS; index++) expect(homes.filter(home => home === index).length).toBeGreaterThan(3)
      // Without the key the client's address stands in for it.
      expect(await ask(client)).toBe(await ask(client))
    })
  }

  test("by path", async () => {
    const first = await tally("path", 1, undefined, () => "/a")
    expect(await tally("path", 8, undefined, () => "/a")).toEqual(first.map(count => count * 8))
    expect((await tally("path", 60, undefined, i => `/p/${i}`)).every(count => count > 2)).toBe(true)
  })

  test("by client address, over all its connections", async () => {
    const homes = new Set<number>()
    for (let last = 1; last <= 24; last++) {
      const from = `127.0.5.${last}`
      using one = await rawClient(ports.get("client")!, { from })
      using two = await rawClient(ports.get("client")!, { from })
      const home = await ask(one)
      expect([await ask(one), await ask(two)]).toEqual([home, home])
      homes.add(home)
    }
    expect(homes.size).toBeGreaterThan(2)
  })

  test("a peer that goes takes only its own keys with it", async () => {
    using client = await rawClient(ports.get("moved")!)
    const field = (key: number): string => `X-Key: user-${key}\r\n`
    const before: number[] = []
    for (let key = 0; key < 60; key++) before.push(await ask(client, field(key)))
    const lost = before[0]!
    await own.get("moved")![lost]!.close()
    await until(async () => (await up("moved")) === 3)
    let moved = 0
    for (let key = 0; key < 60; key++) {
      const home = await ask(client, field(key))
      if (before[key] === lost) expect(home).not.toBe(lost)
      else if (home !== before[key]) moved++
    }
    expect(moved).toBe(0)
  })
})

/** Peers of a cluster that probes say are up. */
async function up(name: string): Promise<number> {
  const status = (await (await proxy.ask("/status")).json()) as { clusters: { name: string; peers: { health: string }[] }[] }
  return status.clusters.find(cluster => cluster.name === name)!.peers.filter(peer => peer.health === "up").length
}

test("a backup serves while no primary can, and no longer", async () => {
  const [primary] = own.get("backup")!
  const { port } = primary!
  expect(await tally("backup", 6)).toEqual([6, 0, 0, 0])
  await primary!.close()
  // Before the probe knows: refused, and repeated at the backup.
  expect(await tally("backup", 6)).toEqual([0, 6, 0, 0])
  await until(async () => (await up("backup")) === 1)
  expect(await tally("backup", 6)).toEqual([0, 6, 0, 0])
  const again = await scriptedServer(serve(0), { port })
  own.get("backup")![0] = again
  await until(async () => (await up("backup")) === 2)
  expect(await tally("backup", 6)).toEqual([6, 0, 0, 0])
})
