import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { BROKEN, readLent } from "./lent-read.ts"
import { Door, startDoor, watched } from "./test-door.ts"
import { until } from "./test-time.ts"
import { CertificateStore } from "./tls/certificate-store.ts"
import { makePair } from "./tls/test-pair.ts"
import type { Wire } from "./wire.ts"

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** An accepted connection that nobody reads by events, and its client. */
async function held(): Promise<{ wire: Wire; socket: Socket; door: Door }> {
  const { door, at } = startDoor(stops, {}, new Door())
  door.echoes = false
  const { socket } = await watched(connect(at.port, "127.0.0.1"))
  await until(() => door.seen.length === 1, "the connection")
  const { wire } = door.seen[0]!
  wire.pause()
  return { wire, socket, door }
}

const settle = () => new Promise(resolve => setTimeout(resolve, 2))

/** Reads until `done`, or a second has passed. */
async function readUntil(wire: Wire, done: (chunk: Buffer | null) => boolean): Promise<void> {
  const limit = performance.now() + 1000
  while (performance.now() < limit) {
    const chunk = readLent(wire)
    if (done(chunk)) return
    if (chunk === null) await settle()
  }
  throw new Error("what was waited for did not come within a second")
}

describe("lent reads", () => {
  test("give what is there, in its order, and null when there is nothing", async () => {
    const { wire, socket } = await held()
    expect(readLent(wire)).toBeNull()
    const sent = Buffer.from(Array.from({ length: 700_000 }, (_, at) => (at * 31 + (at >> 8)) & 255))
    socket.write(sent)
    const parts: Buffer[] = []
    let count = 0
    await readUntil(wire, chunk => {
      if (chunk === null) return false
      parts.push(Buffer.from(chunk))
      count += chunk.length
      return count >= sent.length
    })
    expect(Buffer.concat(parts).equals(sent)).toBe(true)
    expect(Math.max(...parts.map(part => part.length))).toBeLessThanOrEqual(128 * 1024)
    expect(readLent(wire)).toBeNull()
    socket.destroy()
  })

  test("leave the end of the stream to the events", async () => {
    const { wire, socket, door } = await held()
    socket.end("last")
    let text = ""
    await readUntil(wire, chunk => {
      if (chunk !== null) text += chunk.toString()
      return text === "last"
    })
    await settle()
    expect(readLent(wire)).toBeNull()
    expect(door.seen[0]!.ended).toBe(0)
    wire.resume()
    await until(() => door.seen[0]!.ended === 1, "the end")
    expect(door.seen[0]!.received).toBe("")
  })

  test("tell a reset, which the runtime would take for an end", async () => {
    const { wire, socket } = await held()
    socket.resetAndDestroy()
    // Without a turn of the event loop between: the system tells a reset once, and now it is us whom it told.
    expect(readLent(wire)).toBe(BROKEN)
  })

  test("never touch a TLS connection", async () => {
    const plain = await held()
    const folder = mkdtempSync(join(tmpdir(), "bothways-lent-"))
    stops.push(() => rmSync(folder, { recursive: true }))
    const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") }
    const pair = makePair({ names: "DNS:a.test" })
    writeFileSync(files.cert, pair.cert)
    writeFileSync(files.key, pair.key)
    const { door, at } = startDoor(stops, { tls: new CertificateStore({ certificates: [files] }) })
    door.echoes = false
    const socket = connectTls({ port: at.port, host: "127.0.0.1", servername: "a.test", rejectUnauthorized: false })
    await new Promise(resolve => socket.once("secureConnect", resolve))
    await until(() => door.seen.length === 1, "the connection")
    const { wire } = door.seen[0]!
    wire.pause()
    socket.write("secret")
    await settle()
    expect(readLent(wire)).toBeNull()
    wire.resume()
    await until(() => door.seen[0]!.received === "secret", "what was sent, in the clear")
    socket.destroy()
    plain.socket.destroy()
  })

  test("are refused on a connection that is closed", async () => {
    const { wire, socket } = await held()
    wire.terminate()
    expect(readLent(wire)).toBeNull()
    socket.destroy()
  })
})
