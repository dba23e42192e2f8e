import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// What a pool keeps, how many it opens, and who waits.

/** Each listener has a cluster of its name with these settings and an upstream of its own that answers after `?after` milliseconds. */
const pools: Record<string, object> = {
  plain: {},
  idle: { pool: { idleTimeout: "200ms" } },
  few: { pool: { idleMax: 1 } },
  limited: { pool: { connectionsMax: 2, waitTimeout: "5s" } },
  impatient: { pool: { connectionsMax: 1, waitTimeout: "150ms" } },
  crowded: { pool: { connectionsMax: 1, waitersMax: 1, waitTimeout: "5s" } },
  worn: { pool: { requestsMax: 3 } },
}

const ports = new Map<string, number>()
const upstreams = new Map<string, ScriptedServer>()
let proxy: Bothways

/** Open at the same moment, at the most. */
const most = new Map<string, number>()

beforeAll(async () => {
  const names = [...Object.keys(pools), "spare"]
  const free = await freePorts(names.length)
  for (const [index, name] of names.entries()) {
    ports.set(name, free[index]!)
    upstreams.set(name, await scriptedServer(connection => serve(name, connection)))
  }
  const clusters = Object.fromEntries(
    Object.entries(pools).map(([name, settings]) => [name, { peers: [upstreams.get(name)!.address], health: { passive: "off" }, ...settings }]),
  )
  // Two peers, each with room for one connection and nobody who waits.
  const spare = { peers: [upstreams.get("crowded")!.address, upstreams.get("spare")!.address], pool: { connectionsMax: 1, waitersMax: 0 } }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports.get(name)}` }])),
    clusters: { ...clusters, spare },
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const upstream of upstreams.values()) await upstream.close().catch(() => {})
})

async function serve(name: string, connection: ScriptedServer["connections"][number]): Promise<void> {
  const open = upstreams.get(name)!.connections.filter(one => one.ending === "open").length
  most.set(name, Math.max(most.get(name) ?? 0, open))
  for (;;) {
    const { start } = await connection.request(20_000)
    const after = /after=(\d+)/.exec(start)
    if (after !== null) await pause(Number(after[1]))
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
  }
}

async function ask(name: string, after = 0): Promise<number> {
  using client = await rawClient(ports.get(name)!)
  client.send(`GET /?after=${after} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  return (await client.response()).status
}

const openConnections = (name: string): number => upstreams.get(name)!.connections.filter(one => one.ending === "open").length

async function pool(name: string): Promise<{ busy: number; idle: number }> {
  const status = (await (await proxy.ask("/status")).json()) as { workers: { detail: { pools: Record<string, { busy: number; idle: number }> } }[] }
  const { busy, idle } = status.workers[0]!.detail.pools[name]!
  return { busy, idle }
}

describe.concurrent("pools", () => {
  test("connections are used again, for whatever client", async () => {
    for (let i = 0; i < 20; i++) expect(await ask("plain")).toBe(200)
    expect(upstreams.get("plain")!.connections.length).toBe(1)
    expect(await pool("plain")).toEqual({ busy: 0, idle: 1 })
  })

  test("idleTimeout closes what nobody used", async () => {
    expect(await Promise.all([ask("idle", 50), ask("idle", 50), ask("idle", 50)])).toEqual([200, 200, 200])
    expect(openConnections("idle")).toBe(3)
    await pause(100)
    // The one that is used stays, the surplus goes.
    const kept = performance.now() + 300
    while (performance.now() < kept) {
      await ask("idle")
      await pause(20)
    }
    expect(openConnections("idle")).toBe(1)
    await until(() => openConnections("idle") === 0, 1500, "the close of the last one")
    expect(await pool("idle")).toEqual({ busy: 0, idle: 0 })
    expect(await ask("idle")).toBe(200)
  })

  test("idleMax bounds what is kept", async () => {
    expect(await Promise.all([ask("few", 50), ask("few", 50), ask("few", 50)])).toEqual([200, 200, 200])
    await until(() => openConnections("few") === 1, 1000, "the close of the others")
  })

  test("connectionsMax: never more at once; the others wait their turn and are served", async () => {
    const statuses = await Promise.all(Array.from({ length: 12 }, () => ask("limited", 20)))
    expect(statuses).toEqual(Array.from({ length: 12 }, () => 200))
    expect(most.get("limited")).toBe(2)
    expect(upstreams.get("limited")!.connections.length).toBe(2)
  })

  test("a client that leaves the queue takes nothing with it", async () => {
    const slow = ask("limited", 200)
    const slow2 = ask("limited", 200)
    await pause(30)
    using leaver = await rawClient(ports.get("limited")!)
    leaver.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await pause(30)
    leaver.reset()
    expect(await Promise.all([slow, slow2, ask("limited"), ask("limited")])).toEqual([200, 200, 200, 200])
    await until(async () => (await pool("limited")).busy === 0, 1000, "an empty pool")
  })

  test("waitTimeout: 503, and the log says why", async () => {
    const slow = ask("impatient", 600)
    await pause(50)
    const startedAt = performance.now()
    expect(await ask("impatient")).toBe(503)
    const waited = performance.now() - startedAt
    expect(waited).toBeGreaterThan(120)
    expect(waited).toBeLessThan(500)
    expect(await slow).toBe(200)
    await until(() => proxy.log().some(line => line.fault === "upstream.pool-exhausted"))
  })

  test("waitersMax: the queue is full, 503 at once; another peer with room is taken instead", async () => {
    const slow = ask("crowded", 1000)
    await pause(50)
    const waits = ask("crowded")
    await pause(30)
    const startedAt = performance.now()
    expect(await ask("crowded")).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(600)
    expect(await Promise.all([slow, waits])).toEqual([200, 200])
    const both = [ask("spare", 800), ask("spare", 800)]
    await pause(60)
    expect(await ask("spare")).toBe(503)
    expect(await Promise.all(both)).toEqual([200, 200])
  })

  test("requestsMax: a connection serves so many and no more", async () => {
    for (let i = 0; i < 9; i++) expect(await ask("worn")).toBe(200)
    const { connections } = upstreams.get("worn")!
    expect(connections.map(one => one.received.split("GET ").length - 1)).toEqual([3, 3, 3])
    await until(() => openConnections("worn") === 0, 1000, "the close of the last one")
  })
})
