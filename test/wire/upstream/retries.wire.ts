import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scrape } from "../../support/scrape.ts"
import { type Script, type ScriptedServer, scriptedServer } from "../../support/scripted-server.ts"

// K9 O-28 and what else is repeated (RFC 9110 section 9.2.2). U1 is the peer, U2 the backup: every request meets U1 first.

const answer = (status: number, body: string): string => `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`

/** Answers each request on a connection with the next of these; the last one stays. */
const answers =
  (...texts: readonly string[]): Script =>
  async connection => {
    for (let turn = 0; ; turn++) {
      await connection.request(20_000)
      connection.send(texts[Math.min(turn, texts.length - 1)]!)
    }
  }

const silent: Script = async connection => void (await connection.request())
const resetting: Script = async connection => {
  await connection.request()
  connection.reset()
}
/** Resets for `/bad` and serves the rest. */
const choosy: Script = async connection => {
  for (;;) {
    const { start } = await connection.request(20_000)
    if (start.includes("/bad")) return connection.reset()
    connection.send(answer(200, "first"))
  }
}

/** Each listener has a cluster of its name: what U1 does there (null: nobody listens), and the settings. U2 answers 200 `second`, or 500 to `/e`. */
const kinds: Record<string, readonly [first: Script | null, cluster: object]> = {
  silent: [silent, {}],
  resetting: [resetting, {}],
  failing: [answers(answer(500, "orig")), { retry: { attempts: 2, status: [500] } }],
  dead: [null, {}],
  short: [resetting, { retry: { replayBytesMax: 1000 } }],
  single: [resetting, { retry: { attempts: 1 } }],
  singleDead: [null, { retry: { attempts: 1 } }],
  limited: [silent, { timeouts: { head: "10s", request: "300ms" } }],
  poor: [resetting, { retry: { budget: 0.2 } }],
  tenth: [choosy, { retry: { budget: 0.1 } }],
}

const ports = new Map<string, number>()
const firsts = new Map<string, ScriptedServer>()
let second: ScriptedServer
let proxy: Bothways

beforeAll(async () => {
  const names = Object.keys(kinds)
  const [dead, ...free] = await freePorts(names.length + 1)
  second = await scriptedServer(async connection => {
    for (;;) connection.send((await connection.request(20_000)).start.includes(" /e") ? answer(500, "second") : answer(200, "second"))
  })
  const clusters: Record<string, object> = {}
  for (const [index, name] of names.entries()) {
    ports.set(name, free[index]!)
    const [script, settings] = kinds[name]!
    if (script !== null) firsts.set(name, await scriptedServer(script))
    const peers = [firsts.get(name)?.address ?? `127.0.0.1:${dead}`, { address: second.address, backup: true }]
    clusters[name] = { peers, timeouts: { head: "250ms" }, health: { passive: "off" }, ...settings }
  }
  proxy = await startBothways({
    listeners: Object.fromEntries(names.map(name => [name, { bind: `127.0.0.1:${ports.get(name)}` }])),
    clusters,
    routes: names.map(name => ({ match: { listener: name }, to: { cluster: name } })),
    observe: { accessLog: { to: "none" } },
  })
})
afterAll(async () => {
  await proxy.stop()
  for (const upstream of [second, ...firsts.values()]) await upstream.close().catch(() => {})
})

let serial = 0

