import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { scaled } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// K10 O-33, from the outside: fall 3, rise 2. Probes ask for /probe, requests for /.

const EVERY_MS = 50
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** An upstream whose probes and requests do as they are told. */
class Upstream {
  server: ScriptedServer | null = null
  probes = 0
  /** "ok", "fail", or how long the answer takes. */
  probe: (count: number) => "ok" | "fail" | number = () => "ok"
  /** Answers requests; false = resets. */
  serves: (count: number) => boolean = () => true
  private requests = 0

  async start(port = 0): Promise<this> {
    this.server = await scriptedServer(connection => this.play(connection), { port })
    return this
  }

  private async play(connection: RawSocket): Promise<void> {
    for (;;) {
      const { start } = await connection.request(20_000)
      if (!start.includes("/probe")) {
        if (!this.serves(++this.requests)) return connection.reset()
        connection.send(OK)
        continue
      }
      const what = this.probe(++this.probes)
      if (typeof what === "number") await pause(what)
      connection.send(what === "fail" ? "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" : OK)
    }
  }

  async stop(): Promise<number> {
    const { port } = this.server!
    await this.server!.close().catch(() => {})
    this.server = null
    return port
  }
}

const clusters = {
  blips: { every: "50ms", peers: 2 },
  down: { every: "50ms", peers: 2 },
  single: { every: null, peers: 1 },
  allTry: { every: "50ms", peers: 2 },
  allFail: { every: "50ms", peers: 2 },
  slow: { every: "50ms", peers: 2 },
} as const
type Name = keyof typeof clusters

const upstreams = {} as Record<Name, Upstream[]>
const ports = {} as Record<Name, number>
let proxy: Bothways

beforeAll(async () => {
  const names = Object.keys(clusters) as Name[]
  const free = await freePorts(names.length)
  const settings: Record<string, object> = {}
  for (const [index, name] of names.entries()) {
    ports[name] = free[index]!
    upstreams[name] = []
    for (let i = 0; i < clusters[name].peers; i++) upstreams[name].push(await new Upstream().start())
    const { every } = clusters[name]
    const http = { path: "/probe", every, timeout: "100ms", rise: 2, fall: 3, jitter: 0 }
    settings[name] = {
      peers: upstreams[name].map(upstream => upstream.server!.address),
      health: every === null ? { passive: { failures: 5, eject: "10s" } } : { http, passive: "off" },
      allDown: name === "allFail" ? "fail" : "try",
      timeouts: { head: "1s" },
    }
  }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports[name]}` }])),
    clusters: settings,
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const list of Object.values(upstreams)) for (const upstream of list) await upstream.server?.close().catch(() => {})
})

interface PeerEntry {
  readonly name: string
  readonly health: string
  readonly available: boolean
  readonly ejections: number
}

async function peerOf(name: Name, index: number): Promise<PeerEntry> {
  const status = (await (await proxy.ask("/status")).json()) as { clusters: { name: string; peers: PeerEntry[] }[] }
  return status.clusters.find(cluster => cluster.name === name)!.peers[index]!
}

async function ask(name: Name): Promise<number> {
  using client = await rawClient(ports[name])
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  return (await client.response()).status
}

/** Lines of the operational log about a peer that came up or went down. */
function told(name: Name, address: string): string[] {
  const text = `${proxy.program.stderr}\n${proxy.program.lines.join("\n")}`
  return text.split("\n").filter(line => line.includes(`cluster=${name} `) && line.includes(address) && /a peer is (up|down)/.test(line))
}

describe.concurrent("O-33", () => {
  test("a: one probe in five fails: the peer is never taken out", async () => {
    const [flaky] = upstreams.blips as [Upstream, Upstream]
    await until(async () => (await peerOf("blips", 0)).health === "up")
    const { probes } = flaky
    flaky.probe = count => (count % 5 === 0 ? "fail" : "ok")
    const end = performance.now() + scaled(1000, 10_000)
    while (performance.now() < end) {
      expect(await peerOf("blips", 0)).toMatchObject({ health: "up", available: true })
      await pause(10)
    }
    expect(flaky.probes - probes).toBeGreaterThan(10)
    expect(told("blips", flaky.server!.address).length).toBe(1)
  })

  test("b: down after three probes, in again after two, told once each", async () => {
    const [first, second] = upstreams.down as [Upstream, Upstream]
    const { address } = first.server!
    await until(async () => (await peerOf("down", 0)).health === "up")
    const stopped = performance.now()
    const port = await first.stop()
    await until(async () => (await peerOf("down", 0)).health === "down")
    const took = performance.now() - stopped
    expect(took).toBeGreaterThan(1.5 * EVERY_MS)
    expect(took).toBeLessThan(20 * EVERY_MS)
    // Out: it is not even tried, so nothing is repeated.
    const before = second.server!.connections.length
    for (let i = 0; i < 10; i++) expect(await ask("down")).toBe(200)
    expect(second.server!.connections.length).toBeGreaterThanOrEqual(before)
    const probes = first.probes
    await first.start(port)
    await until(async () => (await peerOf("down", 0)).health === "up")
    expect(first.probes - probes).toBeGreaterThanOrEqual(2)
    await pause(5 * EVERY_MS)
    expect(told("down", address).map(line => /a peer is (\w+)/.exec(line)![1])).toEqual(["up", "down", "up"])
  })

  test("c: the only peer resets one request in ten, then five in a row: it stays in service", async () => {
    const [only] = upstreams.single as [Upstream]
    only.serves = count => count % 10 !== 0
    for (let i = 0; i < 60; i++) expect(await ask("single")).toBe(200)
    only.serves = () => false
    for (let i = 0; i < 8; i++) expect(await ask("single")).toBe(502)
    expect(await peerOf("single", 0)).toMatchObject({ available: true, ejections: 0 })
    only.serves = () => true
    expect(await ask("single")).toBe(200)
  })

  test("d: all fail their probes but would answer: allDown: try asks them all the same", async () => {
    for (const upstream of upstreams.allTry) upstream.probe = () => "fail"
    await until(async () => (await peerOf("allTry", 0)).health === "down" && (await peerOf("allTry", 1)).health === "down")
    for (let i = 0; i < 10; i++) expect(await ask("allTry")).toBe(200)
  })

  test("d: allDown: fail answers 503 at once, and serves again within two probes", async () => {
    for (const upstream of upstreams.allFail) upstream.probe = () => "fail"
    await until(async () => (await peerOf("allFail", 0)).health === "down" && (await peerOf("allFail", 1)).health === "down")
    const startedAt = performance.now()
    expect(await ask("allFail")).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(100)
    for (const upstream of upstreams.allFail) upstream.probe = () => "ok"
    const recovered = performance.now()
    await until(async () => (await ask("allFail")) === 200)
    expect(performance.now() - recovered).toBeLessThan(12 * EVERY_MS)
  })

  test("e: a probe that is answered well but too late has failed", async () => {
    const [slow] = upstreams.slow as [Upstream, Upstream]
    await until(async () => (await peerOf("slow", 0)).health === "up")
    slow.probe = () => 250
    await until(async () => (await peerOf("slow", 0)).health === "down")
    expect(await peerOf("slow", 1)).toMatchObject({ health: "up" })
    expect(await ask("slow")).toBe(200)
    slow.probe = () => "ok"
    await until(async () => (await peerOf("slow", 0)).health === "up")
  })
})
