import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Bothways, runBothways, startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { scriptedServer } from "../../support/scripted-server.ts"
import { Load, type TellingPeer, tellingPeers } from "../../support/telling-peers.ts"
import { until } from "../../support/wait.ts"
import { echo, openWebSocket, webSocketEcho } from "../../support/web-socket.ts"

// Peers come, change and go while requests run, over two workers and without a reload.

// Some start several proxies, one after the other.
setDefaultTimeout(20_000)

let peers: TellingPeer[]
let [a, b, c] = ["", "", ""] as [string, string, string]
beforeAll(async () => {
  peers = await tellingPeers(3)
  ;[a, b, c] = peers.map(peer => peer.address) as [string, string, string]
})
afterAll(async () => {
  for (const peer of peers) await peer.stop()
})

interface View {
  readonly clusters: Record<
    string,
    { readonly changed: string[]; readonly peers: { name: string; state: string; inFlight: number; weight: number; drain: { cut: number } | null }[] }
  >
  readonly kept: boolean
}

class Shop {
  readonly proxy: Bothways
  readonly port: number

  constructor(proxy: Bothways, port: number) {
    this.proxy = proxy
    this.port = port
  }

  static async start(addresses: readonly string[], more: { admin?: object; cluster?: object; workers?: number } = {}): Promise<Shop> {
    const port = await freePort()
    const config = {
      admin: { bind: `127.0.0.1:${await freePort()}`, ...more.admin },
      listeners: { web: { bind: `127.0.0.1:${port}` } },
      clusters: { shop: { peers: addresses, ...more.cluster } },
      routes: [{ to: { cluster: "shop" } }],
      observe: { accessLog: { to: "none" } },
    }
    return new Shop(await startBothways(config, { workers: more.workers ?? 2 }), port)
  }

  async change(what: string, query: Record<string, string>): Promise<View> {
    const reply = await this.proxy.ask(`/peers/${what}?${new URLSearchParams({ cluster: "shop", ...query })}`, {
      method: "POST",
      headers: { "X-Bothways": "1" },
    })
    const body = (await reply.json()) as View & { error?: string }
    if (reply.status !== 200) throw new Error(`${reply.status} ${body.error}`)
    return body
  }

  async peers(): Promise<View["clusters"][string]["peers"]> {
    return ((await (await this.proxy.ask("/peers")).json()) as View).clusters["shop"]!.peers
  }

  async peer(address: string): Promise<View["clusters"][string]["peers"][number] | undefined> {
    return (await this.peers()).find(peer => peer.name === address)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.proxy[Symbol.asyncDispose]()
  }
}

function expectShares(shares: Record<string, number>, wanted: Record<string, number>): void {
  for (const address of new Set([...Object.keys(shares), ...Object.keys(wanted)]))
    expect([address, Math.abs((shares[address] ?? 0) - (wanted[address] ?? 0)) < 0.05]).toEqual([address, true])
}

test("added, weighed, drained, ready again and removed under load: no request fails, and the shares follow", async () => {
  await using shop = await Shop.start([a, b])
  await using load = new Load(shop.port, 16)
  const cli = (...args: string[]) => runBothways(["peers", ...args, "--admin", shop.proxy.admin.slice(7)])
  expectShares(await load.shares(600), { [a]: 0.5, [b]: 0.5 })
  await shop.change("add", { address: c, weight: "2" })
  expectShares(await load.shares(800), { [a]: 0.25, [b]: 0.25, [c]: 0.5 })
  await shop.change("weight", { address: a, weight: "5" })
  expectShares(await load.shares(800), { [a]: 5 / 8, [b]: 1 / 8, [c]: 2 / 8 })
  const drained = await cli("drain", "shop", c, "--timeout", "5s", "--wait")
  const row = drained.stdout.split("\n").find(line => line.startsWith(c))!
  expect([drained.code, row]).toEqual([0, expect.stringMatching(/ drained +0 /)])
  expectShares(await load.shares(600), { [a]: 5 / 6, [b]: 1 / 6 })
  await shop.change("ready", { address: c })
  expectShares(await load.shares(800), { [a]: 5 / 8, [b]: 1 / 8, [c]: 2 / 8 })
  const removed = await cli("remove", "shop", a, "--drain", "5s", "--wait")
  expect([removed.code, removed.stdout.includes(`${a} removed`), await shop.peer(a)]).toEqual([0, true, undefined])
  expectShares(await load.shares(600), { [b]: 1 / 3, [c]: 2 / 3 })
  const { changed } = (await shop.change("reset", {})).clusters["shop"]!
  expect(changed).toEqual([])
  expectShares(await load.shares(600), { [a]: 0.5, [b]: 0.5 })
  expect(load.failures).toEqual([])
}, 30_000)

