import { afterEach, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { compileSnapshot, type Config } from "../../src/config/index.ts"
import { configOf } from "../../src/config/explain/ask.fixture.ts"
import { type Exchange, NEXT, resume, setFlowClock, type Verdict, WAIT } from "../../src/flow/index.ts"
import type { Filter } from "../../src/plugin/index.ts"
import { GET, OK } from "./story.ts"
import type { DialHandler } from "../../src/net/index.ts"
import { FakeWire } from "./fake-wire.ts"
import { World } from "./world.ts"

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

/** A world whose plan is a compiled route with this filter. `to` is its destination. `dialed` gives the connection that it waits for. */
function worldWith(filter: Filter, to: string, listener = ""): { world: World; dialed: () => FakeWire } {
  const world = new World()
  const handlers: DialHandler[] = []
  const dialed = (): FakeWire => {
    const wire = new FakeWire()
    wire.data = handlers.shift()!.onOpen(wire, "")!
    return wire
  }
  const parsed = configOf(`
listeners: { web: { bind: ":1"${listener} } }
clusters: { c: { peers: ["10.0.0.1:80", "10.0.0.2:80"] } }
routes: [ { name: r, to: ${to} } ]
`)
  const config: Config = { ...parsed, routes: parsed.routes.map(route => ({ ...route, filters: [{ name: "mine", options: null, inline: filter }] })) }
  const snapshot = compileSnapshot(
    1,
    config,
    {
      time: world.time,
      states: world.states,
      peers: { c: config.clusters.c!.peers.map((peer, slot) => ({ ...peer, address: peer.host, slot: slot + 10 })) },
      clusterSlots: { c: 20 },
      resolver: { lookup: (_name, done) => done(null, [{ address: "93.184.216.34" }]) },
      metrics: null,
      layout: null,
      accessLog: null,
      instanceId: "x",
      baseDir: "/",
      refreshPeers() {},
      ended: () => void world.active--,
      watchFile: () => "",
      ownAddresses: [],
      dial(_target, _options, handler) {
        handlers.push(handler)
        return { cancel: () => void handlers.splice(handlers.indexOf(handler), 1) }
      },
    },
    null,
  )
  Object.assign(world.plan, snapshot.entries.get("web")!)
  Object.assign(world, { info: { name: "web", index: 0, secure: false, forward: listener !== "" } })
  return { world, dialed }
}

test("filters of the attempt run before each one, know its peer, and add their fields to it alone", () => {
  const peers: string[] = []
  const { world, dialed } = worldWith(
    {
      request(x) {
        x.request.append("X-Once", "1")
        return NEXT
      },
      upstreamRequest(x) {
        peers.push(x.peerName)
        x.request.append("X-Peer", x.peerName)
        return NEXT
      },
    },
    "{ cluster: c }",
  )
  const client = world.connect()
  client.deliver(GET)
  dialed().reset()
  const second = dialed()
  second.deliver(OK)
  expect(client.sent).toStartWith("HTTP/1.1 200 OK")
  expect([...peers].sort()).toEqual(["10.0.0.1:80", "10.0.0.2:80"])
  expect(second.sent.match(/X-(?:Once|Peer): .*/g)).toEqual(["X-Once: 1", `X-Peer: ${peers[1]}`])
  expect(second.sent.match(/X-Forwarded-For/g)?.length).toBe(1)
})

test("a kept-alive connection to an origin that is lost while such a filter works is not used", () => {
  const waiting: Exchange[] = []
  const { world, dialed } = worldWith(
    {
      upstreamRequest(x): Verdict {
        waiting.push(x)
        return WAIT
      },
    },
    "{ origin: {} }",
    ", forward: true",
  )
  const client = world.connect()
  const ask = "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi"
  client.deliver(ask)
  resume(waiting.pop()!, NEXT)
  const first = dialed()
  first.deliver(OK)
  client.deliver(ask)
  first.reset()
  resume(waiting.pop()!, NEXT)
  const second = dialed()
  second.deliver(OK)
  expect(second.sent).toEndWith("\r\n\r\nhi")
  expect([client.sent.split("200 OK").length - 1, world.active, world.errors]).toEqual([2, 0, []])
})

test("a log phase that fails later ends no thread, and the line is written", async () => {
  const log = (() => Promise.reject(new Error("a defect of a plug-in"))) as never
  const { world, dialed } = worldWith({ log }, "{ cluster: c }")
  const client = world.connect()
  client.deliver(GET)
  dialed().deliver(OK)
  await Promise.resolve()
  expect([client.sent.startsWith("HTTP/1.1 200 OK"), world.active, world.errors.length]).toEqual([true, 0, 1])
  expect(world.errors[0]).toContain("mine")
})
