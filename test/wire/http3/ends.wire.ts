import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config, secureListener } from "../../support/h3/secure-config.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// How connections of HTTP/3 end.
let release: () => void = () => {}
const upstream: ScriptedServer = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    if (head.includes(" /held ")) await new Promise<void>(resolve => (release = resolve))
    const path = head.split(" ")[1]!
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`)
  }
})
afterAll(() => upstream.close().catch(() => {}))
const change = { method: "POST", headers: { "X-Bothways": "1" } }
const reload = async (proxy: Bothways, next: object): Promise<void> => {
  proxy.rewrite(next)
  expect((await proxy.ask("/reload", change)).status).toBe(200)
}
const config = (admin: number, listeners: object, routes: object[] = [{ match: {}, to: { cluster: "a" } }]) => ({
  workers: 1,
  admin: { bind: `127.0.0.1:${admin}` },
  listeners,
  clusters: { a: { peers: [upstream.address] } },
  routes,
})
const at = (port: number, more: object = {}) => ({ bind: `127.0.0.1:${port}`, ...secureListener(), ...more })

/** A held request is under way; `end` begins the end of the listener, or of the program. */
async function endsGently(port: number, end: () => unknown): Promise<void> {
  using client = await rawH3Client(port)
  expect((await client.request().response()).status).toBe(200)
  const seen = upstream.received.length
  const held = client.request({ ":path": "/held" })
  await until(() => upstream.received.indexOf(" /held ", seen) > 0)
  await end()
  await until(() => client.goneAway, undefined, "GOAWAY")
  release()
  expect(await held.response()).toMatchObject({ status: 200, body: "/held", ended: true })
  expect(await client.ended()).toBe("")
}

describe("the end", () => {
  test("SIGTERM: what is under way is served, and the program ends by itself", async () => {
    const port = await freePort()
    await using proxy = await startBothways(http3Config(port, upstream.address))
    await endsGently(port, () => proxy.program.signal("SIGTERM"))
    expect(await proxy.program.exit()).toBe(0)
    expect(proxy.log().filter(line => line["status"] !== 200)).toEqual([])
  })
  test("SIGTERM with an idle connection: it ends, too", async () => {
    const port = await freePort()
    await using proxy = await startBothways(http3Config(port, upstream.address))
    using client = await rawH3Client(port)
    await client.request().response()
    const before = performance.now()
    proxy.program.signal("SIGTERM")
    expect(await client.ended()).toBe("")
    expect(await proxy.program.exit()).toBe(0)
    expect(performance.now() - before).toBeLessThan(3000)
  })
  test("a reload that removes the listener; one that adds it again", async () => {
    const [port, other, admin] = (await freePorts(3)) as [number, number, number]
    await using proxy = await startBothways(config(admin, { web: at(port), other: at(other) }))
    await endsGently(port, () => reload(proxy, config(admin, { other: at(other) })))
    await expect(rawH3Client(port, { timeoutMs: 500 })).rejects.toThrow()
    await reload(proxy, config(admin, { web: at(port), other: at(other) }))
    using client = await rawH3Client(port)
    expect((await client.request().response()).status).toBe(200)
  }, 20_000)
  test("a reload that takes http3 away: TCP goes on and does not offer it any more", async () => {
    const [port, admin] = (await freePorts(2)) as [number, number]
    await using proxy = await startBothways(config(admin, { web: at(port) }))
    await endsGently(port, () => reload(proxy, config(admin, { web: at(port, { http3: false }) })))
    const answer = await fetch(`https://127.0.0.1:${port}/`, { tls: { rejectUnauthorized: false } })
    expect([answer.status, answer.headers.get("alt-svc")]).toEqual([200, null])
  })
})

describe("limits of a connection", () => {
  test("requestsMax: the last ones are served, then it ends", async () => {
    const port = await freePort()
    await using proxy = await startBothways(http3Config(port, upstream.address, { listener: { limits: { requestsMax: 3 } } }))
    using client = await rawH3Client(port)
    for (let i = 0; i < 3; i++) expect((await client.request().response()).status).toBe(200)
    expect(await client.ended()).toBe("")
    expect(client.goneAway).toBe(true)
    await until(() => proxy.log().length === 3)
  })
  test("connectionsMax and its metric hold for both kinds of connection together", async () => {
    const port = await freePort()
    await using proxy = await startBothways(http3Config(port, upstream.address, { listener: { limits: { connectionsMax: 3 } } }))
    const clients = [await rawH3Client(port), await rawH3Client(port), await rawH3Client(port)]
    const fourth = await rawH3Client(port).catch(() => null)
    if (fourth !== null) await fourth.ended()
    for (const client of clients) client.destroy()
    const client = await until(async () => {
      const one = await rawH3Client(port).catch(() => null)
      return one !== null && (await one.request().response()).status === 200 ? one : null
    })
    client.destroy()
    expect(proxy.program.hasExited).toBe(false)
  })
  test("idle: an idle connection ends", async () => {
    const port = await freePort()
    await using _proxy = await startBothways(http3Config(port, upstream.address, { listener: { timeouts: { idle: "1s" } } }))
    using client = await rawH3Client(port)
    expect((await client.request().response()).status).toBe(200)
    const before = performance.now()
    await client.ended(8000)
    expect(performance.now() - before).toBeGreaterThan(500)
  })
})
