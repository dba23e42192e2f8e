import { afterAll, describe, expect, test } from "bun:test"
import { type Bothways, startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { errorCode, frameType } from "../../support/h2/frames.ts"
import type { H2Exchange } from "../../support/h2/h2-exchange.ts"
import { type H2Origin, type H2OriginOptions, h2Origin } from "../../support/h2/h2-origin.ts"
import { rawH2Client } from "../../support/h2/raw-h2-client.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { reverseConfig } from "../../support/reverse-config.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { pause, until } from "../../support/wait.ts"

// How many connections a pool opens to peers that share them, who waits for what, and what becomes of both.

const authority = new Authority()
const leaf = authority.issue(["127.0.0.1"])
const tls = { cert: leaf.cert, key: leaf.key }
const trust = { tls: { ca: authority.ca.certFile } }

const started: { stop(): Promise<unknown> }[] = []
afterAll(async () => {
  await Promise.all(started.map(each => each.stop()))
})

async function proxyTo(peers: readonly string[], cluster: object = {}): Promise<{ port: number; proxy: Bothways }> {
  const port = await freePort()
  const proxy = await startBothways(reverseConfig(port, peers[0]!, { cluster: { protocol: "http2", peers, ...cluster } }))
  started.push(proxy)
  return { port, proxy }
}

async function origin(options: H2OriginOptions = {}): Promise<H2Origin> {
  const made = await h2Origin(options)
  started.push({ stop: () => made.close().catch(() => {}) })
  return made
}

/** As many requests at once, each from a client of its own kind: two HTTP/2 connections carry them all. Gives the statuses and the longest wait. */
async function burst(port: number, count: number, ms = 10_000): Promise<{ statuses: number[]; longest: number }> {
  const clients = await Promise.all(Array.from({ length: Math.ceil(count / 100) }, () => rawH2Client(port)))
  await Promise.all(clients.map(client => client.roundTrip()))
  const from = performance.now()
  let longest = 0
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const client = clients[i % clients.length]!
      const { status } = await client.response(client.request({ ":path": `/${i}` }), ms)
      longest = Math.max(longest, performance.now() - from)
      return status
    }),
  )
  for (const client of clients) client.destroy()
  return { statuses, longest }
}
const all = (count: number, status = 200): number[] => Array.from({ length: count }, () => status)
const slow = async (exchange: H2Exchange): Promise<void> => {
  await pause(30)
  await exchange.respond(200, "ok")
}
const open = (of: H2Origin): number => of.connections.filter(one => one.ending === "open").length

