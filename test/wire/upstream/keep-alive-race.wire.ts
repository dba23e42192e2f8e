import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import type { RawSocket } from "../../support/raw-socket.ts"
import { type Script, type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// K9 O-27. RFC 9112 section 9.3.1, RFC 9110 section 9.2.2: an idle connection may close while the next request is on its way. Requests that may be
// repeated are, on a fresh connection; others are told, and never sent twice.

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
const IDLE_MS = 60

/** What each upstream does after its first answer on a connection. */
const scripts: Record<string, Script> = {
  /** (a) closes when it was idle for a while. */
  async idle(connection) {
    await connection.request()
    connection.send(OK)
    for (;;) {
      const next = await Promise.race([connection.request().catch(() => null), pause(IDLE_MS).then(() => null)])
      if (next === null) break
      connection.send(OK)
    }
    connection.destroy()
  },
  /** (b) closes when the next request arrives, which it does not answer. */
  async unread(connection) {
    await connection.request()
    connection.send(OK)
    await until(() => connection.unread !== "", 10_000).catch(() => {})
    connection.destroy()
  },
  async reset(connection) {
    await connection.request()
    connection.send(OK)
    await until(() => connection.unread !== "", 10_000).catch(() => {})
    connection.reset()
  },
  /** (c) has closed its half when the next request comes. */
  async fin(connection) {
    await connection.request()
    connection.send(OK)
    connection.fin()
  },
  /** (d) says how long it keeps the connection. */
  async announced(connection) {
    for (;;) {
      await connection.request(10_000)
      connection.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok")
    }
  },
  async never(connection) {
    for (;;) {
      await connection.request(10_000)
      connection.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok")
    }
  },
}

const upstreams = new Map<string, ScriptedServer>()
const ports = new Map<string, number>()
let proxy: Bothways

beforeAll(async () => {
  const names = Object.keys(scripts)
  const free = await freePorts(names.length)
  for (const [index, name] of names.entries()) {
    ports.set(name, free[index]!)
    upstreams.set(name, await scriptedServer(scripts[name]!))
  }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports.get(name)}` }])),
    clusters: Object.fromEntries(names.map(name => [name, { peers: [upstreams.get(name)!.address] }])),
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const upstream of upstreams.values()) await upstream.close().catch(() => {})
})

let serial = 0

/** Sends one request with a number of its own; gives the status and how often the upstream got it. */
async function ask(client: RawSocket, name: string, method: string): Promise<{ status: number; seen: () => number }> {
  const path = `/${method}-${++serial}`
  const body = method === "POST" || method === "PUT" || method === "PATCH" ? "Content-Length: 3\r\n\r\nabc" : "\r\n"
  client.send(`${method} ${path} HTTP/1.1\r\nHost: a.test\r\n${body}`)
  const { status } = await client.response(method)
  return { status, seen: () => upstreams.get(name)!.received.split(`${method} ${path} `).length - 1 }
}

const mayBeRepeated = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]

test("O-27 a: an upstream that closes after an idle time, just when the next request comes: 1000 rounds of GET without a fault", async () => {
  const port = ports.get("idle")!
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      using client = await rawClient(port)
      const seen: number[] = []
      for (let round = 0; round < 20; round++) {
        seen.push((await ask(client, "idle", "GET")).status)
        await pause(IDLE_MS - 4 + ((index + round) % 8))
      }
      return seen
    }),
  )
  expect(statuses.flat().filter(status => status !== 200)).toEqual([])
  expect(statuses.flat().length).toBe(1000)
  // Both happened: connections that were used again, and others that had been closed.
  const { length } = upstreams.get("idle")!.connections
  expect(length).toBeGreaterThan(60)
  expect(length).toBeLessThan(1000)
}, 20_000)

test("O-27 a: the same with POST: 200 or 502, and none is executed twice", async () => {
  const asked = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      using client = await rawClient(ports.get("idle")!)
      const answers: Awaited<ReturnType<typeof ask>>[] = []
      for (let round = 0; round < 10; round++) {
        answers.push(await ask(client, "idle", "POST"))
        await pause(IDLE_MS - 4 + ((index + round) % 8))
      }
      return answers
    }),
  )
  for (const { status, seen } of asked.flat()) {
    expect([200, 502]).toContain(status)
    expect(seen()).toBeLessThanOrEqual(1)
  }
})

for (const name of ["unread", "reset"]) {
  describe(`O-27 b: an upstream that ${name === "reset" ? "resets" : "closes"} at the first octet of a second request`, () => {
    for (const method of mayBeRepeated) {
      test(`${method}: 200, repeated once`, async () => {
        using client = await rawClient(ports.get(name)!)
        expect((await ask(client, name, "GET")).status).toBe(200)
        const { status, seen } = await ask(client, name, method)
        expect(status).toBe(200)
        expect(seen()).toBeLessThanOrEqual(2)
      })
    }
    for (const method of ["POST", "PATCH", "LOCK", "FROB"]) {
      test(`${method}: 502, not repeated`, async () => {
        using client = await rawClient(ports.get(name)!)
        expect((await ask(client, name, "GET")).status).toBe(200)
        const { status, seen } = await ask(client, name, method)
        expect([status, seen()]).toEqual([502, 1])
      })
    }
  })
}

describe("O-27 c: an upstream that has closed its half 50 ms before", () => {
  for (const method of ["GET", "POST", "PATCH"]) {
    test(`${method}: a fresh connection, 200`, async () => {
      using client = await rawClient(ports.get("fin")!)
      expect((await ask(client, "fin", "GET")).status).toBe(200)
      await pause(50)
      const { status, seen } = await ask(client, "fin", method)
      expect([status, seen()]).toEqual([200, 1])
    })
  }
})

describe("O-27 d: an upstream that says how long it keeps a connection", () => {
  test("timeout=1: used again soon, not after, and closed by us within the second", async () => {
    using client = await rawClient(ports.get("announced")!)
    const { connections } = upstreams.get("announced")!
    await ask(client, "announced", "GET")
    await pause(200)
    await ask(client, "announced", "GET")
    expect(connections.length).toBe(1)
    const idleSince = performance.now()
    await until(() => connections[0]!.ending !== "open", 1000, "the close of the idle connection")
    expect(performance.now() - idleSince).toBeLessThan(1000)
    expect((await ask(client, "announced", "POST")).status).toBe(200)
    expect(connections.length).toBe(2)
  })

  test("timeout=0: not used again", async () => {
    using client = await rawClient(ports.get("never")!)
    for (let i = 0; i < 3; i++) expect((await ask(client, "never", "POST")).status).toBe(200)
    expect(upstreams.get("never")!.connections.length).toBe(3)
  })
})