/** One request; what came of it and how often each upstream got it. */
async function once(method: string, name: string, body = "abc", word = "x") {
  using client = await rawClient(ports.get(name)!)
  const target = `${method} /${word}${++serial} `
  const times = (server: ScriptedServer | undefined): number => (server === undefined ? 0 : server.received.split(target).length - 1)
  const startedAt = performance.now()
  client.send(`${target}HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const response = await client.response(method)
  const ms = performance.now() - startedAt
  return { status: response.status, body: response.body, first: times(firsts.get(name)), second: times(second), ms }
}

const notRepeated = ["POST", "PATCH", "LOCK", "FROB"]
const repeated = ["GET", "PUT", "DELETE", "OPTIONS"]

describe("O-28", () => {
  for (const method of notRepeated) {
    test(`a: ${method} to a silent upstream: 504, executed once, U2 untouched`, async () => {
      expect(await once(method, "silent")).toMatchObject({ status: 504, first: 1, second: 0 })
    })
    test(`b: ${method} and a reset: 502, executed once, U2 untouched`, async () => {
      expect(await once(method, "resetting")).toMatchObject({ status: 502, first: 1, second: 0 })
    })
    test(`c: ${method} and a 500 that would be repeated: the upstream's own answer`, async () => {
      expect(await once(method, "failing")).toMatchObject({ status: 500, body: "orig", first: 1, second: 0 })
    })
    test(`d: ${method} that cannot have been seen, the connection was refused: U2 serves it`, async () => {
      expect(await once(method, "dead")).toMatchObject({ status: 200, body: "second", second: 1 })
    })
  }
  for (const method of repeated) {
    test(`${method} to a silent or resetting upstream is repeated elsewhere, body and all`, async () => {
      expect(await once(method, "silent")).toMatchObject({ status: 200, body: "second", first: 1, second: 1 })
      expect(await once(method, "resetting")).toMatchObject({ status: 200, body: "second", first: 1, second: 1 })
      expect(second.received).toEndWith("abc")
    })
  }
  test("e: GET and a 500 is repeated; the last upstream's answer is passed on, whatever it says", async () => {
    const retries = `bothways_cluster_retries_total{cluster="failing"}`
    const before = (await scrape(proxy)).get(retries)!
    expect(await once("GET", "failing", "", "e")).toMatchObject({ status: 500, body: "second", first: 1, second: 1 })
    expect((await scrape(proxy)).get(retries)! - before).toBe(1)
  })
})

describe("what bounds repeating", () => {
  test("a body over replayBytesMax is sent once", async () => {
    expect(await once("PUT", "short", "x".repeat(3000))).toMatchObject({ status: 502, first: 1, second: 0 })
    expect(await once("PUT", "short", "x".repeat(900))).toMatchObject({ status: 200, first: 1, second: 1 })
  })

  test("attempts: 1 repeats nothing, not even what was refused", async () => {
    expect(await once("GET", "single", "")).toMatchObject({ status: 502, first: 1, second: 0 })
    expect(await once("GET", "singleDead", "")).toMatchObject({ status: 502, second: 0 })
  })

  test("a request timeout covers all attempts together", async () => {
    const outcome = await once("GET", "limited", "")
    expect(outcome).toMatchObject({ status: 504, first: 1, second: 0 })
    expect(outcome.ms).toBeLessThan(1500)
  })

  test("the budget: a cluster in trouble gets 30 repeats in ten seconds, then its own faults", async () => {
    using client = await rawClient(ports.get("poor")!)
    const statuses: number[] = []
    for (let i = 0; i < 80; i++) {
      client.send("GET /poor HTTP/1.1\r\nHost: a.test\r\n\r\n")
      statuses.push((await client.response()).status)
    }
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 200))
    expect(statuses.slice(30)).toEqual(Array.from({ length: 50 }, () => 502))
    expect((await scrape(proxy)).get(`bothways_cluster_retries_total{cluster="poor"}`)).toBe(30)
  })

  test("a budget of a tenth of many requests is a tenth", async () => {
    using client = await rawClient(ports.get("tenth")!)
    const ask = async (path: string): Promise<number> => {
      client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
      return (await client.response()).status
    }
    // These are the requests that pay for the repeats.
    for (let i = 0; i < 600; i++) await ask("/good")
    let repeats = 0
    while ((await ask("/bad")) === 200) repeats++
    // A tenth of 600 and of those that came with the bad ones; sixteen may not have been told yet.
    expect(repeats).toBeGreaterThanOrEqual(58)
    expect(repeats).toBeLessThanOrEqual(68)
  })
})