describe("a cold start with 200 requests at once", () => {
  test("to a peer that takes them all: one connection", async () => {
    const peer = await origin({ tls, script: slow, settings: { maxConcurrentStreams: 250 } })
    const { port } = await proxyTo([peer.address], { protocol: "auto", ...trust, pool: { streamsMax: 250 } })
    expect((await burst(port, 200)).statuses).toEqual(all(200))
    expect([peer.connections.length, peer.connections[0]!.mostStreams]).toEqual([1, 200])
    expect(peer.violations).toEqual([])
  })
  for (const [takes, most] of [
    [100, 2],
    [50, 4],
    [10, 24],
  ] as const) {
    test(`to one that takes ${takes} on a connection: no more than ${most}, and nothing is given back`, async () => {
      const peer = await origin({ tls, script: slow, settings: { maxConcurrentStreams: takes } })
      const { port } = await proxyTo([peer.address], { protocol: "auto", ...trust })
      expect((await burst(port, 200)).statuses).toEqual(all(200))
      expect(peer.connections.length).toBeLessThanOrEqual(most)
      expect(peer.requests.length).toBe(200)
      expect(peer.violations).toEqual([])
    })
  }
  test("to one that speaks HTTP/1.1 only: as many as are needed, and nobody waits for more than one handshake of others", async () => {
    const peer = await scriptedServer(
      async connection => {
        for (;;) {
          await connection.request(20_000)
          await pause(300)
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
      },
      { tls: { ...tls, ALPNProtocols: ["http/1.1"] } },
    )
    started.push({ stop: () => peer.close().catch(() => {}) })
    const { port } = await proxyTo([peer.address], { protocol: "auto", ...trust })
    const { statuses, longest } = await burst(port, 200)
    expect(statuses).toEqual(all(200))
    expect(peer.connections.length).toBe(200)
    expect(longest).toBeLessThan(3000)
  })
})

describe("SETTINGS_MAX_CONCURRENT_STREAMS", () => {
  test("1: one at a time on each connection", async () => {
    const peer = await origin({ script: slow, settings: { maxConcurrentStreams: 1 } })
    const { port } = await proxyTo([peer.address])
    expect((await burst(port, 40)).statuses).toEqual(all(40))
    expect(Math.max(...peer.connections.map(one => one.mostStreams))).toBe(1)
    expect(peer.violations).toEqual([])
  })
  test("1, and one connection is all there may be: one after the other", async () => {
    const peer = await origin({ script: exchange => exchange.respond(200), settings: { maxConcurrentStreams: 1 } })
    const { port } = await proxyTo([peer.address], { pool: { connectionsMax: 1 } })
    expect((await burst(port, 100)).statuses).toEqual(all(100))
    expect([peer.connections.length, peer.connections[0]!.mostStreams]).toEqual([1, 1])
  })
  test("0, then 5: who waits is served", async () => {
    const peer = await origin({ settings: { maxConcurrentStreams: 5 } })
    const { port, proxy } = await proxyTo([peer.address])
    expect((await burst(port, 1)).statuses).toEqual([200])
    const [connection] = peer.connections
    connection!.settings({ maxConcurrentStreams: 0 })
    await connection!.settled()
    const waiting = burst(port, 20)
    await until(async () => (await proxy.ask("/status")).ok)
    await pause(100)
    expect([peer.requests.length, peer.connections.length]).toEqual([1, 1])
    connection!.settings({ maxConcurrentStreams: 5 })
    expect((await waiting).statuses).toEqual(all(20))
    expect(peer.violations).toEqual([])
  })
  test("0 for good: 503 after the wait timeout, or another peer", async () => {
    const never = await origin({ settings: { maxConcurrentStreams: 0 }, script: exchange => exchange.reset(errorCode.refusedStream) })
    const other = await origin({ script: "other" })
    const { port, proxy } = await proxyTo([never.address], { pool: { waitTimeout: "200ms" } })
    const { statuses, longest } = await burst(port, 20)
    expect(statuses).toEqual(all(20, 503))
    expect(longest).toBeLessThan(1500)
    expect(never.connections.length).toBeLessThan(4)
    await until(() => proxy.log().some(line => line.fault === "upstream.pool-exhausted"))
    const both = await proxyTo([never.address, other.address], { pool: { waitTimeout: "200ms" } })
    expect((await burst(both.port, 20)).statuses).toEqual(all(20))
  })
  test("more, while others wait: they are served at once", async () => {
    const finish = Promise.withResolvers<void>()
    const peer = await origin({
      settings: null,
      onConnection: connection => connection.settings({ maxConcurrentStreams: 2 }),
      script: async exchange => {
        await finish.promise
        await exchange.respond(200)
      },
    })
    const { port } = await proxyTo([peer.address], { pool: { connectionsMax: 1 } })
    const waiting = burst(port, 10)
    await until(() => peer.requests.length === 2)
    peer.connections[0]!.settings({ maxConcurrentStreams: 100 })
    await until(() => peer.requests.length === 10)
    finish.resolve()
    expect((await waiting).statuses).toEqual(all(10))
  })
  test("fewer than are open: no new one until enough have ended", async () => {
    const gates: (() => void)[] = []
    const peer = await origin({
      settings: { maxConcurrentStreams: 10 },
      script: async exchange => {
        await new Promise<void>(resolve => gates.push(resolve))
        await exchange.respond(200)
      },
    })
    const { port } = await proxyTo([peer.address], { pool: { connectionsMax: 1 } })
    const first = burst(port, 10)
    await until(() => gates.length === 10)
    peer.connections[0]!.settings({ maxConcurrentStreams: 3 })
    await peer.connections[0]!.settled()
    const second = burst(port, 5)
    for (let i = 0; i < 7; i++) gates.shift()!()
    await peer.connections[0]!.roundTrip()
    expect(gates.length).toBe(3)
    for (let served = 7; served < 15; served++) (await until(() => gates.shift()))()
    expect([...(await first).statuses, ...(await second).statuses]).toEqual(all(15))
    expect(peer.violations).toEqual([])
  })
  test("long answers fill one connection: the next request has another at once", async () => {
    const peer = await origin({
      settings: { maxConcurrentStreams: 2 },
      script: exchange => exchange.head(200, { "content-type": "text/event-stream" }),
    })
    const { port } = await proxyTo([peer.address])
    using client = await rawH2Client(port)
    for (let i = 0; i < 7; i++) expect((await client.head(client.request())).status).toBe(200)
    expect(peer.connections.map(one => one.mostStreams)).toEqual([2, 2, 2, 1])
  })
})

describe("limits of ours", () => {
  test("streamsMax and connectionsMax", async () => {
    const peer = await origin({ script: slow })
    const { port } = await proxyTo([peer.address], { pool: { streamsMax: 5, connectionsMax: 3 } })
    expect((await burst(port, 90)).statuses).toEqual(all(90))
    expect(peer.connections.map(one => one.mostStreams)).toEqual([5, 5, 5])
  })
  test("requestsMax: a connection serves so many and no more, and all are served", async () => {
    const peer = await origin({ script: slow })
    const { port } = await proxyTo([peer.address], { pool: { requestsMax: 7 } })
    expect((await burst(port, 70)).statuses).toEqual(all(70))
    const counts = peer.connections.map(one => one.streams.size)
    expect(Math.max(...counts)).toBe(7)
    await until(() => peer.connections.filter(one => one.streams.size === 7).every(one => one.ending !== "open"))
    // Each said goodbye.
    expect(peer.count("goaway")).toBeGreaterThanOrEqual(counts.filter(count => count === 7).length)
  })
  test("requestsMax with long answers: who waits has a new connection at once", async () => {
    const peer = await origin({ script: exchange => exchange.head(200) })
    const { port } = await proxyTo([peer.address], { pool: { requestsMax: 3 } })
    using client = await rawH2Client(port)
    const ids = Array.from({ length: 10 }, () => client.request())
    for (const id of ids) expect((await client.head(id)).status).toBe(200)
  })
  test("idleTimeout: GOAWAY and the end; the next request has a new connection", async () => {
    const peer = await origin()
    const { port, proxy } = await proxyTo([peer.address], { pool: { idleTimeout: "150ms" } })
    expect((await burst(port, 3)).statuses).toEqual(all(3))
    await until(() => open(peer) === 0, 1500)
    expect(peer.count("goaway")).toBe(1)
    expect((await burst(port, 1)).statuses).toEqual([200])
    const detail = (await (await proxy.ask("/status")).json()) as { workers: { detail: { pools: Record<string, object> } }[] }
    expect(detail.workers[0]!.detail.pools.a).toMatchObject({ busy: 0, idle: 1, shared: { opened: 2 } })
  })
})

describe("a dial that fails while 100 wait", () => {
  const failing: Record<string, () => Promise<{ peer: string; cluster: object; fault: string }>> = {
    refused: async () => ({ peer: `127.0.0.1:${await freePort()}`, cluster: {}, fault: "upstream.connect-refused" }),
    "a certificate that does not verify": async () => {
      const peer = await origin({ tls })
      return { peer: peer.address, cluster: { tls: true }, fault: "upstream.tls-failed" }
    },
    "a handshake that is cut": async () => {
      const peer = await scriptedServer(connection => connection.reset())
      started.push({ stop: () => peer.close().catch(() => {}) })
      return { peer: peer.address, cluster: trust, fault: "upstream." }
    },
    "no h2 by ALPN": async () => {
      const peer = await scriptedServer(() => {}, { tls })
      started.push({ stop: () => peer.close().catch(() => {}) })
      return { peer: peer.address, cluster: trust, fault: "upstream.protocol-unavailable" }
    },
    "accepted and cut": async () => {
      const peer = await scriptedServer(connection => connection.reset())
      started.push({ stop: () => peer.close().catch(() => {}) })
      return { peer: peer.address, cluster: {}, fault: "upstream.c" }
    },
  }
  for (const [name, prepare] of Object.entries(failing)) {
    test(`${name}: each has its 502 at once`, async () => {
      const { peer, cluster, fault } = await prepare()
      const { port, proxy } = await proxyTo([peer], { health: { passive: "off" }, ...cluster })
      const { statuses, longest } = await burst(port, 100)
      expect(statuses).toEqual(all(100, 502))
      expect(longest).toBeLessThan(2500)
      await until(() => proxy.log().length === 100)
      for (const line of proxy.log()) expect(line.fault).toStartWith(fault)
    })
    test(`${name}: another peer serves them`, async () => {
      const { peer, cluster } = await prepare()
      const isSecure = "tls" in cluster
      const good = await origin(isSecure ? { tls } : {})
      const { port } = await proxyTo([peer, good.address], {
        retry: { budget: 1 },
        ...cluster,
        ...(name.startsWith("a cert") && { tls: { verify: true } }),
      })
      const { statuses, longest } = await burst(port, 100)
      // With a certificate that does not verify, or no h2, nobody is any better.
      if (!name.startsWith("a cert") && !name.startsWith("no h2")) expect(statuses).toEqual(all(100))
      expect(longest).toBeLessThan(2500)
    })
  }
})

test("a client that gives up while its dial is under way: the others' dial goes on", async () => {
  const hold = Promise.withResolvers<void>()
  const peer = await origin({
    settings: null,
    ackSettings: false,
    script: async exchange => {
      await hold.promise
      await exchange.respond()
    },
    onConnection: connection => void hold.promise.then(() => connection.settings({ maxConcurrentStreams: 100 })),
  })
  const { port } = await proxyTo([peer.address])
  const first = await rawClient(port)
  first.send("GET /first HTTP/1.1\r\nHost: a.test\r\n\r\n")
  await peer.request()
  const others = burst(port, 20)
  first.reset()
  hold.resolve()
  expect((await others).statuses).toEqual(all(20))
  expect(peer.connections.length).toBe(1)
})

describe("reload", () => {
  for (const [name, change] of [
    ["that keeps the cluster: the connection stays", {}],
    ["that changes it: streams under way end well, new ones have a connection of the new kind", { pool: { streamsMax: 50 } }],
  ] as const) {
    test(name, async () => {
      const finish = Promise.withResolvers<void>()
      const peer = await origin({
        script: async exchange => {
          if (exchange.path === "/slow") {
            exchange.head(200)
            await exchange.data("first ")
            await finish.promise
            return exchange.data("second", { end: true })
          }
          return exchange.respond(200)
        },
      })
      const port = await freePort()
      const config = (cluster: object) => reverseConfig(port, peer.address, { cluster: { protocol: "http2", ...cluster } }) as { admin?: object }
      const proxy = await startBothways(config({}))
      started.push(proxy)
      using client = await rawH2Client(port)
      const ids = Array.from({ length: 20 }, () => client.request({ ":path": "/slow" }))
      for (const id of ids) await client.body(id, 6)
      proxy.rewrite({ ...config(change), admin: { bind: proxy.admin.slice(7) }, workers: 1 })
      expect((await proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })).status).toBe(200)
      expect((await burst(port, 5)).statuses).toEqual(all(5))
      finish.resolve()
      for (const id of ids) expect(await client.response(id)).toMatchObject({ status: 200, body: "first second", ended: true })
      expect(peer.connections.length).toBe(name.includes("keeps") ? 1 : 2)
      if (!name.includes("keeps")) expect(await peer.connections[0]!.closed()).toBe("fin")
      expect(peer.violations).toEqual([])
    })
  }
})

test("a peer that stops answering without an end: PING asks, nobody else goes there, and the connection is given up", async () => {
  let deaf = false
  const peer = await origin({
    script: exchange => {
      if (!deaf) return exchange.respond(200)
      // From here on the first connection says nothing any more.
      if (exchange.connection === peer.connections[0]) exchange.connection.ackPings = false
      else return exchange.respond(200, "new")
    },
  })
  const { port } = await proxyTo([peer.address], { timeouts: { head: "300ms" } })
  expect((await burst(port, 1)).statuses).toEqual([200])
  deaf = true
  expect((await burst(port, 3)).statuses).toEqual(all(3))
  expect(peer.connections[0]!.frames.filter(each => each.type === frameType.ping).length).toBe(1)
  expect((await burst(port, 3)).statuses).toEqual(all(3))
  expect(await peer.connections[0]!.closed(8000)).toBe("fin")
}, 15_000)
