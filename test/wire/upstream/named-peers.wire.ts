import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { DnsServer } from "../../../src/net/resolve/dns-server.fixture.ts"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { scaled } from "../../support/long.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// K9 O-31: peers that the config names by name. A scripted name server; 127.0.0.2 and 127.0.0.3 are two machines that use the same port.

const names = ["change", "stale", "fails", "gone", "both", "turns", "late"]
const ports = new Map<string, number>()
let dns: DnsServer
let proxy: Bothways

beforeAll(async () => {
  dns = await DnsServer.start()
  const free = await freePorts(names.length * 2)
  for (const [index, name] of names.entries()) {
    ports.set(name, free[index]!)
    ports.set(`${name}.up`, free[index + names.length]!)
    if (name !== "late") dns.say(`${name}.test`, { a: ["127.0.0.2"], ttl: name === "stale" ? 300 : 1 })
  }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports.get(name)}` }])),
    clusters: Object.fromEntries(names.map(name => [name, { peers: [`${name}.test:${ports.get(`${name}.up`)}`] }])),
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
    resolver: { servers: [dns.address], timeout: "200ms", attempts: 1 },
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  dns.stop()
})

function upstreamAt(name: string, host: string): Promise<ScriptedServer> {
  return scriptedServer(`HTTP/1.1 200 OK\r\nContent-Length: ${host.length}\r\n\r\n${host}`, { host, port: ports.get(`${name}.up`)! })
}

interface Answer {
  readonly status: number
  readonly body: string
}

async function ask(name: string): Promise<Answer> {
  using client = await rawClient(ports.get(name)!)
  client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
  return await client.response()
}

/** Asks again and again; settles when `last` answered. Every answer must be 200. */
async function askUntil(name: string, last: string, ms: number): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const { status, body } = await ask(name)
    expect(status).toBe(200)
    const elapsed = performance.now() - startedAt
    if (body === last) return elapsed
    expect(elapsed).toBeLessThan(ms)
    await pause(10)
  }
}

// Each has a name of its own, and most of it is waiting: they run side by side.
describe.concurrent("O-31", () => {
  test("the address changes while the old machine stops: within TTL + 1 s all go to the new one, and no GET fails", async () => {
    const one = await upstreamAt("change", "127.0.0.2")
    expect((await ask("change")).body).toBe("127.0.0.2")
    await using two = await upstreamAt("change", "127.0.0.3")
    dns.say("change.test", { a: ["127.0.0.3"], ttl: 1 })
    await one.close()
    expect(await askUntil("change", "127.0.0.3", 2000)).toBeLessThan(2000)
    for (let i = 0; i < 5; i++) expect((await ask("change")).body).toBe("127.0.0.3")
    expect(two.received).not.toBe("")
  })

  test("the answer may be kept for minutes: a refused connection asks again, and the request waits for it", async () => {
    const one = await upstreamAt("stale", "127.0.0.2")
    expect((await ask("stale")).body).toBe("127.0.0.2")
    await using _two = await upstreamAt("stale", "127.0.0.3")
    dns.say("stale.test", { a: ["127.0.0.3"], ttl: 300 })
    await one.close()
    expect(await ask("stale")).toMatchObject({ status: 200, body: "127.0.0.3" })
  })

  test("the name servers fail, then are silent: the last good set stays", async () => {
    await using one = await upstreamAt("fails", "127.0.0.2")
    const before = dns.count("fails.test")
    for (const rule of [{ rcode: 2 }, { silent: true }] as const) {
      dns.say("fails.test", rule)
      const until = performance.now() + scaled(1500, 5000)
      while (performance.now() < until) {
        expect(await ask("fails")).toMatchObject({ status: 200, body: "127.0.0.2" })
        await pause(25)
      }
    }
    expect(dns.count("fails.test")).toBeGreaterThan(before + 1)
    await using _two = await upstreamAt("fails", "127.0.0.3")
    dns.say("fails.test", { a: ["127.0.0.3"], ttl: 1 })
    await askUntil("fails", "127.0.0.3", 12_000)
    await until(() => one.connections.every(connection => connection.ending !== "open"))
  }, 20_000)

  test("one answer that the name does not exist changes nothing at once", async () => {
    await using _one = await upstreamAt("gone", "127.0.0.2")
    expect((await ask("gone")).status).toBe(200)
    const before = dns.count("gone.test")
    dns.say("gone.test", null)
    await until(() => dns.count("gone.test") > before + 1, 4000, "two look-ups")
    expect((await ask("gone")).status).toBe(200)
    dns.say("gone.test", { a: ["127.0.0.2"], ttl: 1 })
  })

  test("an address that is gone gets nothing new, and its idle connections close", async () => {
    await using one = await upstreamAt("both", "127.0.0.2")
    await using two = await upstreamAt("both", "127.0.0.3")
    dns.say("both.test", { a: ["127.0.0.2", "127.0.0.3"], ttl: 1 })
    await askUntil("both", "127.0.0.3", 3000)
    for (let i = 0; i < 4; i++) await ask("both")
    expect([one, two].map(server => server.connections.some(connection => connection.ending === "open"))).toEqual([true, true])
    dns.say("both.test", { a: ["127.0.0.3"], ttl: 1 })
    await until(() => one.connections.every(connection => connection.ending !== "open"), 2500, "the close of idle connections")
    const before = one.received.length
    for (let i = 0; i < 6; i++) expect((await ask("both")).body).toBe("127.0.0.3")
    expect(one.received.length).toBe(before)
  })

  test("answers in another order close nothing", async () => {
    await using one = await upstreamAt("turns", "127.0.0.2")
    await using two = await upstreamAt("turns", "127.0.0.3")
    const orders = [
      ["127.0.0.2", "127.0.0.3"],
      ["127.0.0.3", "127.0.0.2"],
    ]
    dns.say("turns.test", { a: orders[0]!, ttl: 1 })
    await askUntil("turns", "127.0.0.3", 3000)
    await ask("turns")
    const opened = [one.connections.length, two.connections.length]
    for (let turn = 1; turn <= 2; turn++) {
      const before = dns.count("turns.test", "A")
      dns.say("turns.test", { a: orders[turn % 2]!, ttl: 1 })
      await until(() => dns.count("turns.test", "A") > before, 3000, "a look-up")
    }
    for (let i = 0; i < 4; i++) await ask("turns")
    expect([one.connections.length, two.connections.length]).toEqual(opened)
    expect([...one.connections, ...two.connections].every(connection => connection.ending === "open")).toBe(true)
  })

  test("a name that does not exist at the start: 503 until it does", async () => {
    const startedAt = performance.now()
    expect((await ask("late")).status).toBe(503)
    expect(performance.now() - startedAt).toBeLessThan(3000)
    await using _one = await upstreamAt("late", "127.0.0.2")
    dns.say("late.test", { a: ["127.0.0.2"], ttl: 1 })
    // The request itself asks for the name again.
    await until(async () => (await ask("late")).status === 200, 4000, "an answer from the new name")
  })
})
