import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { MemoryWatch } from "../../support/bulk.ts"
import { type RawH3Client, rawH3Client } from "../../support/h3/raw-h3-client.ts"
import { http3Config } from "../../support/h3/secure-config.ts"
import { figure } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// O-42 over QUIC (RFC 9114 section 10.5): the connection ends, and honest clients beside it notice nothing.
const STREAMS_MAX = 50
const MB = 1024 * 1024
let port: number
let upstream: ScriptedServer
let proxy: Bothways
let inProgress = 0
let mostInProgress = 0

beforeAll(async () => {
  port = await freePort()
  upstream = await scriptedServer(async connection => {
    for (;;) {
      const head = await connection.head(3_600_000)
      if (head.includes(" /slow ")) {
        mostInProgress = Math.max(mostInProgress, ++inProgress)
        await connection.ended(3_600_000).finally(() => inProgress--)
        return
      }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  proxy = await startBothways({
    ...http3Config(port, upstream.address, { listener: { limits: { streamsMax: STREAMS_MAX, streamResetsMax: 100 } } }),
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

const faults = async (name: string): Promise<number> => (await scrape(proxy)).get(`bothways_faults_total{fault="${name}",source="client"}`) ?? 0

/** Lets one client attack while others ask honestly; each of their answers must come at once. */
async function beside(name: string, attack: (client: RawH3Client) => Promise<unknown>): Promise<void> {
  using watch = new MemoryWatch(proxy.pid)
  const before = watch.look()
  using attacker = await rawH3Client(port)
  let over = false
  let slowest = 0
  const honest = async (): Promise<void> => {
    using client = await rawH3Client(port)
    while (!over) {
      const at = performance.now()
      expect((await client.request({ ":path": "/ok" }).response()).status).toBe(200)
      slowest = Math.max(slowest, performance.now() - at)
      await pause(5)
    }
  }
  const crowd = Promise.all(Array.from({ length: 3 }, honest))
  try {
    await Promise.race([attack(attacker), crowd])
  } finally {
    over = true
  }
  await crowd
  const grown = (watch.peak - before) / MB
  figure(`${name}: slowest honest answer`, `${slowest.toFixed(0)} ms, memory grown by ${grown.toFixed(1)} MB`)
  // They share a process with the attacker here.
  expect(slowest).toBeLessThan(1500)
  expect(grown).toBeLessThan(64)
}

describe("streams that end before their answers", () => {
  test("opened and reset at once, again and again", async () => {
    const before = await faults("client.flood")
    mostInProgress = 0
    await beside("rapid reset", async client => {
      for (let i = 0; i < 200 && client.closed === null; i++) {
        const streams = Array.from({ length: 20 }, () => client.request({ ":path": "/slow" }))
        // Not before they are sent: nobody hears of those that still wait for their turn.
        await pause(30)
        for (const stream of streams) stream.reset()
      }
      await client.ended()
    })
    expect(mostInProgress).toBeLessThanOrEqual(STREAMS_MAX)
    await until(() => inProgress === 0)
    expect(await faults("client.flood")).toBeGreaterThan(before)
  }, 20_000)
  test("reset when they have reached the upstream", async () => {
    const before = await faults("client.flood")
    await beside("late reset", async client => {
      for (let i = 0; i < 40 && client.closed === null; i++) {
        const streams = Array.from({ length: 10 }, () => client.request({ ":path": "/slow" }))
        await until(() => inProgress >= 10 || client.closed !== null)
        for (const stream of streams) stream.reset()
        await until(() => inProgress === 0)
      }
      await client.ended()
    })
    expect(await faults("client.flood")).toBeGreaterThan(before)
  }, 20_000)
  test("malformed requests", async () => {
    const before = await faults("client.flood")
    await beside("malformed", async client => {
      for (let i = 0; i < 2000 && client.closed === null; i++) {
        client.request([[":method", "GET"]])
        if (i % 20 === 0) await pause(1)
      }
      await client.ended()
    })
    expect(await faults("client.flood")).toBeGreaterThan(before)
  }, 20_000)
  test("a browser that cancels forty requests at once is not punished, twice in a row", async () => {
    using client = await rawH3Client(port)
    for (let round = 0; round < 2; round++) {
      const streams = Array.from({ length: 40 }, () => client.request({ ":path": "/slow" }))
      await until(() => inProgress === 40)
      for (const stream of streams) stream.reset()
      expect((await client.request({ ":path": "/ok" }).response()).status).toBe(200)
      await until(() => inProgress === 0)
    }
    expect(client.closed).toBeNull()
  })
})

test("streamsMax: no more at the upstream than allowed; those that wait are served when there is room", async () => {
  using client = await rawH3Client(port)
  mostInProgress = 0
  const streams = Array.from({ length: STREAMS_MAX * 2 }, () => client.request({ ":path": "/slow" }))
  await until(() => inProgress === STREAMS_MAX)
  await pause(100)
  expect(mostInProgress).toBe(STREAMS_MAX)
  const open = streams.filter(stream => stream.closed === null)
  for (const stream of open.slice(0, STREAMS_MAX)) stream.reset()
  await until(() => streams.slice(STREAMS_MAX).every(stream => stream.resetCode !== null) || inProgress > 0)
  client.destroy()
  await until(() => inProgress === 0)
})

test("octets that are no QUIC, and half of what is, hurt nobody", async () => {
  const socket = createSocket("udp4")
  await beside("garbage", async () => {
    for (let i = 0; i < 200; i++) {
      const octets = randomBytes(1200)
      // A long header of version 1, an Initial, or whatever it happens to be.
      if (i % 2 === 0) octets.set([0xc0 | (octets[0]! & 15), 0, 0, 0, 1, 8], 0)
      socket.send(octets, port, "127.0.0.1")
      if (i % 10 === 0) await pause(5)
    }
  })
  socket.close()
  using client = await rawH3Client(port)
  expect((await client.request({ ":path": "/ok" }).response()).status).toBe(200)
})
