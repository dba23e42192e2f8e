import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { BulkSource } from "../../support/bulk.ts"
import { continuationFrame, dataFrame, errorCode, headersFrame, preface, settingsFrame } from "../../support/h2/frames.ts"
import { headerBlock } from "../../support/h2/header-block.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { scaled } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { scrape } from "../../support/scrape.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// O-46 on HTTP/2: every limit fires by itself, also beside others that are much longer.
const LIMIT_MS = 600
const limit = `${LIMIT_MS}ms`
const [heads, writes, idles, bodies, rated] = (await freePorts(5)) as [number, number, number, number, number]
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    const size = Number(/^GET \/(\d+)/.exec(head)?.[1] ?? 0)
    if (head.startsWith("POST")) await connection.bytes(Number(/content-length: (\d+)/i.exec(head)![1]), 60_000)
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    await new BulkSource(connection.socket, size).run()
  }
})
const listener = (port: number, timeouts: object) => ({ bind: `127.0.0.1:${port}`, timeouts })
const proxy = await startBothways({
  listeners: {
    heads: listener(heads, { head: limit }),
    writes: listener(writes, { write: limit }),
    idles: listener(idles, { idle: limit }),
    bodies: listener(bodies, { body: limit, head: "200ms" }),
    rated: listener(rated, { bodyRateMin: 1000, body: "60s" }),
  },
  clusters: { a: { peers: [upstream.address] } },
  routes: [{ match: {}, to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
})

const get = (client: RawH2Client, size: number): number => client.request({ ":path": `/${size}` })
const post = (client: RawH2Client, length: number): number => client.request({ ":method": "POST", "content-length": String(length) }, { end: false })
const request = headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "a.test" })

/** Does something now and then until the connection is closed; gives how long that took. */
async function untilClosed(client: RawH2Client, step: () => void = () => {}): Promise<number> {
  const at = performance.now()
  const timer = setInterval(step, 50)
  await client.closed().finally(() => clearInterval(timer))
  return performance.now() - at
}

function atLimit(ms: number): void {
  expect(ms).toBeGreaterThan(LIMIT_MS * 0.7)
  expect(ms).toBeLessThan(LIMIT_MS + 700)
}

describe("a section or a frame that does not come whole ends at the head timeout", () => {
  const cases: [name: string, first: (client: RawH2Client) => void, step: (client: RawH2Client) => void][] = [
    ["half a preface", client => client.send(preface.slice(0, 20)), () => {}],
    ["no SETTINGS behind the preface", client => client.send(preface), () => {}],
    ["half of SETTINGS", client => client.send(Buffer.concat([Buffer.from(preface), settingsFrame().subarray(0, 5)])), () => {}],
    [
      "CONTINUATION without end",
      client => client.send(Buffer.concat([Buffer.from(preface), settingsFrame(), headersFrame(1, request, { endHeaders: false })])),
      client => client.send(continuationFrame(1, headerBlock({ x: "1" }), false)),
    ],
    [
      "a frame that drips",
      client => client.send(Buffer.concat([Buffer.from(preface), settingsFrame(), headersFrame(1, Buffer.alloc(4000)).subarray(0, 10)])),
      client => client.send("x"),
    ],
  ]
  for (const [name, first, step] of cases) {
    test(name, async () => {
      using client = await rawH2Client(heads, { preface: false, ackSettings: false })
      first(client)
      atLimit(await untilClosed(client, () => step(client)))
    })
  }
  test("also on a connection that has been served, and another one is not in the way of it", async () => {
    using client = await rawH2Client(heads)
    await client.response(get(client, 10))
    await pause(300)
    client.send(headersFrame(3, request, { end: true }).subarray(0, 20))
    atLimit(await untilClosed(client))
    expect(client.goaways.at(-1)?.code).toBe(errorCode.protocolError)
    await until(async () => ((await scrape(proxy)).get('bothways_faults_total{fault="client.head-timeout",source="client"}') ?? 0) > 0)
  })
})

