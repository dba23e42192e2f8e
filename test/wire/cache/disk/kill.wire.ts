import { createHash } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../../support/bothways.ts"
import { figure, scaled, scaledTimeout } from "../../../support/long.ts"
import { freePort } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { until } from "../../../support/wait.ts"

const WRITES = 200
const ROUNDS = scaled(3, 20)

/** Octets that only this URL has, so that a damaged or foreign body shows. */
function bodyOf(target: string): Buffer {
  const seed = createHash("sha256").update(target).digest()
  const length = 2000 + (seed.readUInt32LE() % 300_000)
  const body = Buffer.alloc(length)
  for (let at = 0; at < length; at += 32) createHash("sha256").update(`${target} ${at}`).digest().copy(body, at)
  return body
}

const bodies = Array.from({ length: WRITES }, (_, i) => bodyOf(`/f${i}`))

/** Sends each body in a few pieces, so that a kill finds all of them under way. */
const origin = createServer((request, response) => {
  const body = bodies[Number(request.url!.slice(2))]!
  response.writeHead(200, { "Cache-Control": "max-age=6000", "Content-Length": body.length })
  response.write(body.subarray(0, 1000))
  setTimeout(() => response.end(body.subarray(1000)), Math.random() * 300)
})

async function start(port: number, folder: string, peer: string): Promise<Bothways> {
  return await startBothways({
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { a: { peers: [peer] } },
    caches: { main: { memory: "1MB", disk: { path: folder, size: "1GB" } } },
    routes: [{ filters: [{ cache: { store: "main" } }], to: { cluster: "a" } }],
  })
}

async function bodiesServed(port: number): Promise<{ whole: number; hits: number }> {
  let hits = 0
  const results = await Promise.all(
    bodies.map(async (body, i) => {
      const response = await fetch(`http://127.0.0.1:${port}/f${i}`)
      if (/; hit/.test(response.headers.get("cache-status") ?? "")) hits++
      return Buffer.from(await response.arrayBuffer()).equals(body)
    }),
  )
  return { whole: results.filter(same => same).length, hits }
}

test(
  `kill -9 during ${WRITES} writes, ${ROUNDS} times: no damaged body is served, and it starts at once`,
  async () => {
    await new Promise<void>(resolve => origin.listen(0, "127.0.0.1", resolve))
    const peer = `127.0.0.1:${(origin.address() as AddressInfo).port}`
    const port = await freePort()
    let hits = 0
    for (let round = 0; round < ROUNDS; round++) {
      const folder = join(temporaryFolder("cache"), "disk")
      const doomed = await start(port, folder, peer)
      let done = 0
      const asked = Promise.all(
        bodies.map(async (_, i) => {
          try {
            await (await fetch(`http://127.0.0.1:${port}/f${i}`)).arrayBuffer()
            done++
          } catch {
            // It was killed.
          }
        }),
      )
      const share = WRITES * (0.1 + 0.8 * Math.random())
      await until(() => done >= share, 10_000, "some of the bodies")
      doomed.program.signal("SIGKILL")
      await doomed.program.exit()
      await asked
      await using again = await start(port, folder, peer)
      const served = await bodiesServed(port)
      expect(served.whole).toBe(WRITES)
      hits += served.hits
      expect(again.program.hasExited).toBe(false)
    }
    // Some were whole on disk: else nothing has been tried.
    expect(hits).toBeGreaterThan(0)
    figure("bodies of killed writers that were whole and found", `${hits} of ${ROUNDS * WRITES}`)
    origin.close()
    origin.closeAllConnections()
  },
  scaledTimeout(180_000),
)
