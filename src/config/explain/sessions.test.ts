import { describe, expect, test } from "bun:test"
import { buildSticky, Peer, PeerStates, stickyShape } from "../../upstream/index.ts"
import { FakeClock, TimerWheel } from "../../base/index.ts"
import { acquireExchange } from "../../flow/index.ts"
import { ask } from "./ask.fixture.ts"

const SECRET = "a key that all of us know"
const peers = ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]
const config = (sticky: unknown) =>
  JSON.stringify({ listeners: { web: { bind: ":8080" } }, clusters: { shop: { peers, sticky } }, routes: [{ to: { cluster: "shop" } }] })

/** The cookie that a running instance gives for a peer. */
function cookieFor(port: number): string {
  const clock = new FakeClock()
  const states = PeerStates.create(4, 2, clock)
  const options = stickyShape.cookie.parse({ name: "home", secret: SECRET })
  const sticky = buildSticky(
    { name: "cookie", options },
    {
      cluster: "shop",
      time: { clock, wheel: new TimerWheel(clock.now()) },
      secret: new Uint8Array(0),
      shared: (_, bytes) => new SharedArrayBuffer(bytes),
    },
  )
  const peer = new Peer({ address: "127.0.0.1", port, path: "", host: "", weight: 1, backup: false }, 0, states)
  sticky.peersChanged([peer], [])
  const x = acquireExchange()
  x.peerName = peer.name
  sticky.tell(x)
  return /home=[^;]*/.exec(x.response.extra)![0]
}

async function clusterOf(sticky: unknown, fields: string[] = [], live: Parameters<typeof ask>[2] = null) {
  const { route } = await ask(config(sticky), { fields }, live)
  if (route?.destination.kind !== "cluster") throw new Error("it goes to a cluster")
  return route.destination.cluster
}

describe("sessions", () => {
  test("a good cookie names the peer, and it is the pick; its value is not shown", async () => {
    const facts = await clusterOf({ cookie: { name: "home", secret: SECRET } }, [`Cookie: ${cookieFor(9002)}`])
    expect([facts.pick, facts.session]).toEqual(["127.0.0.1:9002", "the cookie home names 127.0.0.1:9002"])
    expect(facts.because).toStartWith("its session is there; when it fails: ")
    expect(facts.peers.map(({ candidate }) => candidate)).toEqual([false, true, false])
    expect(JSON.stringify(facts)).not.toContain(cookieFor(9002).slice(5))
  })

  test("no cookie, one that is no good, one of the instance's own secret", async () => {
    const sticky = { cookie: { name: "home", secret: SECRET } }
    expect(await clusterOf(sticky)).toMatchObject({ pick: null, session: "no cookie home: the balancer chooses, and the answer sets it" })
    expect((await clusterOf(sticky, ["Cookie: home=x"])).session).toContain("none that this proxy would take now")
    expect((await clusterOf({ cookie: { name: "home" } }, ["Cookie: home=x"])).session).toContain("by the instance alone that made it")
    expect((await clusterOf(undefined)).session).toBe("")
  })

  test("a peer of a session that is down is passed over, and that is said", async () => {
    const live = [
      {
        name: "shop",
        peers: peers.map(name => ({
          name,
          host: "127.0.0.1",
          health: name.endsWith("2") ? ("down" as const) : ("up" as const),
          available: !name.endsWith("2"),
          ejectedForMs: 0,
          inFlight: 0,
        })),
      },
    ]
    const facts = await clusterOf({ cookie: { name: "home", secret: SECRET } }, [`Cookie: ${cookieFor(9002)}`], live)
    expect([facts.pick, facts.session]).toEqual([null, expect.stringContaining("names 127.0.0.1:9002, which takes no request now")])
  })

  test("by header", async () => {
    expect(await clusterOf({ header: "X-Session" }, ["X-Session: abc"])).toMatchObject({
      pick: expect.stringContaining("127.0.0.1:"),
      session: expect.stringContaining("the value of x-session decides"),
    })
    expect(await clusterOf({ header: "X-Session" })).toMatchObject({ pick: null, session: "the request has no x-session: the balancer chooses" })
  })

  test("a running instance with other peers than the config's is taken at its word", async () => {
    const one = { host: "127.0.0.1", health: "up" as const, available: true, ejectedForMs: 0, inFlight: 0 }
    const live = [
      {
        name: "shop",
        changed: ["127.0.0.1:9009 added"],
        peers: [
          { ...one, name: "127.0.0.1:9001", weight: 3 },
          { ...one, name: "127.0.0.1:9009" },
        ],
      },
    ]
    const facts = await clusterOf(undefined, [], live)
    expect(facts.peers.map(({ name, weight }) => [name, weight])).toEqual([
      ["127.0.0.1:9001", 3],
      ["127.0.0.1:9009", 1],
    ])
  })
})