describe("a drain", () => {
  test("waits for a WebSocket, which works on; at the limit both ends are closed", async () => {
    await using server = await scriptedServer(webSocketEcho)
    await using shop = await Shop.start([server.address, a])
    await shop.change("drain", { address: a })
    await using client = await rawClient(shop.port)
    await openWebSocket(client)
    await shop.change("drain", { address: server.address, timeout: "700ms", force: "true" })
    expect(await echo(client, "still here")).toBe("still here")
    expect(await shop.peer(server.address)).toMatchObject({ state: "draining", inFlight: 1 })
    await client.ended()
    await until(async () => (await shop.peer(server.address))?.state === "drained")
    expect(await shop.peer(server.address)).toMatchObject({ inFlight: 0, drain: { cut: 1 } })
    for (const connection of server.connections) await connection.ended()
  })

  test("is over when the WebSocket ends by itself", async () => {
    await using server = await scriptedServer(webSocketEcho)
    await using shop = await Shop.start([server.address])
    await using client = await rawClient(shop.port)
    await openWebSocket(client)
    await shop.change("drain", { address: server.address, timeout: "60s", force: "true" })
    expect(await shop.peer(server.address)).toMatchObject({ state: "draining" })
    client.fin()
    await until(async () => (await shop.peer(server.address))?.state === "drained")
    expect(await shop.peer(server.address)).toMatchObject({ drain: { cut: 0 } })
  })

  test("at the limit a request without an answer goes to another peer, and a stream is cut", async () => {
    await using server = await scriptedServer(async connection => {
      const { start } = await connection.request()
      if (start.includes("/stream")) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
      await connection.ended(20_000)
    })
    await using shop = await Shop.start([server.address, { address: a, backup: true } as never], { cluster: { retry: { attempts: 3 } } })
    await using silent = await rawClient(shop.port)
    await using stream = await rawClient(shop.port)
    silent.send("GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n")
    stream.send("GET /stream HTTP/1.1\r\nHost: a.test\r\n\r\n")
    await until(() => stream.received.endsWith("begun"))
    await until(async () => (await shop.peer(server.address))?.inFlight === 2)
    await shop.change("drain", { address: server.address, timeout: "200ms" })
    expect((await silent.response()).body).toBe(a)
    await stream.ended()
    expect(stream.received.endsWith("begun")).toBe(true)
    await until(async () => (await shop.peer(server.address))?.state === "drained")
    expect(await shop.peer(server.address)).toMatchObject({ drain: { cut: 2 } })
  })

  test("of the last peer is refused, unless it is forced; then the answer is 503, whatever allDown says", async () => {
    await using shop = await Shop.start([a])
    await expect(shop.change("drain", { address: a })).rejects.toThrow("409")
    await expect(shop.change("remove", { address: a })).rejects.toThrow("409")
    await shop.change("drain", { address: a, force: "true" })
    expect((await fetch(`http://127.0.0.1:${shop.port}/`)).status).toBe(503)
    await shop.change("ready", { address: a })
    expect((await fetch(`http://127.0.0.1:${shop.port}/`)).status).toBe(200)
  })

  test("closes idle connections of the peer", async () => {
    await using shop = await Shop.start([a, b], { workers: 1 })
    for (let i = 0; i < 4; i++) await fetch(`http://127.0.0.1:${shop.port}/`)
    const idle = async () =>
      ((await (await shop.proxy.ask("/status")).json()) as { workers: { detail: { pools: Record<string, { idle: number }> } }[] }).workers[0]!.detail
        .pools["shop"]!.idle
    expect(await idle()).toBe(2)
    await shop.change("drain", { address: b })
    await until(async () => (await idle()) === 1)
  })
})

