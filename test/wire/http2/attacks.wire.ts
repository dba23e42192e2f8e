import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { MemoryWatch } from "../../support/bulk.ts"
import {
  continuationFrame,
  dataFrame,
  errorCode,
  frame,
  frameType,
  headersFrame,
  pingFrame,
  priorityFrame,
  rstStreamFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../support/h2/frames.ts"
import { headerBlock, indexedField, literalField } from "../../support/h2/header-block.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { figure } from "../../support/long.ts"
import { freePort } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// O-41 to O-43 and their kin (RFC 9113 section 10.5): the connection ends with ENHANCE_YOUR_CALM, and honest clients beside it notice nothing.
const STREAMS_MAX = 100
const MB = 1024 * 1024
let port: number
let upstream: ScriptedServer
let proxy: Bothways
/** Requests for /slow that the upstream works on; each ends with its connection. */
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
      if (head.startsWith("POST")) await connection.bytes(3_600_000, 3_600_000)
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  proxy = await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}`, limits: { streamsMax: STREAMS_MAX }, timeouts: { head: "1s", write: "1s" } } },
    clusters: { a: { peers: [upstream.address] } },
    routes: [
      { match: { path: "/local" }, to: { respond: { body: "x".repeat(1000) } } },
      { match: {}, to: { cluster: "a" } },
    ],
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

const faults = async (name: string): Promise<number> => (await scrape(proxy)).get(`bothways_faults_total{fault="${name}",source="client"}`) ?? 0
const request = (path: string, method = "GET"): Buffer => headerBlock({ ":method": method, ":scheme": "http", ":path": path, ":authority": "a.test" })
const repeated = (bytes: Buffer, times: number): Buffer => Buffer.concat(Array.from({ length: times }, () => bytes))

interface Effect {
  /** MB that the process grew by while it went on. */
  readonly grown: number
  readonly slowest: number
}

/** Lets one client attack while others ask honestly; each of their answers must come at once. */
async function beside(name: string, attack: (client: RawH2Client) => Promise<unknown>, grownMax = 32): Promise<Effect> {
  using watch = new MemoryWatch(proxy.pid)
  const before = watch.look()
  using attacker = await rawH2Client(port, { updateWindows: false, ackPings: false, ackSettings: false })
  let over = false
  let slowest = 0
  const honest = async (): Promise<void> => {
    using client = await rawH2Client(port)
    while (!over) {
      const at = performance.now()
      expect((await client.response(client.request({ ":path": "/ok" }))).status).toBe(200)
      slowest = Math.max(slowest, performance.now() - at)
      await pause(5)
    }
  }
  const crowd = Promise.all(Array.from({ length: 4 }, honest))
  try {
    await Promise.race([attack(attacker), crowd])
    watch.look()
  } finally {
    over = true
  }
  await crowd
  const grown = (watch.peak - before) / MB
  figure(`${name}: slowest honest answer`, `${slowest.toFixed(0)} ms, memory grown by ${grown.toFixed(1)} MB`)
  expect(slowest).toBeLessThan(1000)
  expect(grown).toBeLessThan(grownMax)
  return { grown, slowest }
}

/** The attack ends by our GOAWAY with this code, or with the connection when that could not be read. */
async function ended(client: RawH2Client, code: number = errorCode.enhanceYourCalm): Promise<void> {
  await client.closed(8000)
  const [goaway] = client.goaways
  if (goaway !== undefined) expect(goaway.code).toBe(code)
}

test("O-42: rapid reset", async () => {
  const before = await faults("client.flood")
  mostInProgress = 0
  await beside("rapid reset", async client => {
    for (let i = 0; i < 5000; i++) {
      const id = client.openStream()
      client.send(Buffer.concat([headersFrame(id, request("/slow"), { end: true }), rstStreamFrame(id, errorCode.cancel)]))
      if (i % 100 === 0) await pause(1)
    }
    await ended(client)
  })
  expect(mostInProgress).toBeLessThanOrEqual(STREAMS_MAX)
  await until(() => inProgress === 0)
  expect(await faults("client.flood")).toBeGreaterThan(before)
})

test("a browser that cancels sixty requests at once is not punished, twice in a row", async () => {
  using client = await rawH2Client(port)
  for (let round = 0; round < 2; round++) {
    const ids = Array.from({ length: 60 }, () => client.request({ ":path": "/slow" }))
    await client.roundTrip()
    for (const id of ids) client.reset(id)
    await client.roundTrip()
    expect((await client.response(client.request({ ":path": "/ok" }))).status).toBe(200)
  }
  expect(client.goaways).toEqual([])
  await until(() => inProgress === 0)
})

describe("MadeYouReset: the client makes us reset its streams", () => {
  const provocations: [name: string, bytes: (id: number) => Buffer][] = [
    ["WINDOW_UPDATE of 0", id => windowUpdateFrame(id, 0)],
    ["WINDOW_UPDATE beyond the limit", id => windowUpdateFrame(id, 2 ** 31 - 1)],
    ["DATA behind END_STREAM", id => dataFrame(id, "x")],
    ["HEADERS behind END_STREAM", id => headersFrame(id, headerBlock({ x: "1" }), { end: true })],
    ["PRIORITY of itself", id => priorityFrame(id, { dependency: id })],
    ["PRIORITY of the wrong length", id => frame(frameType.priority, 0, id, "xxx")],
  ]
  for (const [name, bytes] of provocations) {
    test(name, async () => {
      mostInProgress = 0
      await beside(name, async client => {
        for (let i = 0; i < 1000; i++) {
          const id = client.openStream()
          client.send(Buffer.concat([headersFrame(id, request("/slow"), { end: true }), bytes(id)]))
          if (i % 50 === 0) await pause(1)
        }
        await ended(client)
      })
      expect(mostInProgress).toBeLessThanOrEqual(STREAMS_MAX)
      await until(() => inProgress === 0)
    })
  }
  test("a body of the wrong length", async () => {
    const block = headerBlock({ ":method": "POST", ":scheme": "http", ":path": "/slow", ":authority": "a.test", "content-length": "1" })
    await beside("wrong length", async client => {
      for (let i = 0; i < 1000; i++) {
        const id = client.openStream()
        client.send(Buffer.concat([headersFrame(id, block), dataFrame(id, "xx")]))
        if (i % 50 === 0) await pause(1)
      }
      await ended(client)
    })
  })
  test("malformed requests", async () => {
    const block = headerBlock({ ":method": "GET", connection: "close" })
    await beside("malformed", async client => {
      for (let i = 0; i < 1000; i++) client.send(headersFrame(client.openStream(), block, { end: true }))
      await ended(client)
    })
  })
  test("more streams than allowed", async () => {
    await beside("too many", async client => {
      for (let i = 0; i < 1000; i++) client.send(headersFrame(client.openStream(), request("/slow"), { end: true }))
      await ended(client)
    })
    await until(() => inProgress === 0)
  })
})

describe("O-43: CONTINUATION", () => {
  test("a: 500 of 16 KB", async () => {
    const before = await faults("client.flood")
    const literals = headerBlock(Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`x-${i}`, "x".repeat(1000)])))
    await beside("large CONTINUATION", async client => {
      client.send(headersFrame(1, request("/ok"), { endHeaders: false }))
      for (let i = 0; i < 500; i++) client.send(continuationFrame(1, literals.subarray(0, 16_000), false))
      await ended(client)
    })
    expect(await faults("client.flood")).toBeGreaterThan(before)
  })
  test("b: 50 000 empty ones", async () => {
    await beside("empty CONTINUATION", async client => {
      client.send(headersFrame(1, request("/ok"), { endHeaders: false }))
      client.send(repeated(continuationFrame(1, "", false), 50_000))
      await ended(client)
    })
  })
  test("d: 500 connections that reset behind the third", async () => {
    await beside("cut CONTINUATION", async () => {
      for (let round = 0; round < 10; round++) {
        const clients = await Promise.all(Array.from({ length: 50 }, () => rawH2Client(port)))
        for (const client of clients) {
          client.send(headersFrame(1, request("/ok"), { endHeaders: false }))
          client.send(repeated(continuationFrame(1, headerBlock({ x: "1" }), false), 3))
        }
        await pause(5)
        for (const client of clients) client.socket.resetAndDestroy()
      }
    })
  })
  test("e: DATA in between", async () => {
    await beside("torn section", async client => {
      client.send(headersFrame(1, request("/ok"), { endHeaders: false }))
      client.data(1, "x")
      await ended(client, errorCode.protocolError)
    })
  })
})

test("HPACK bomb: a 4 KB entry named sixteen thousand times", async () => {
  const entry = literalField("x-large", "x".repeat(4000), { as: "added" })
  const bomb = Buffer.concat([request("/ok"), repeated(indexedField(62), 16_000)])
  const statuses = new Set<number>()
  await beside("HPACK bomb", async client => {
    client.send(headersFrame(client.openStream(), Buffer.concat([request("/ok"), entry]), { end: true }))
    for (let i = 0; i < 60; i++) client.send(headersFrame(client.openStream(), bomb, { end: true }))
    for (let id = 3; id < 123; id += 2) statuses.add((await client.response(id)).status)
  })
  expect([...statuses]).toEqual([431])
})

describe("frames that bring nothing", () => {
  const eight = "12345678"
  const floods: [name: string, bytes: Buffer][] = [
    ["PING", pingFrame(eight)],
    ["SETTINGS", settingsFrame({ initialWindowSize: 65_535 })],
    ["empty SETTINGS", settingsFrame()],
    ["PRIORITY", priorityFrame(1, { dependency: 3 })],
    ["an unknown frame", frame(0x42, 0, 0, "x")],
    ["empty DATA", dataFrame(1, "")],
    ["DATA of padding alone", dataFrame(1, "", { pad: 0 })],
    ["RST_STREAM of a stream that is over", rstStreamFrame(3, errorCode.cancel)],
    ["PRIORITY_UPDATE", frame(16, 0, 0, Buffer.from([0, 0, 0, 1, 0x75, 0x3d, 0x31]))],
    ["PRIORITY of the wrong length on a stream that is over", frame(frameType.priority, 0, 3, "xxx")],
  ]
  for (const [name, bytes] of floods) {
    for (const reads of [true, false]) {
      test(`${name}, answers ${reads ? "" : "not "}read`, async () => {
        const before = await faults("client.flood")
        await beside(name, async client => {
          client.request({ ":method": "POST", ":path": "/wait" }, { end: false })
          await client.response(client.request({ ":path": "/ok" }))
          if (!reads) client.socket.pause()
          const many = repeated(bytes, 500)
          for (let i = 0; i < 100; i++) {
            client.send(many)
            await pause(1)
          }
          if (reads) await ended(client)
          else await until(async () => (await faults("client.flood")) > before)
        })
        expect(await faults("client.flood")).toBeGreaterThan(before)
      })
    }
  }
  test("WINDOW_UPDATE of the connection, a million octets of them, costs nothing", async () => {
    await beside("WINDOW_UPDATE", async client => {
      for (let i = 0; i < 150; i++) {
        client.send(repeated(windowUpdateFrame(0, 1), 500))
        await pause(1)
      }
      await client.roundTrip()
    })
  })
})

describe("octets that cost more than they are", () => {
  test("uploads in frames of one octet to an upstream that has not answered yet", async () => {
    const one = repeated(dataFrame(0, "x"), 1000)
    await beside(
      "DATA of one octet",
      async client => {
        for (let i = 0; i < 60; i++) {
          const id = client.openStream()
          client.send(headersFrame(id, request("/wait", "POST")))
          for (let at = 0; at < one.length; at += 10) one.writeUInt32BE(id, at + 5)
          for (let part = 0; part < 30; part++) client.send(Buffer.from(one))
          await pause(2)
        }
        await client.roundTrip()
        // Two million frames: what the collector has not come to yet. Eight times as many make it no more than 170.
      },
      160,
    )
  })
  test("answers that are asked for and not taken: a hundred streams, no window", async () => {
    await beside("window stall", async client => {
      client.settings({ initialWindowSize: 0 })
      const ids = Array.from({ length: STREAMS_MAX }, () => client.request({ ":path": "/local" }))
      for (const id of ids) expect(await client.resetOf(id)).toBe(errorCode.cancel)
    })
  })
  test("answers without end to a socket that is not read", async () => {
    await beside("unread answers", async client => {
      client.settings({ initialWindowSize: 2 ** 31 - 1 })
      client.windowUpdate(0, 2 ** 31 - 1 - 65_535)
      client.socket.pause()
      for (let i = 0; i < 400; i++) {
        client.send(repeated(headersFrame(client.openStream(), request("/local"), { end: true }), 1))
        if (i % 50 === 0) await pause(5)
      }
      const open = async (): Promise<number> => ((await (await proxy.ask("/status")).json()) as { connections: number }).connections
      await pause(100)
      await until(async () => (await open()) <= 5)
    })
  })
})
