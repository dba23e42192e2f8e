import { afterAll, expect, test } from "bun:test"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config, secureListener, testSite } from "../../support/h3/secure-config.ts"
import { freePort, freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { scrape } from "../../support/scrape.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// Connections of HTTP/3 over reloads, renewed certificates and workers.
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
const configOf = (admin: number, listeners: object, routes: object[] = [{ match: {}, to: { cluster: "a" } }]) => ({
  workers: 1,
  admin: { bind: `127.0.0.1:${admin}` },
  listeners,
  clusters: { a: { peers: [upstream.address] } },
  routes,
})
const at = (port: number, more: object = {}) => ({ bind: `127.0.0.1:${port}`, ...secureListener(), ...more })

test("a reload that changes routes: connections live on, and the next request sees them", async () => {
  const [port, admin] = (await freePorts(2)) as [number, number]
  await using proxy = await startBothways(configOf(admin, { web: at(port) }))
  using client = await rawH3Client(port)
  expect((await client.request({ ":path": "/a" }).response()).body).toBe("/a")
  const seen = upstream.received.length
  const held = client.request({ ":path": "/held" })
  await until(() => upstream.received.indexOf(" /held ", seen) > 0)
  await reload(proxy, configOf(admin, { web: at(port) }, [{ match: {}, to: { respond: { body: "new" } } }]))
  expect((await client.request({ ":path": "/a" }).response()).body).toBe("new")
  release()
  expect((await held.response()).body).toBe("/held")
  expect([client.closed, client.goneAway]).toEqual([null, false])
})

for (const workers of [1, 2])
  test(`a reload that changes the listener itself loses no request and takes new connections, workers: ${workers}`, async () => {
    const [port, admin] = (await freePorts(2)) as [number, number]
    const config = (admin: number, listeners: object) => ({ ...configOf(admin, listeners), workers })
    await using proxy = await startBothways(config(admin, { web: at(port) }))
    let over = false
    let served = 0
    const load = async (): Promise<void> => {
      while (!over) {
        using client = await rawH3Client(port)
        for (let i = 0; i < 20 && !client.goneAway && !over; i++) {
          const stream = client.request()
          const answer = await stream.response()
          // What came behind GOAWAY was not served, and the client knows.
          if (answer.status !== 200 && (answer.resetCode === 0x10b || !stream.quic!.isMade)) continue
          expect([answer.status, answer.ended, stream.state]).toEqual([200, true, stream.state])
          served++
        }
      }
    }
    const loads = Promise.all([load(), load(), load()])
    for (let round = 1; round <= 3; round++) {
      await reload(proxy, config(admin, { web: at(port, { timeouts: { handshake: `${5 + round}s` } }) }))
      const before = served
      await until(() => served > before + 30)
    }
    over = true
    await loads
    expect(proxy.log().filter(line => line["status"] !== 200)).toEqual([])
  }, 20_000)

test("certificates that change on disk are used by new connections, old ones live on", async () => {
  const [port, folder] = [await freePort(), temporaryFolder("renewed")]
  const former = testSite()
  const next = new Authority("another CA")
  const place = (pair: { certFile: string; keyFile: string }): void => {
    copyFileSync(pair.certFile, join(folder, "cert.pem"))
    copyFileSync(pair.keyFile, join(folder, "key.pem"))
  }
  place(former.site)
  const tls = { certificates: [{ cert: join(folder, "cert.pem"), key: join(folder, "key.pem") }] }
  await using _proxy = await startBothways(http3Config(port, upstream.address, { listener: { tls } }))
  using old = await rawH3Client(port, { ca: former.authority.ca.cert })
  await expect(rawH3Client(port, { ca: next.ca.cert })).rejects.toThrow("tls")
  place(next.issue(["a.test"]))
  const renewed = await until(() => rawH3Client(port, { ca: next.ca.cert }).catch(() => null), 8000, "the new certificate")
  expect((await renewed.request().response()).status).toBe(200)
  expect((await old.request().response()).status).toBe(200)
  renewed.destroy()
}, 15_000)

test("two workers: many connections, each served whole", async () => {
  const port = await freePort()
  await using proxy = await startBothways(http3Config(port, upstream.address), { workers: 2 })
  const clients = await Promise.all(Array.from({ length: 30 }, () => rawH3Client(port)))
  const answers = await Promise.all(
    clients.flatMap((client, i) => Array.from({ length: 20 }, (_, j) => client.request({ ":path": `/${i}-${j}` }).response())),
  )
  expect(answers.map(({ body }) => body)).toEqual(clients.flatMap((_, i) => Array.from({ length: 20 }, (_, j) => `/${i}-${j}`)))
  const open = async () => (await scrape(proxy)).get('bothways_connections_open{listener="web"}')
  expect(await open()).toBe(30)
  for (const client of clients) client.destroy()
  await until(async () => (await open()) === 0)
})
