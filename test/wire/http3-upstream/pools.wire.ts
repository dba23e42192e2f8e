import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { writeFileSync } from "node:fs"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { h3Origin, type H3Script } from "../../support/h3/h3-origin.ts"
import { testSite } from "../../support/h3/secure-config.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { startProgram, temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { pause, until } from "../../support/wait.ts"

// Connections to peers over HTTP/3: how many, how long, and who else speaks it.
const trusted = { ca: testSite().authority.ca.certFile, serverName: "a.test" }
const change = { method: "POST", headers: { "X-Bothways": "1" } }
const config = (admin: number, port: number, peer: string, cluster: object = {}, route: object = {}) => ({
  workers: 1,
  admin: { bind: `127.0.0.1:${admin}` },
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [peer], protocol: "http3", tls: trusted, ...cluster } },
  routes: [{ match: {}, to: { cluster: "a" }, ...route }],
})
const get = (port: number, path = "/", init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}${path}`, init)

interface Totals {
  busy: number
  idle: number
}
async function pools(proxy: Bothways): Promise<Totals> {
  const { workers } = (await (await proxy.ask("/status")).json()) as { workers: { pools?: Record<string, Totals> }[] }
  return workers[0]?.pools?.["a"] ?? { busy: -1, idle: -1 }
}

describe("how many requests share a connection", () => {
  test("no more than the cluster's streamsMax, and no more than the peer's; the rest waits or dials", async () => {
    const slow: H3Script = async exchange => {
      await pause(50)
      await exchange.respond(200, "ok")
    }
    await using origin = h3Origin({ script: slow, limits: { streamsMax: 10 } })
    const [port, admin] = (await freePorts(2)) as [number, number]
    await using _proxy = await startBothways(config(admin, port, origin.address))
    const answers = await Promise.all(Array.from({ length: 60 }, () => get(port)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(Math.max(...origin.connections.map(({ mostStreams }) => mostStreams))).toBeLessThanOrEqual(10)
    expect(origin.connections.length).toBeGreaterThan(1)
    expect(origin.connections.length).toBeLessThan(60)
  })
  test("connectionsMax holds: one connection, and the queue", async () => {
    const slow: H3Script = async exchange => {
      await pause(10)
      await exchange.respond(200, "ok")
    }
    await using origin = h3Origin({ script: slow })
    const [port, admin] = (await freePorts(2)) as [number, number]
    const pool = { connectionsMax: 1, streamsMax: 5, waitersMax: 200 }
    await using _proxy = await startBothways(config(admin, port, origin.address, { pool }))
    const answers = await Promise.all(Array.from({ length: 60 }, () => get(port)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect([origin.connections.length, origin.connections[0]!.mostStreams <= 5]).toEqual([1, true])
  })
  test("requests that are given up leave their places: a hundred times over what the peer takes at once", async () => {
    await using origin = h3Origin({
      script: exchange => (exchange.path === "/hold" ? undefined : exchange.respond(200, "ok")),
      limits: { streamsMax: 5 },
    })
    const [port, admin] = (await freePorts(2)) as [number, number]
    await using proxy = await startBothways(config(admin, port, origin.address, { pool: { connectionsMax: 1, waitersMax: 100 } }))
    for (let round = 0; round < 20; round++) {
      const clients = await Promise.all(Array.from({ length: 25 }, () => rawClient(port)))
      for (const client of clients) client.send("GET /hold HTTP/1.1\r\nHost: a.test\r\n\r\n")
      if (round % 2 === 0) await pause(5)
      for (const client of clients) client.reset()
      expect((await get(port)).status).toBe(200)
    }
    await until(async () => (await pools(proxy)).busy <= 0)
  }, 15_000)
})

test("a reload that keeps the cluster keeps its connection; one that changes its TLS does not", async () => {
  await using origin = h3Origin()
  const [port, admin] = (await freePorts(2)) as [number, number]
  await using proxy = await startBothways(config(admin, port, origin.address))
  const reload = async (next: object): Promise<void> => {
    proxy.rewrite(next)
    expect((await proxy.ask("/reload", change)).status).toBe(200)
  }
  expect((await get(port)).status).toBe(200)
  await reload(config(admin, port, origin.address, {}, { name: "renamed" }))
  expect((await get(port)).status).toBe(200)
  expect(origin.connections.length).toBe(1)
  await reload(config(admin, port, origin.address, { tls: { ...trusted, verify: false } }))
  expect((await get(port)).status).toBe(200)
  expect(origin.connections.length).toBe(2)
  await until(() => origin.connections[0]!.closed !== null)
})

test("an idle connection ends after the pool's idleTimeout", async () => {
  await using origin = h3Origin()
  const [port, admin] = (await freePorts(2)) as [number, number]
  await using _proxy = await startBothways(config(admin, port, origin.address, { pool: { idleTimeout: "500ms" } }))
  expect((await get(port)).status).toBe(200)
  const at = performance.now()
  await until(() => origin.connections[0]!.closed !== null, 3000)
  expect(performance.now() - at).toBeGreaterThan(300)
  expect((await get(port)).status).toBe(200)
})

test("another server's HTTP/3: ngtcp2's", async () => {
  const [port, admin, peer] = (await freePorts(3)) as [number, number, number]
  const root = temporaryFolder("htdocs")
  const file = "0123456789abcdef".repeat(20_000)
  writeFileSync(join(root, "file.txt"), file)
  const { keyFile, certFile } = testSite().site
  await using server = startProgram("gtlsserver", "/usr/sbin/gtlsserver", ["-q", "-d", root, "127.0.0.1", String(peer), keyFile, certFile])
  await using proxy = await startBothways(config(admin, port, `127.0.0.1:${peer}`, { timeouts: { connect: "1s" } }))
  const first = await until(async () => {
    const answer = await get(port, "/file.txt")
    return answer.status === 200 ? answer : null
  })
  expect(await first.text()).toBe(file)
  const many = await Promise.all(Array.from({ length: 50 }, async () => (await get(port, "/file.txt")).text()))
  expect(many.every(text => text === file)).toBe(true)
  expect((await get(port, "/absent")).status).toBe(404)
  expect((await get(port, "/file.txt", { method: "HEAD" })).headers.get("content-length")).toBe(String(file.length))
  expect(server.hasExited).toBe(false)
  expect(proxy.log().at(-1)?.["peer"]).toBe(`127.0.0.1:${peer}`)
  expect(await freePort()).toBeGreaterThan(0)
}, 15_000)
