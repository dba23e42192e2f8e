import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { startBothways } from "../../support/bothways.ts"
import { inside } from "../../support/inside.ts"
import { figure, scaled, scaledTimeout } from "../../support/long.ts"
import { pause, until } from "../../support/wait.ts"
import { namesHere, newWorld, startSite } from "./site.ts"

// Large bodies through an opened tunnel (FIELD-CASES O-36).
const { upstream, own, port } = await newWorld()
const site = startSite(upstream.issue(["app.test"]))
const inspect = { ca: { cert: own.ca.certFile, key: own.ca.keyFile }, upstream: { ca: upstream.ca.certFile } }
const proxy = await startBothways({
  resolver: { servers: [await namesHere("app.test")] },
  listeners: { egress: { bind: `127.0.0.1:${port}`, forward: { privateRanges: "allow", connectPorts: ["1-65535"], inspect } } },
  routes: [{ to: { origin: {} } }],
})
afterAll(() => proxy.stop())
const MEGABYTE = 1024 ** 2

function resident(): number {
  return (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.pid}/status`, "utf8"))![1]) * 1024) / MEGABYTE
}

/** Asks for so many MB; gives the octets that have come so far, and the socket. */
async function download(megabytes: number) {
  const client = await inside(port, `app.test:${site.port}`, { ca: own.ca.cert })
  const { socket } = client
  socket.removeAllListeners("data")
  const state = { socket, count: 0 }
  socket.on("data", (chunk: Buffer) => {
    state.count += chunk.length
  })
  client.send(`GET /big/${megabytes} HTTP/1.1\r\nHost: app.test:${site.port}\r\n\r\n`)
  return state
}

test(
  "O-36: a client that stops reading stops the origin, and nothing grows meanwhile; the whole of it comes; a reset frees it",
  async () => {
    const size = scaled(48, 256)
    const warm = await download(scaled(16, 64))
    await until(() => warm.count > scaled(16, 64) * MEGABYTE, scaledTimeout(60_000))
    warm.socket.destroy()
    const before = resident()
    const slow = await download(size)
    await until(() => slow.count > 0)
    slow.socket.pause()
    await pause(scaled(500, 5000))
    const stalled = resident() - before
    expect(slow.count).toBeLessThan(size * MEGABYTE)
    slow.socket.resume()
    await until(() => slow.count > size * MEGABYTE, scaledTimeout(60_000))
    const after = resident() - before
    figure("growth while the client does not read, and at the end, MB", `${stalled.toFixed(1)}, ${after.toFixed(1)}`)
    expect(stalled).toBeLessThan(32)
    expect(after).toBeLessThan(scaled(64, 96))
    const cut = await download(size)
    await until(() => cut.count > 0)
    cut.socket.destroy()
    const ended = () => proxy.log().filter(line => line["target"] === `/big/${size}` && line["fault"] === "client.aborted")
    await until(() => ended().length === 1)
    slow.socket.destroy()
  },
  scaledTimeout(120_000),
)
