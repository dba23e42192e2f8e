import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { residentBytes } from "../../support/bulk.ts"
import { Authority } from "../../support/certificates.ts"
import { figure, scaled } from "../../support/long.ts"
import { openSockets } from "../../support/open-sockets.ts"
import { freePorts } from "../../support/ports.ts"
import { type Program, startProgram } from "../../support/processes.ts"
import { scrape } from "../../support/scrape.ts"
import { until } from "../../support/wait.ts"
import { HonestClient } from "./honest-client.ts"

// Thousands of connections in a few seconds from one address, which say nothing or half a TLS hello. Others, from another address, get in all the while.

const COUNT = scaled(6000, 20_000)
const PER_CLIENT = 100
const MB = 1024 * 1024
const HALF_HELLO = "160301020001"

let proxy: Bothways
let ports: { web: number; secure: number; full: number }
let atRest: { sockets: number; bytes: number }

beforeAll(async () => {
  const [web, secure, full] = (await freePorts(3)) as [number, number, number]
  ports = { web, secure, full }
  const { certFile, keyFile } = new Authority().issue(["a.test"])
  const limits = { connectionsMax: 5000, connectionsPerClientMax: PER_CLIENT }
  const timeouts = { head: "2s", handshake: "2s" }
  proxy = await startBothways(
    {
      listeners: {
        web: { bind: `127.0.0.1:${web}`, limits, timeouts },
        secure: { bind: `127.0.0.1:${secure}`, limits, timeouts, tls: { certificates: [{ cert: certFile, key: keyFile }] } },
        full: { bind: `127.0.0.1:${full}`, limits: { connectionsMax: 1000 }, timeouts },
      },
      routes: [{ match: {}, to: { respond: { body: "ok" } } }],
      observe: { accessLog: { to: "none" } },
    },
    { workers: 2 },
  )
  await new HonestClient(web).stop()
  atRest = { sockets: openSockets(proxy.pid), bytes: residentBytes(proxy.pid) }
})
afterAll(() => proxy.stop())

function flood(port: number, first = ""): Program {
  return startProgram("flood", process.execPath, [join(import.meta.dirname, "flood.ts"), `${port}`, "127.0.0.9", `${COUNT}`, first])
}

interface Flooded {
  readonly opened: number
  readonly failed: number
  readonly closed: number
}

async function whenBegun(program: Program): Promise<Flooded> {
  await until(() => program.lines.length > 0 || program.hasExited, 25_000, "the whole flood")
  return JSON.parse(program.lines[0] ?? program.tail()) as Flooded
}

const metric = async (name: string): Promise<number> => (await scrape(proxy)).get(`bothways_${name}`) ?? 0

/** Watches what the flood costs us until it is out. */
async function watched(program: Program): Promise<{ told: Flooded; sockets: number; bytes: number }> {
  let sockets = 0
  let bytes = 0
  const timer = setInterval(() => {
    sockets = Math.max(sockets, openSockets(proxy.pid))
    bytes = Math.max(bytes, residentBytes(proxy.pid))
  }, 50)
  const told = await whenBegun(program).finally(() => clearInterval(timer))
  figure("sockets at most, MB more at most", `${sockets - atRest.sockets}, ${(bytes - atRest.bytes) / MB}`)
  return { told, sockets, bytes }
}

async function nothingIsLeft(): Promise<void> {
  await until(() => openSockets(proxy.pid) <= atRest.sockets + 2, 10_000, "the end of the flood's sockets")
  for (const listener of ["web", "secure", "full"]) await until(async () => (await metric(`connections_open{listener="${listener}"}`)) === 0)
}

for (const [what, first] of [
  ["web", ""],
  ["secure", HALF_HELLO],
] as const) {
  test(`${what}: the flood has its ${PER_CLIENT} connections, everybody else theirs`, async () => {
    const before = await metric(`connections_refused_total{listener="${what}"}`)
    const honest = new HonestClient(ports[what], { from: "127.0.0.3", tls: what === "secure" })
    const attacker = flood(ports[what], first)
    const { told, sockets, bytes } = await watched(attacker)
    // One that is refused under TLS may be gone before its opener knows that it stood.
    expect(told.opened + told.failed).toBe(COUNT)
    // Those that are being closed are still sockets for a moment.
    expect(sockets - atRest.sockets).toBeLessThan(COUNT / 2)
    expect(bytes - atRest.bytes).toBeLessThan(128 * MB)
    await until(async () => (await metric(`connections_refused_total{listener="${what}"}`)) - before >= COUNT * 0.9)
    // Those that were let in and say nothing are gone by themselves: the flood still holds its ends.
    await nothingIsLeft()
    await honest.stop()
    await attacker.stop("SIGKILL")
  }, 60_000)
}

test("without a limit for each client the listener is full for a while, and then is not", async () => {
  const attacker = flood(ports.full)
  const { sockets } = await watched(attacker)
  expect(sockets - atRest.sockets).toBeLessThan(COUNT / 2 + 1000)
  await nothingIsLeft()
  const honest = new HonestClient(ports.full)
  await until(() => honest.asked > 3)
  await honest.stop()
  await attacker.stop("SIGKILL")
}, 60_000)
