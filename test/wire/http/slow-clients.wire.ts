import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { BulkSource } from "../../support/bulk.ts"
import { Authority } from "../../support/certificates.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { startProgram } from "../../support/processes.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// K14 O-46: two hundred connections of each kind of slowness, and an honest client that is always answered. Limits fire by themselves, not when
// the next octet comes.

const COUNT = 200
/** Between two octets of a slow client. */
const DRIP_MS = scaled(150, 5000)
const LIMIT_MS = scaled(700, 12_000)
/** More than the buffers of two connections hold. */
const LARGE = 64 * 1024 * 1024
const duration = (ms: number): string => `${ms}ms`

let upstream: ScriptedServer
let proxy: Bothways
let ports: { web: number; rated: number; tls: number; forward: number }

beforeAll(async () => {
  const [web, rated, tls, forward] = (await freePorts(4)) as [number, number, number, number]
  ports = { web, rated, tls, forward }
  upstream = await scriptedServer(async connection => {
    for (;;) {
      const head = await connection.head(60_000)
      if (head.startsWith("GET /large")) {
        connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${LARGE}\r\n\r\n`)
        await new BulkSource(connection.socket, LARGE).run()
      } else if (head.startsWith("GET")) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  const { certFile, keyFile } = new Authority().issue(["a.test"])
  const limit = duration(LIMIT_MS)
  const listener = (port: number, timeouts: object) => ({ bind: `127.0.0.1:${port}`, timeouts })
  proxy = await startBothways({
    listeners: {
      web: listener(web, { head: limit, idle: limit, body: limit, write: limit }),
      rated: listener(rated, { bodyRateMin: 100 }),
      tls: { ...listener(tls, { handshake: limit }), tls: { certificates: [{ cert: certFile, key: keyFile }] } },
      forward: { ...listener(forward, { tunnelIdle: limit }), forward: { privateRanges: "allow", connectPorts: [upstream.port] } },
    },
    clusters: { app: { peers: [upstream.address] } },
    routes: [
      { match: { listener: "forward" }, to: { origin: {} } },
      // A total time is what bounds a body that drips, where no rate is set.
      { match: { method: "POST", listener: "web" }, to: { cluster: "app" }, timeouts: { request: limit } },
      { match: {}, to: { cluster: "app" } },
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

function crowd(port: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: COUNT }, () => rawClient(port)))
}

/** Asks every 100 ms while `work` goes on; every answer must come at once. */
async function beside(work: Promise<void>): Promise<void> {
  let over = false
  const done = work.finally(() => {
    over = true
  })
  let slowest = 0
  while (!over) {
    const startedAt = performance.now()
    using client = await rawClient(ports.web)
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    expect((await client.response()).status).toBe(200)
    slowest = Math.max(slowest, performance.now() - startedAt)
    await pause(scaled(25, 100))
  }
  figure("slowest honest answer in ms", slowest)
  expect(slowest).toBeLessThan(1000)
  await done
}

/** Sends one octet now and then on each until it is closed. */
function drip(clients: readonly RawClient[], octet: string): () => void {
  const timer = setInterval(() => {
    for (const client of clients) if (client.ending === "open") client.send(octet)
  }, DRIP_MS)
  return () => clearInterval(timer)
}

async function allClosed(clients: readonly RawClient[], withinMs: number): Promise<number> {
  const startedAt = performance.now()
  await until(() => clients.every(client => client.ending !== "open"), withinMs, `the end of ${COUNT} connections`)
  return performance.now() - startedAt
}

describe("O-46", () => {
  test(
    "a: a head of one octet now and then: 408 at the head timeout, counted from the first octet",
    async () => {
      const clients = await crowd(ports.web)
      for (const client of clients) client.send("G")
      const stop = drip(clients, "E")
      await beside(
        allClosed(clients, LIMIT_MS + 2000).then(ms => {
          expect(ms).toBeGreaterThan(LIMIT_MS * 0.8)
          expect(ms).toBeLessThan(LIMIT_MS + 1000)
        }),
      )
      stop()
      expect(clients.filter(client => client.received.startsWith("HTTP/1.1 408 ")).length).toBe(COUNT)
    },
    scaledTimeout(30_000),
  )

  test(
    "b: a body of one octet now and then: answered at the total time, and closed though octets still come",
    async () => {
      const clients = await crowd(ports.web)
      for (const client of clients) client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n")
      const stop = drip(clients, "x")
      await beside(allClosed(clients, 2 * LIMIT_MS + 3000).then(() => {}))
      stop()
      expect(clients.filter(client => client.received.startsWith("HTTP/1.1 504 ")).length).toBe(COUNT)
    },
    scaledTimeout(30_000),
  )

  test(
    "c: an answer that is taken one octet now and then: cut, though octets are taken",
    async () => {
      const before = (await scrape(proxy)).get(`bothways_faults_total{fault="client.write-timeout",source="client"}`)!
      // The runtime's own sockets read ahead however they are asked: the shell takes one octet when it is told one. Each fills ten MB of the kernel's
      // buffers, which are not without end: fifty will do.
      const script = `exec 3<>/dev/tcp/127.0.0.1/${ports.web}; printf 'GET /large HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n' >&3
        while LC_ALL=C IFS= read -r -d '' -N 1 -u 3 octet; do sleep ${DRIP_MS / 1000}; done`
      const clients = Array.from({ length: scaled(10, 50) }, () => startProgram("reader", "bash", ["-c", script]))
      const faults = async (): Promise<number> =>
        (await scrape(proxy)).get(`bothways_faults_total{fault="client.write-timeout",source="client"}`)! - before
      await beside(until(async () => (await faults()) === clients.length, LIMIT_MS + 4000, "the cut of all answers").then(() => {}))
      await Promise.all(clients.map(client => client.stop("SIGKILL")))
    },
    scaledTimeout(40_000),
  )

  test(
    "d: half a TLS hello",
    async () => {
      const clients = await crowd(ports.tls)
      for (const client of clients) client.send("\x16\x03\x01\x02\x00\x01")
      await beside(allClosed(clients, LIMIT_MS + 2000).then(() => {}))
      const samples = await scrape(proxy)
      expect(samples.get(`bothways_faults_total{fault="client.handshake-failed",source="client"}`)).toBe(COUNT)
    },
    scaledTimeout(30_000),
  )

  test(
    "e: silence after a complete exchange",
    async () => {
      const clients = await crowd(ports.web)
      for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
      await Promise.all(clients.map(client => client.response()))
      await beside(
        allClosed(clients, LIMIT_MS + 2000).then(ms => {
          expect(ms).toBeGreaterThan(LIMIT_MS * 0.5)
        }),
      )
    },
    scaledTimeout(30_000),
  )

  test(
    "g: a silent tunnel; one that speaks stays",
    async () => {
      const clients = await crowd(ports.forward)
      using busy = await rawClient(ports.forward)
      for (const client of [...clients, busy]) client.send(`CONNECT ${upstream.address} HTTP/1.1\r\nHost: ${upstream.address}\r\n\r\n`)
      await Promise.all([...clients, busy].map(client => client.head()))
      const timer = setInterval(() => busy.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), LIMIT_MS / 4)
      await beside(allClosed(clients, LIMIT_MS + 2000).then(() => {}))
      clearInterval(timer)
      expect(busy.ending).toBe("open")
    },
    scaledTimeout(30_000),
  )

  // The rate counts after ten seconds.
  for (const size of scaled<readonly number[]>([], [COUNT])) {
    test("b: a body of one octet now and then: closed by the minimum rate", async () => {
      const clients = await Promise.all(Array.from({ length: size }, () => rawClient(ports.rated)))
      for (const client of clients) client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n")
      const stop = drip(clients, "x")
      await beside(allClosed(clients, 20_000).then(ms => figure("closed after ms", ms)))
      stop()
      expect(clients.filter(client => client.received.startsWith("HTTP/1.1 408 ")).length).toBe(size)
    }, 40_000)
  }
})