describe("bodies", () => {
  test("one that stops: 408, and the connection goes on", async () => {
    using client = await rawH2Client(bodies)
    const id = post(client, 100)
    client.data(id, "half")
    const at = performance.now()
    expect((await client.response(id)).status).toBe(408)
    atLimit(performance.now() - at)
    expect((await client.response(get(client, 10))).status).toBe(200)
  })
  test("one frame that comes in parts for longer than any limit, but comes, is welcome", async () => {
    using client = await rawH2Client(bodies)
    await client.roundTrip()
    const id = post(client, 14_000)
    const frame = dataFrame(id, Buffer.alloc(14_000), { end: true })
    for (let at = 0; at < frame.length; at += 1000) {
      client.send(frame.subarray(at, at + 1000))
      await pause(100)
    }
    expect((await client.response(id)).status).toBe(200)
  })
  // The rate counts after ten seconds.
  for (const length of scaled<readonly number[]>([], [1_000_000])) {
    test("one that drips: closed by the minimum rate, and one that does not goes on", async () => {
      using client = await rawH2Client(rated)
      const slow = post(client, length)
      const swift = post(client, 40_000)
      const timer = setInterval(() => {
        client.data(slow, "x")
        client.data(swift, Buffer.alloc(400))
      }, 200)
      const { status, body } = await client.response(slow, 15_000).finally(() => clearInterval(timer))
      expect([status, body.includes("client.body-timeout")]).toEqual([408, true])
      expect(client.stream(swift).isOver).toBe(false)
    }, 20_000)
  }
})

describe("answers that are not taken", () => {
  test("O-41 c: fifty streams whose window never opens end at the write timeout", async () => {
    using client = await rawH2Client(writes, { settings: { initialWindowSize: 0 } })
    const ids = Array.from({ length: 50 }, () => get(client, 2_000_000))
    const at = performance.now()
    for (const id of ids) expect(await client.resetOf(id)).toBe(errorCode.cancel)
    atLimit(performance.now() - at)
    await until(() => proxy.log().filter(line => line.fault === "client.write-timeout").length >= 50)
    // The connection has not done anything wrong.
    client.settings({ initialWindowSize: 65_535 })
    expect((await client.response(get(client, 1000))).status).toBe(200)
  })
  test("a window that opens octet by octet is none", async () => {
    using client = await rawH2Client(writes, { settings: { initialWindowSize: 0 }, updateWindows: false })
    const id = get(client, 100_000)
    const timer = setInterval(() => client.windowUpdate(id, 1), 50)
    expect(await client.resetOf(id).finally(() => clearInterval(timer))).toBe(errorCode.cancel)
    expect(client.stream(id).bodyLength).toBeGreaterThan(3)
  })
  test("who waits only for the others in front of it has patience", async () => {
    using client = await rawH2Client(writes, { settings: { initialWindowSize: 2 ** 30 }, updateWindows: false })
    const low = client.request({ ":path": "/100000", priority: "u=7" })
    await client.head(low)
    const high = client.request({ ":path": "/10000000", priority: "u=0" })
    await client.head(high)
    const timer = setInterval(() => client.windowUpdate(0, 20_000), 50)
    await pause(LIMIT_MS * 2.5)
    clearInterval(timer)
    expect([client.stream(low).resetCode, client.stream(high).resetCode]).toEqual([null, null])
    client.windowUpdate(0, 2 ** 30)
    expect((await client.response(low)).ended).toBe(true)
  })
  test("a socket that is not read ends", async () => {
    using client = await rawH2Client(writes, { settings: { initialWindowSize: 2 ** 30 }, updateWindows: false })
    client.windowUpdate(0, 2 ** 30)
    get(client, 64 * 1024 * 1024)
    await client.frame(each => each.type === 0)
    client.socket.pause()
    const count = async (): Promise<number> => ((await (await proxy.ask("/status")).json()) as { connections: number }).connections
    await until(async () => (await count()) === 0, 5000, "the end of the connection")
  })
})

test("an idle connection is told GOAWAY and closed", async () => {
  using client = await rawH2Client(idles)
  await client.response(get(client, 10))
  atLimit(await untilClosed(client))
  expect(client.goaways).toEqual([{ lastStreamId: 1, code: errorCode.noError, debug: "" }])
  expect(client.ending).toBe("fin")
})

test("PING does not keep it open", async () => {
  using client = await rawH2Client(idles)
  await client.response(get(client, 10))
  atLimit(await untilClosed(client, () => client.ping("12345678")))
})
