import { afterEach, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { dataFrame, headersFrame } from "../support/h2/frames.ts"
import { headerBlock } from "../support/h2/header-block.ts"
import type { FakeWire } from "./fake-wire.ts"
import { SimH2Peer } from "./sim-h2-peer.ts"
import { World, type WorldOptions } from "./world.ts"

// What reviews and runs have found about connections that many share, as a story each.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

/** What has collected on a connection leaves at the end of the turn. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** One client's GET at one peer, which has said what it takes. */
async function asked(options: WorldOptions = {}, room?: number): Promise<{ world: World; client: FakeWire; peer: SimH2Peer }> {
  const world = new World({ peers: 1, ...options, pool: { protocol: "http2", ...options.pool } })
  const client = world.connect(room)
  client.deliver("GET / HTTP/1.1\r\nHost: a.test\r\nX-Id: r1\r\n\r\n")
  const peer = new SimH2Peer(world.dials[0]!.open())
  await turn()
  peer.read()
  peer.settings(100)
  await turn()
  peer.read()
  return { world, client, peer }
}

function respond(peer: SimH2Peer, fields: readonly (readonly [string, string])[], chunks: readonly (readonly [data: string, end: boolean])[]): void {
  const head = headersFrame(1, headerBlock([[":status", "200"], ...fields]))
  peer.wire.deliver(Buffer.concat([head, ...chunks.map(([data, end]) => dataFrame(1, data, { end }))]).toString("latin1"))
}

test("what was kept back for a client leaves when it reads again, though nothing more comes", async () => {
  const { world, client, peer } = await asked({}, 1000)
  respond(peer, [], [["x".repeat(2000), false]])
  peer.wire.deliver(dataFrame(1, "the last words").toString("latin1"))
  expect(client.sent.length).toBe(1000)
  client.take(1e6)
  expect(client.sent).toContain("the last words")
  world.shutDown()
})

test("an answer that ends while some of it is kept back is as long as it said", async () => {
  const { world, client, peer } = await asked({}, 1000)
  respond(peer, [["content-length", "2014"]], [["x".repeat(2000), false]])
  peer.wire.deliver(dataFrame(1, "the last words", { end: true }).toString("latin1"))
  client.take(1e6)
  expect(client.sent).toEndWith("the last words")
  expect(world.logged.map(({ fault }) => fault)).toEqual([""])
  world.shutDown()
  expect(world.leaks()).toEqual([])
})

test("a peer that is silent is asked after 30 seconds; one that does not answer is given up 15 later, and a GET is asked again", async () => {
  const { world, client, peer } = await asked({ rules: { times: { head: 0, idle: 0 } } })
  const pings = (): number => peer.wire.sent.split("\0\0\x08\x06\0").length - 1
  world.advance(29_000)
  await turn()
  expect(pings()).toBe(0)
  world.advance(2000)
  await turn()
  expect(pings()).toBe(1)
  // Any frame is an answer.
  peer.settings(100)
  world.advance(29_000)
  await turn()
  expect([pings(), peer.wire.closed]).toEqual([1, false])
  world.advance(15_000)
  await turn()
  expect([pings(), peer.wire.closed]).toEqual([2, false])
  world.advance(16_000)
  expect([peer.wire.closed, world.dials.length, client.closed]).toEqual([true, 1, false])
  world.shutDown()
  for (const dial of [...world.dials]) dial.fail()
})

test("a head timeout in silence: nobody else goes there until it has answered", async () => {
  const { world, client, peer } = await asked({ rules: { times: { head: 1000, idle: 0 }, attemptsMax: 1 } })
  world.advance(1200)
  expect(client.sent).toStartWith("HTTP/1.1 504")
  const second = world.connect()
  second.deliver("GET / HTTP/1.1\r\nHost: a.test\r\nX-Id: r2\r\n\r\n")
  expect(world.dials.length).toBe(1)
  world.advance(5200)
  expect(peer.wire.closed).toBe(true)
  world.dials[0]!.fail()
  world.shutDown()
  expect(world.leaks()).toEqual([])
})

test("what a peer ends its connections after is a limit when it was the same twice", async () => {
  const { world } = await asked()
  const pool = world.cluster.poolOf(world.cluster.peers[0]!)
  for (const [taken, limit] of [
    [1000, 0],
    [700, 0],
    [1000, 0],
    [1000, 1000],
  ] as const) {
    pool.gaveBack(taken)
    expect(pool.requestsTaken).toBe(limit)
  }
  world.shutDown()
})
