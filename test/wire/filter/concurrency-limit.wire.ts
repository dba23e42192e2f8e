import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { type RawClient, rawClient } from "../../support/raw-client.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// Requests under way are counted over all workers; each end frees a place: an answer, a client that leaves, a worker that dies.

let port: number
let origin: ScriptedServer
let proxy: Bothways
let answers = false
const change = { method: "POST", headers: { "X-Bothways": "1" } }

beforeAll(async () => {
  port = await freePort()
  origin = await scriptedServer(async connection => {
    for (;;) {
      await connection.request(60_000)
      await until(() => answers, 30_000)
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
  })
  proxy = await startBothways({
    workers: 2,
    listeners: { web: { bind: `127.0.0.1:${port}` } },
    clusters: { app: { peers: [origin.address] } },
    routes: [{ name: "app", filters: [{ "concurrency-limit": { requests: 6 } }], to: { cluster: "app" } }],
  })
}, 20_000)

afterAll(async () => {
  answers = true
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

async function ask(): Promise<RawClient> {
  const client = await rawClient(port)
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  return client
}

/** Asks until `wanted` are under way; those that are refused are closed. */
async function fill(wanted: number): Promise<RawClient[]> {
  const held: RawClient[] = []
  for (let i = 0; i < wanted; i++) held.push(await ask())
  await pause(100)
  return held
}

async function isRefused(): Promise<boolean> {
  const client = await ask()
  await pause(150)
  const refused = client.received.startsWith("HTTP/1.1 503")
  client.destroy()
  return refused
}

test("six at a time over two workers", async () => {
  answers = false
  const held = await fill(6)
  expect(held.every(client => client.received === "")).toBe(true)
  using refused = await ask()
  const { status, fields } = await refused.response()
  expect([status, fields["retry-after"]]).toEqual([503, "1"])
  // A client that breaks off frees its place; one that only says no more is still owed its answer.
  held[0]!.reset()
  await pause(100)
  held[0] = await ask()
  await pause(100)
  expect(held[0]!.received).toBe("")
  expect(await isRefused()).toBe(true)
  answers = true
  for (const client of held) expect((await client.response()).status).toBe(200)
  for (const client of held) client.destroy()
  await until(async () => !(await isRefused()))
})

test("what a dead worker had under way is free again, and nothing else", async () => {
  answers = false
  await pause(100)
  const held = await fill(6)
  expect(await isRefused()).toBe(true)
  await proxy.ask("/workers/0/terminate", change)
  await until(async () => {
    const { workers } = (await (await proxy.ask("/status")).json()) as { workers: { state: string; restarts: number }[] }
    return workers.every(worker => worker.state === "live") && workers.some(worker => worker.restarts > 0)
  })
  await pause(100)
  const alive = held.filter(client => client.ending === "open")
  const more = await fill(6 - alive.length)
  expect(more.every(client => client.received === "")).toBe(true)
  expect(await isRefused()).toBe(true)
  answers = true
  for (const client of [...alive, ...more]) expect((await client.response()).status).toBe(200)
  for (const client of held.concat(more)) client.destroy()
}, 20_000)