describe("changes", () => {
  test("stay over a reload, and over a restart in a file; other peers in the config end them", async () => {
    const file = join(temporaryFolder("peers"), "peers.json")
    await using first = await Shop.start([a, b], { admin: { peersFile: file } })
    expect((await first.change("add", { address: c })).kept).toBe(true)
    await first.change("drain", { address: b })
    await until(async () => (await first.peer(b))?.state === "drained")
    const config = JSON.parse(readFileSync(first.proxy.configFile, "utf8")) as { clusters: { shop: { peers: unknown[]; timeouts?: object } } }
    config.clusters.shop.timeouts = { head: "5s" }
    first.proxy.rewrite(config)
    await first.proxy.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
    expect((await first.peers()).map(({ name, state }) => [name, state])).toEqual([
      [a, "up"],
      [b, "drained"],
      [c, "up"],
    ])
    expect(readFileSync(file, "utf8")).toContain(c)
    await first.proxy.stop()
    await using second = await startBothways(config)
    const seen = async () => ((await (await second.ask("/peers")).json()) as View).clusters["shop"]!
    expect((await seen()).peers.map(({ name, state }) => [name, state])).toEqual([
      [a, "up"],
      [b, "drained"],
      [c, "up"],
    ])
    expect(second.program.stderr).toContain("changes of an earlier run are in force")
    config.clusters.shop.peers = [a]
    second.rewrite(config)
    await second.ask("/reload", { method: "POST", headers: { "X-Bothways": "1" } })
    expect(await seen()).toMatchObject({ changed: [], peers: [{ name: a, state: "up" }] })
    expect(second.program.stderr).toContain("what was changed at run time is dropped")
    expect(readFileSync(file, "utf8")).not.toContain(c)
  }, 20_000)

  test("a file that cannot be used is told, ignored and put aside; the proxy serves", async () => {
    const file = join(temporaryFolder("peers"), "peers.json")
    writeFileSync(file, '{ "bothways": "peers", "version": 1, "clusters": { "shop": { "of": 1 } } }')
    await using shop = await Shop.start([a, b], { admin: { peersFile: file } })
    expect(shop.proxy.program.stderr).toContain("the file with changes of peers cannot be used")
    expect(shop.proxy.program.stderr).toContain("clusters.shop.of")
    expect((await fetch(`http://127.0.0.1:${shop.port}/`)).status).toBe(200)
    await shop.change("weight", { address: a, weight: "3" })
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ clusters: { shop: { weights: { [a]: 3 } } } })
    expect(existsSync(`${file}.unusable`)).toBe(true)
  })

  test("what makes no sense is refused with a reason and changes nothing", async () => {
    await using shop = await Shop.start([a, b])
    for (const [what, query, reason] of [
      ["add", { address: a }, `409 ${a} is in shop already`],
      ["add", { address: "nobody" }, "400 address: "],
      ["add", { address: "no.such.invalid:80" }, "does not resolve"],
      ["add", { address: c, weight: "70000" }, "400 weight"],
      ["weight", { address: a }, "400 weight"],
      ["drain", { address: c }, "is no peer of shop"],
      ["drain", { address: a, timeout: "soon" }, "400 timeout"],
      ["ready", { address: a, cluster: "none" }, "404 there is no cluster"],
      ["remove", {}, "400 address: it is missing"],
    ] as [string, Record<string, string>, string][])
      await expect(shop.change(what, query)).rejects.toThrow(reason)
    expect((await shop.proxy.ask("/peers/add?cluster=shop&address=127.0.0.1:1", { method: "POST" })).status).toBe(415)
    expect((await shop.peers()).map(({ name }) => name)).toEqual([a, b])
  })

  test("a worker that takes another one's place has them", async () => {
    await using shop = await Shop.start([a], { workers: 1 })
    await shop.change("add", { address: b })
    await shop.change("remove", { address: a })
    await shop.proxy.ask("/workers/0/terminate", { method: "POST", headers: { "X-Bothways": "1" } })
    const answer = await until(async () =>
      fetch(`http://127.0.0.1:${shop.port}/`).then(
        reply => reply.text(),
        () => "",
      ),
    )
    expect(answer).toBe(b)
  })
})
