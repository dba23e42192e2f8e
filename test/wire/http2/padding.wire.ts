import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { flag, type Frame, frameType, setting } from "../../support/h2/frames.ts"
import { h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"

// Padding to a multiple of 256 octets, on both sides of the proxy, and windows that the config names (RFC 9113 sections 6.1, 6.5.2, 6.9).
const port = await freePort()
// None is larger than the window that a connection begins with: what fills one is as long as that leaves room for.
const sizes = [1, 100, 255, 256, 20_000, 30_001]
const origin = await h2Origin({ script: exchange => exchange.respond(200, "y".repeat(Number(exchange.path.slice(1)))) })
const http2 = { padding: true, streamWindow: "256KB", connectionWindow: "2MB" }
const proxy = await startBothways({
  listeners: { web: { bind: `127.0.0.1:${port}`, http2 } },
  clusters: { a: { peers: [origin.address], protocol: "http2", http2 } },
  routes: [{ to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin.close()
})

/** Frames that carry something, the way one side sent them. */
const carrying = (frames: readonly Frame[]) =>
  frames.filter(({ type, payload }) => (type === frameType.data && payload.length > 0) || type === frameType.headers)

function expectPadded(frames: readonly Frame[]): void {
  expect(frames.length).toBeGreaterThan(0)
  for (const { flags, payload } of frames) expect([flags & flag.padded, payload.length % 256]).toEqual([flag.padded, 0])
}

test("heads and bodies are padded both ways, and whole", async () => {
  using client = await rawH2Client(port)
  for (const size of sizes) {
    const id = client.request({ ":method": "POST", ":path": `/${size}` }, { body: "x".repeat(size) })
    const { status, body } = await client.response(id)
    expect([status, body]).toEqual([200, "y".repeat(size)])
  }
  expect(client.violations).toEqual([])
  expectPadded(carrying(client.frames))
  expectPadded(carrying(origin.connections[0]!.frames))
})

test("a window of one octet is used, without padding", async () => {
  using client = await rawH2Client(port, { settings: { initialWindowSize: 0 }, updateWindows: false })
  const id = client.request({ ":path": "/3" })
  await client.head(id)
  for (let i = 1; i <= 3; i++) {
    client.windowUpdate(id, 1)
    await client.body(id, i)
  }
  expect((await client.response(id)).ended).toBe(true)
  expect(client.violations).toEqual([])
})

test("the windows are announced", async () => {
  using client = await rawH2Client(port)
  await client.settled()
  for (const frames of [client.frames, origin.connections[0]!.frames]) {
    const settings = frames.find(({ type, flags }) => type === frameType.settings && (flags & flag.ack) === 0)!.payload
    const values = new Map(Array.from({ length: settings.length / 6 }, (_, i) => [settings.readUInt16BE(i * 6), settings.readUInt32BE(i * 6 + 2)]))
    expect(values.get(setting.initialWindowSize)).toBe(256 * 1024)
    const update = frames.find(({ type, streamId }) => type === frameType.windowUpdate && streamId === 0)!
    expect(update.payload.readUInt32BE(0)).toBe(2 * 1024 ** 2 - 65_535)
  }
})
