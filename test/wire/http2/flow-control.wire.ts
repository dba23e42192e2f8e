import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { BulkSource } from "../../support/bulk.ts"
import { frameType, setting } from "../../support/h2/frames.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { until } from "../../support/wait.ts"

// RFC 9113 sections 5.2 and 6.9, RFC 9218 section 10.
const port = await freePort()
const deaf = await scriptedServer(connection => connection.pause())
const upstream = await scriptedServer(async connection => {
  for (;;) {
    const head = await connection.head(3_600_000)
    const size = Number(/^GET \/(\d+)/.exec(head)?.[1] ?? 0)
    if (head.startsWith("POST")) {
      const length = Number(/content-length: (\d+)/i.exec(head)![1])
      await connection.bytes(length, 10_000)
    }
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
    await new BulkSource(connection.socket, size).run()
  }
})
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}` } },
  clusters: { a: { peers: [upstream.address] }, deaf: { peers: [deaf.address] } },
  routes: [
    { match: { path: "/deaf" }, to: { cluster: "deaf" } },
    { match: {}, to: { cluster: "a" } },
  ],
})
afterAll(async () => {
  await proxy.stop()
  await upstream.close().catch(() => {})
  await deaf.close().catch(() => {})
})

const get = (client: RawH2Client, size: number, more: Record<string, string> = {}): number => client.request({ ":path": `/${size}`, ...more })
const post = (client: RawH2Client, path: string, body: number): number =>
  client.request({ ":method": "POST", ":path": path, "content-length": String(body) }, { body: Buffer.alloc(body) })
const came = (client: RawH2Client, id: number): number => client.stream(id).bodyLength

describe("windows that the client opens", () => {
  test("0 at first: the head comes and nothing more, until it opens", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 0 }, updateWindows: false })
    const id = get(client, 1000)
    await client.head(id)
    await client.roundTrip()
    expect(came(client, id)).toBe(0)
    client.windowUpdate(id, 1)
    await client.body(id, 1)
    await client.roundTrip()
    expect(came(client, id)).toBe(1)
    client.windowUpdate(id, 999)
    expect((await client.response(id)).ended).toBe(true)
    expect(client.violations).toEqual([])
  })
  test("an empty answer needs none", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 0 } })
    expect((await client.response(get(client, 0))).ended).toBe(true)
  })
  test("SETTINGS open the windows of all streams", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 0 }, updateWindows: false })
    const ids = [get(client, 5000), get(client, 5000)]
    for (const id of ids) await client.head(id)
    client.settings({ initialWindowSize: 3000 })
    for (const id of ids) await client.body(id, 3000)
    await client.roundTrip()
    expect(ids.map(id => came(client, id))).toEqual([3000, 3000])
    client.settings({ initialWindowSize: 5000 })
    for (const id of ids) expect((await client.response(id)).ended).toBe(true)
    expect(client.violations).toEqual([])
  })
  test("SETTINGS may make them negative: nothing comes before they are above 0 again", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 10_000 }, updateWindows: false })
    const id = get(client, 50_000)
    await client.body(id, 10_000)
    client.settings({ initialWindowSize: 1000 })
    await client.settled()
    client.windowUpdate(id, 9000)
    await client.roundTrip()
    expect(came(client, id)).toBe(10_000)
    client.windowUpdate(id, 1)
    await client.body(id, 10_001)
    await client.roundTrip()
    expect(came(client, id)).toBe(10_001)
    // And up again in one go.
    client.settings({ initialWindowSize: 41_000 })
    client.windowUpdate(0, 100_000)
    await client.body(id, 50_000)
    expect(client.violations).toEqual([])
  })
  test("the connection's window holds for all streams together", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 1_000_000 }, updateWindows: false })
    const ids = [get(client, 50_000), get(client, 50_000)]
    await client.waitFor(() => came(client, ids[0]!) + came(client, ids[1]!) === 65_535, "the whole window")
    await client.roundTrip()
    expect(came(client, ids[0]!) + came(client, ids[1]!)).toBe(65_535)
    client.windowUpdate(0, 34_465)
    for (const id of ids) expect((await client.response(id)).ended).toBe(true)
    expect(client.violations).toEqual([])
  })
})

describe("O-41: one stalled stream", () => {
  test("a: an upload that nobody reads holds at most its window, and another one goes through at once", async () => {
    using client = await rawH2Client(port)
    const stalled = post(client, "/deaf", 16_000_000)
    // What the kernel takes between us and the origin comes first.
    let last = -1
    await until(async () => {
      await client.roundTrip()
      const now = client.queue.window(stalled)
      const same = now === last && now === 0
      last = now
      return same
    })
    const at = performance.now()
    const id = post(client, "/0", 1_000_000)
    expect((await client.response(id)).status).toBe(200)
    expect(performance.now() - at).toBeLessThan(1000)
    client.reset(stalled)
    await until(() => deaf.connections.every(one => one.ending !== "open") || deaf.connections[0]!.resume())
  })
  test("b: an answer that its reader does not take, and another one goes through at once", async () => {
    using client = await rawH2Client(port, { updateWindows: false })
    client.windowUpdate(0, 100_000_000)
    const stalled = get(client, 20_000_000)
    await client.body(stalled, 65_535)
    const id = get(client, 1_000_000)
    client.windowUpdate(id, 1_000_000)
    const at = performance.now()
    expect((await client.response(id)).body.length).toBe(1_000_000)
    expect(performance.now() - at).toBeLessThan(1000)
    expect(came(client, stalled)).toBe(65_535)
  })
})

describe("whose turn it is when the connection's window has been closed", () => {
  const order = async (client: RawH2Client, ids: readonly number[]): Promise<number[]> => {
    for (const id of ids) await client.head(id)
    await client.roundTrip()
    const after = client.frames.length
    for (let i = 0; i < 4; i++) {
      client.windowUpdate(0, 10_000)
      await client.roundTrip()
    }
    return client.frames.slice(after).flatMap(each => (each.type === frameType.data ? [each.streamId] : []))
  }
  test("u=0 comes before u=7, whoever asked first", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 1_000_000 }, updateWindows: false })
    const filler = get(client, 65_535)
    await client.response(filler)
    const low = get(client, 20_000, { priority: "u=7" })
    await client.head(low)
    const high = get(client, 20_000, { priority: "u=0" })
    const got = await order(client, [low, high])
    expect(got).toEqual([...got].sort((a, b) => b - a))
    expect([came(client, high), came(client, low)]).toEqual([20_000, 20_000])
  })
  test("PRIORITY_UPDATE moves a stream forward", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 1_000_000 }, updateWindows: false })
    await client.response(get(client, 65_535))
    const first = get(client, 20_000, { priority: "u=2" })
    const second = get(client, 20_000, { priority: "u=5" })
    for (const id of [first, second]) await client.head(id)
    const payload = Buffer.concat([Buffer.from([0, 0, 0, second]), Buffer.from("u=0")])
    client.send(Buffer.concat([Buffer.from([0, 0, payload.length, 16, 0, 0, 0, 0, 0]), payload]))
    const got = await order(client, [first, second])
    expect(got).toEqual([...got].sort((a, b) => b - a))
  })
  test("without a word they share", async () => {
    using client = await rawH2Client(port, { settings: { initialWindowSize: 1_000_000 }, updateWindows: false })
    await client.response(get(client, 65_535))
    const ids = [get(client, 40_000), get(client, 40_000)]
    await order(client, ids)
    for (const id of ids) expect(came(client, id)).toBe(20_000)
  })
})

test("what the proxy announces", async () => {
  using client = await rawH2Client(port)
  await client.roundTrip()
  expect(client.peerSettings.get(setting.initialWindowSize)).toBe(131_072)
  expect(client.queue.window(0)).toBe(1_048_576)
})
