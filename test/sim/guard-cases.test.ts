import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { type Exchange, NEXT, setFlowClock, type Step, WAIT } from "../../src/flow/index.ts"
import { headersFrame } from "../support/h2/frames.ts"
import { headerBlock } from "../support/h2/header-block.ts"
import { HEDGE, NO_LIMITS } from "./sim-guard.ts"
import { SimH2Peer } from "./sim-h2-peer.ts"
import { GET, OK, story, under } from "./story.ts"
import { PendingFilter, World } from "./world.ts"

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

const POST = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nab"
const PUT = POST.replace("POST", "PUT")
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe("second attempts", () => {
  const hedged = { peers: 3, guard: { hedge: HEDGE } }

  test("the first head wins: the slower connection is closed, and the answer is whole", () => {
    story(hedged, world => {
      const { client, upstream } = under(world)
      world.advance(100)
      const second = world.dials[0]!.open()
      expect(second.sent).toBe(upstream.sent)
      second.deliver("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
      expect([upstream.closed, client.sent.includes("abc")]).toEqual([true, true])
      second.deliver("def")
      expect(client.sent).toEndWith("abcdef")
      expect(world.logged[0]).toMatchObject({ status: 200, attempts: 2, fault: "" })
      // kept alive as any other
      client.deliver(GET)
      client.deliver(GET)
    })
  })

  test("the first answers first: the second is given up, dialled or not", () => {
    for (const opens of [true, false]) {
      story(hedged, world => {
        const { client, upstream } = under(world)
        world.advance(100)
        const second = opens ? world.dials[0]!.open() : null
        upstream.deliver(OK)
        expect([client.sent, world.dials.length, second?.closed ?? true]).toEqual([OK, 0, true])
      })
    }
  })

  test("not for POST, nor for a body that has not come; a small PUT is sent whole", () => {
    story(hedged, world => {
      const client = world.connect()
      client.deliver(POST)
      world.dials[0]!.open()
      world.advance(5000)
      expect(world.dials.length).toBe(0)
    })
    story(hedged, world => {
      const client = world.connect()
      client.deliver(PUT.slice(0, -1))
      world.dials[0]!.open()
      world.advance(500)
      expect(world.dials.length).toBe(0)
      client.deliver("b")
      world.advance(1500)
      const second = world.dials[0]!.open()
      expect(second.sent).toEndWith("\r\n\r\nab")
      second.deliver(OK)
      expect(client.sent).toBe(OK)
    })
  })

  test("the second one goes on alone when the first fails, and a third follows when that fails, too", () => {
    story({ ...hedged, rules: { attemptsMax: 3 } }, world => {
      const { client, upstream } = under(world)
      world.advance(100)
      const second = world.dials[0]!.open()
      upstream.reset()
      expect([world.dials.length, client.sent]).toEqual([0, ""])
      second.reset()
      const third = world.dials[0]!.open()
      third.deliver(OK)
      expect(client.sent).toBe(OK)
      expect(new Set(world.cluster.peers.map(peer => peer.inFlight()))).toEqual(new Set([0]))
    })
  })

  test("the first fails, and filters have their turn with the next attempt while the second answers: the request goes out anew", () => {
    story({ ...hedged, rules: { attemptsMax: 3 } }, world => {
      const { plan } = world
      let wait = false
      const filter: Step = (x: Exchange) => {
        if (!wait) return NEXT
        x.waiter = new PendingFilter(world, x)
        return WAIT
      }
      // behind the choice of a peer, as filters of each attempt stand
      const { steps, respondAt, logAt, peerAt } = plan
      Object.assign(plan, { steps: [...steps.slice(0, peerAt + 1), filter, ...steps.slice(peerAt + 1)], respondAt: respondAt + 1, logAt: logAt + 1 })
      const { client, upstream } = under(world)
      world.advance(100)
      const second = world.dials[0]!.open()
      wait = true
      upstream.reset()
      second.deliver(OK)
      expect([client.sent, second.closed]).toEqual(["", true])
      world.filters[0]!.release()
      world.dials[0]!.open().deliver(OK)
      expect(client.sent).toBe(OK)
    })
  })

  test("a client that leaves ends both", () => {
    story(hedged, world => {
      const { client, upstream } = under(world)
      world.advance(100)
      const second = world.dials[0]!.open()
      client.reset()
      expect([upstream.closed, second.closed]).toEqual([true, true])
    })
  })

  test("over HTTP/2 the slower stream is reset, and its connection serves on", async () => {
    const world = new World({ ...hedged, pool: { protocol: "http2" } })
    const client = world.connect()
    client.deliver(GET)
    const peers: SimH2Peer[] = []
    const open = async () => {
      const peer = new SimH2Peer(world.dials[0]!.open())
      await turn()
      peer.read()
      peer.settings(100)
      await turn()
      peer.read()
      peers.push(peer)
      return peer
    }
    const first = await open()
    expect([...first.open]).toEqual([1])
    world.advance(100)
    const second = await open()
    second.wire.deliver(headersFrame(1, headerBlock([[":status", "204"]]), { end: true }).toString("latin1"))
    await turn()
    first.read()
    expect(client.sent).toStartWith("HTTP/1.1 204")
    expect([[...first.open], first.wire.closed, first.problems]).toEqual([[], false, []])
    world.shutDown()
    expect(world.leaks()).toEqual([])
  })
})

describe("places", () => {
  test("a tunnel that stands gives its place up", () => {
    story({ guard: { breaker: { ...NO_LIMITS, requestsMax: 1 } } }, world => {
      const ask = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
      const { upstream } = under(world, ask)
      const refused = world.connect()
      refused.deliver(GET)
      expect(refused.sent).toContain("proxy.requests-max")
      upstream.deliver("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      const { client, upstream: next } = under(world)
      next.deliver(OK)
      expect(client.sent).toBe(OK)
    })
  })

  test("who leaves the queue, or waits too long, takes nothing with him; the next one goes", () => {
    const guard = { breaker: { ...NO_LIMITS, requestsMax: 1 }, queue: { lengthMax: 10, timeoutMs: 1000, lowShareMax: 1 } }
    story({ guard }, world => {
      const { upstream } = under(world)
      const [gone, late, next] = [world.connect(), world.connect(), world.connect()]
      gone.deliver(GET)
      late.deliver(GET)
      gone.reset()
      world.advance(900)
      next.deliver(GET)
      world.advance(200)
      expect([late.sent.includes("proxy.queue-timeout"), late.sent.includes("Retry-After: 1\r\n"), next.sent]).toEqual([true, true, ""])
      upstream.deliver(OK)
      upstream.deliver(OK)
      expect(next.sent).toBe(OK)
    })
  })
})
