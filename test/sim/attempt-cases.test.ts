import { afterEach, describe, expect, test } from "bun:test"
import { setLogSink, systemClock } from "../../src/base/index.ts"
import { setFlowClock } from "../../src/flow/index.ts"
import { Peer } from "../../src/upstream/index.ts"
import { GET, OK, story, under } from "./story.ts"
import type { World } from "./world.ts"

// What a review of attempts and pools has found, each as a story of its own.

afterEach(() => {
  setLogSink(null)
  setFlowClock(systemClock)
})

describe("attempts", () => {
  test("a limit of ours is not the peer's failure", () => {
    story({ pool: { connectionsMax: 1 }, rules: { attemptsMax: 1 } }, world => {
      const outcomes = judged(world)
      const first = under(world)
      const second = world.connect()
      second.deliver(GET)
      world.advance(5200)
      expect(second.sent).toContain("503 Service Unavailable")
      expect(outcomes).toEqual([])
      first.upstream.deliver(OK)
      expect(outcomes).toEqual([true])
    })
  })
  test("a connection that the peer closed while it was idle is not its failure either", () => {
    story({}, world => {
      const outcomes = judged(world)
      const { client, upstream } = under(world)
      upstream.deliver(OK)
      client.deliver("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nab")
      upstream.reset()
      expect(client.sent).toContain("502 Bad Gateway")
      expect(outcomes).toEqual([true])
    })
  })
  test("what must not go over a used connection gets one of its own, also from the queue", () => {
    story({ pool: { connectionsMax: 1 } }, world => {
      const { client, upstream } = under(world)
      upstream.deliver(OK)
      client.deliver(GET)
      const other = world.connect()
      other.deliver(GET)
      // Nothing of the answer came: the one place goes to the other client, and the request waits behind it.
      upstream.reset()
      const next = world.dials[0]!.open()
      next.deliver(OK)
      expect([other.sent, next.closed, next.sent.split("GET").length - 1]).toEqual([OK, true, 1])
      world.dials[0]!.open().deliver(OK)
      expect(client.sent).toBe(OK + OK)
    })
  })
  test("a peer that was tried is not mistaken for another one when the list changes", () => {
    for (const turn of [0, 1]) {
      story({ peers: 2, rules: { attemptsMax: 3 } }, world => {
        for (let before = 0; before < turn; before++) {
          const { upstream } = under(world)
          upstream.deliver(OK)
          upstream.reset()
        }
        const client = world.connect()
        client.deliver(GET)
        world.dials[0]!.fail()
        // Somebody else stands now where the first one stood.
        world.cluster.setPeers([peerOf(world, { address: "10.0.1.7" })])
        world.dials[0]!.fail()
        expect([client.sent, world.dials[0]?.peer?.name]).toEqual(["", "10.0.1.7:80"])
        world.dials[0]!.open().deliver(OK)
        expect(client.sent).toBe(OK)
      })
    }
  })
  test("a peer that was waited for is no fault", () => {
    story({}, world => {
      const waiting: Parameters<World["cluster"]["refreshing"]>[0][] = []
      world.cluster.setPeers([])
      world.cluster.refreshing = attempt => waiting.push(attempt) > 0
      const client = world.connect()
      client.deliver(GET)
      world.setPeers(1)
      waiting[0]!.onPeersChanged()
      world.dials[0]!.open().deliver(OK)
      expect([client.sent, world.logged[0]!.fault]).toEqual([OK, ""])
    })
  })
  test("those who join the queue for names while it is told wait for the next list", () => {
    story({}, world => {
      let told = 0
      const attempt = { onPeersChanged: () => void (++told < 10 && world.cluster.refreshing(attempt as never)) }
      // As if the cluster had names.
      Object.assign(world.cluster, { named: true })
      world.cluster.setPeers([])
      world.cluster.refreshing(attempt as never)
      world.cluster.setPeers([])
      expect(told).toBe(1)
      world.cluster.forget(attempt as never)
    })
  })
  test("connections of a peer that has left are not kept, even when somebody had still to send to it", () => {
    story({}, world => {
      const peer = world.cluster.peers[0]!
      world.cluster.setPeers([peerOf(world, { address: "10.0.1.7" })])
      // An exchange that a filter kept after the choice.
      const pool = world.cluster.poolOf(peer)
      world.setPeers(1)
      expect(world.cluster.poolOf(peer)).not.toBe(pool)
    })
  })
  test("HTTP/1.0 without Host gets one that a server can take, once", () => {
    for (const [endpoint, host] of [
      [{ address: "10.0.1.7" }, "10.0.1.7:80"],
      [{ address: "", path: "/run/app.sock" }, "localhost"],
    ] as const) {
      story({}, world => {
        world.cluster.setPeers([peerOf(world, endpoint)])
        const { client, upstream } = under(world, "GET / HTTP/1.0\r\n\r\n")
        upstream.reset()
        const again = world.dials[0]!.open()
        expect([again.sent, upstream.sent === again.sent]).toEqual([`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, true])
        again.deliver(OK)
        expect(client.sent).toContain("ok")
      })
    }
  })
  test("a name with very many addresses is not tried for hours", () => {
    story({ forward: true }, world => {
      const client = world.connect()
      client.deliver("GET http://b.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n")
      world.lookups[0]!.answer(128)
      let tried = 0
      for (; world.dials.length > 0; tried++) world.dials[0]!.fail("timeout")
      expect([tried, client.sent.includes("504 Gateway Timeout")]).toEqual([8, true])
    })
  })
})

function peerOf(world: World, endpoint: { address: string; path?: string }): Peer {
  return new Peer({ port: 80, path: "", host: "", weight: 1, backup: false, ...endpoint }, 7, world.states)
}

/** What the cluster is told of its peers from now on. */
function judged(world: World): boolean[] {
  const outcomes: boolean[] = []
  world.cluster.report = (_peer, outcome) => void outcomes.push(outcome === 0)
  return outcomes
}
