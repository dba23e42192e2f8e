import { describe, expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../../base/index.ts"
import { acquireExchange, type Exchange, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { Peer } from "../peer.ts"
import { HEALTH_DOWN, HEALTH_UP, PeerStates } from "../peer-states.ts"
import { Tried } from "../tried.ts"
import { buildSticky, cookieName, stickyMemory } from "./build-sticky.ts"
import { takeCookie } from "./cookie-pairs.ts"
import { HomeTable } from "./home-table.ts"
import { type StickyConfig, stickyShape } from "./sticky-options.ts"
import { homeKey, homeOf, isKnown, knownKey, plainHash, type Sticky } from "./sticky.ts"

const HOUR = 3_600_000
const nothing = new Tried()

class World {
  readonly clock = new FakeClock()
  readonly states = PeerStates.create(64, 2, this.clock)
  readonly memory = new Map<string, SharedArrayBuffer>()

  peers(ports: readonly number[], weight = 1): Peer[] {
    return ports.map(port => new Peer({ address: "127.0.0.1", port, path: "", host: "", weight, backup: false }, port, this.states))
  }

  sticky(name: StickyConfig["name"], options: unknown, peers: readonly Peer[], secret = "secret of this instance"): Sticky {
    const config = { name, options: stickyShape[name].parse(options) } as StickyConfig
    const shared = (key: string, bytes: number) => {
      const memory = this.memory.get(key) ?? new SharedArrayBuffer(bytes)
      this.memory.set(key, memory)
      return memory
    }
    const time = { clock: this.clock, wheel: new TimerWheel(this.clock.now()) }
    const sticky = buildSticky(config, { cluster: "shop", time, secret: Buffer.from(secret), shared })
    sticky.peersChanged(peers, [])
    return sticky
  }
}

function exchange(fields: readonly (readonly [string, string])[], client = "10.0.0.1"): Exchange {
  const x = acquireExchange()
  x.request.copyFrom(Fields.of(fields))
  x.clientAddress = client
  return x
}

/** One request: where it goes, and what the client is told. */
function visit(sticky: Sticky, peers: readonly Peer[], { cookie = "", header = "", client = "10.0.0.1" }): { peer: number; set: string } {
  const fields: [string, string][] = []
  if (cookie !== "") fields.push(["Cookie", cookie])
  if (header !== "") fields.push(["X-Session", header])
  const x = exchange(fields, client)
  expect(sticky.read(x)).toBe(NEXT)
  const index = sticky.select(sticky.keyOf(x, 7), nothing)
  const peer = peers[index < 0 ? 0 : index]!
  x.peerName = peer.name
  sticky.tell(x)
  const set = /^Set-Cookie: ([^;]*)/.exec(x.response.extra)?.[1] ?? ""
  x.release()
  return { peer: index, set }
}

test("a key holds the hash and above it the home", () => {
  for (const hash of [0, 1, 0xffff_ffff]) {
    expect([isKnown(hash), homeOf(hash), plainHash(hash)]).toEqual([false, -1, hash])
    expect([isKnown(knownKey(hash)), homeOf(knownKey(hash)), plainHash(knownKey(hash))]).toEqual([true, -1, hash])
    for (const slot of [0, 1, 8191]) expect([homeOf(homeKey(hash, slot)), plainHash(homeKey(hash, slot))]).toEqual([slot, hash])
  }
})

describe("takeCookie", () => {
  const cases: [string[], string[] | null, string[]][] = [
    [[], null, []],
    [["a=1"], null, ["a=1"]],
    [["home=x"], ["x"], []],
    [["a=1; home=x; b=2"], ["x"], ["a=1; b=2"]],
    [["home=x; a=1"], ["x"], ["a=1"]],
    [["a=1;home=x"], ["x"], ["a=1"]],
    [["home=x; home=y"], ["x", "y"], []],
    [["ahome=1; home2=3; home; home =4"], null, ["ahome=1; home2=3; home; home =4"]],
    [["a=home=x"], null, ["a=home=x"]],
    [["home="], [""], []],
    [
      ["a=1", "home=x", "b=2; home=y; c=3"],
      ["x", "y"],
      ["a=1", "b=2; c=3"],
    ],
    [[";; home=x ;;"], ["x"], []],
  ]
  for (const [values, found, left] of cases)
    test(JSON.stringify(values), () => {
      const fields = Fields.of([["Host", "a.test"], ...values.map((value): [string, string] => ["Cookie", value]), ["X-Last", "there"]])
      expect(takeCookie(fields, "home", false)).toEqual(found)
      const rest: string[] = []
      fields.forEach((name, value) => void (name === "Cookie" && rest.push(value)))
      expect(rest).toEqual(left)
      expect(fields.render()).toBe(["Host: a.test", ...left.map(value => `Cookie: ${value}`), "X-Last: there", ""].join("\r\n"))
      expect([fields.find("host"), fields.find("x-last"), fields.find("cookie")]).toEqual(["a.test", "there", left[0]!])
    })

  test("kept where that is said", () => {
    const fields = Fields.of([["Cookie", "a=1; home=x"]])
    expect([takeCookie(fields, "home", true), fields.render()]).toEqual([["x"], "Cookie: a=1; home=x\r\n"])
  })
})

describe("the cookie", () => {
  test("brings a client back, also when peers have joined; no two peers, clusters or secrets have the same value", () => {
    const world = new World()
    const peers = world.peers([1, 2, 3])
    const sticky = world.sticky("cookie", { name: "home" }, peers.slice(0, 2))
    const { set } = visit(sticky, peers, {})
    expect(visit(sticky, peers, { cookie: set })).toEqual({ peer: 0, set: "" })
    sticky.peersChanged([peers[2]!, peers[1]!, peers[0]!], [])
    expect(visit(sticky, [...peers].reverse(), { cookie: set })).toEqual({ peer: 2, set: "" })
    const others = [
      world.sticky("cookie", { name: "home" }, peers, "another secret"),
      world.sticky("cookie", { name: "home", secret: "x".repeat(16) }, peers),
    ]
    for (const other of others) expect(visit(other, peers, { cookie: set }).peer).toBe(-1)
    expect(set).not.toContain("127")
  })

  test("with a ttl: good for it and half as long again at the most, and renewed on the way", () => {
    const world = new World()
    const peers = world.peers([1, 2])
    const sticky = world.sticky("cookie", { name: "home", ttl: "1h" }, peers)
    const { set } = visit(sticky, peers, {})
    world.clock.advance(HOUR - 1)
    const { peer, set: renewed } = visit(sticky, peers, { cookie: set })
    expect([peer, renewed !== "" && renewed !== set]).toEqual([0, true])
    world.clock.advance(HOUR / 2 + 2)
    expect(visit(sticky, peers, { cookie: set }).peer).toBe(-1)
    const third = visit(sticky, peers, { cookie: renewed })
    expect(third.peer).toBe(0)
    // Without a break a session does not end.
    let cookie = third.set === "" ? renewed : third.set
    for (let i = 0; i < 20; i++) {
      world.clock.advance(HOUR * 0.9)
      const next = visit(sticky, peers, { cookie })
      expect(next.peer).toBe(0)
      cookie = next.set === "" ? cookie : next.set
    }
  })

  test("is none when its peer is down, ejected, drained or was tried; a drain with sessions lets it", () => {
    const world = new World()
    const { states } = world
    const peers = world.peers([1, 2])
    const sticky = world.sticky("cookie", { name: "home" }, peers)
    const { set } = visit(sticky, peers, {})
    const at = () => visit(sticky, peers, { cookie: set }).peer
    states.setHealth(1, HEALTH_DOWN)
    expect(at()).toBe(-1)
    states.setHealth(1, HEALTH_UP)
    states.eject(1, 0, 10)
    expect(at()).toBe(-1)
    states.restore(1)
    states.setDraining(1, true, true)
    expect([at(), peers[0]!.isAvailable()]).toEqual([0, false])
    states.setDraining(1, true)
    expect(at()).toBe(-1)
    states.setDraining(1, false)
    expect(at()).toBe(0)
    const x = exchange([["Cookie", set]])
    sticky.read(x)
    const tried = new Tried()
    tried.add(0)
    expect(sticky.select(sticky.keyOf(x, 7), tried)).toBe(-1)
  })

  test("a fault of ours and a cached answer set nothing", () => {
    const world = new World()
    const peers = world.peers([1])
    const sticky = world.sticky("cookie", {}, peers)
    const x = exchange([])
    sticky.tell(x)
    expect(x.response.extra).toBe("")
  })

  test("has a name for each cluster, and Secure by the scheme", () => {
    const options = stickyShape.cookie.parse({})
    expect(cookieName(options, "shop")).toMatch(/^bw-[0-9a-f]{8}$/)
    expect(cookieName(options, "shop")).not.toBe(cookieName(options, "app"))
    const world = new World()
    const peers = world.peers([1])
    for (const [secure, scheme, isSecure] of [
      ["auto", "https", true],
      ["auto", "http", false],
      [true, "http", true],
      [false, "https", false],
    ] as const) {
      const x = exchange([])
      x.scheme = scheme
      x.peerName = peers[0]!.name
      world.sticky("cookie", { secure }, peers).tell(x)
      expect(x.response.extra.includes("; Secure")).toBe(isSecure)
    }
  })
})

describe("by header and by address", () => {
  for (const [name, options, of] of [
    ["header", "X-Session", (index: number) => ({ header: `s${index}` })],
    ["source", {}, (index: number) => ({ client: `10.0.${index >> 8}.${index & 255}` })],
  ] as const)
    test(`${name}: spread evenly, kept when peers join, and of a peer that is down only its own move`, () => {
      const world = new World()
      const peers = world.peers([1, 2, 3, 4])
      const sticky = world.sticky(name, options, peers.slice(0, 2))
      const homes = () => Array.from({ length: 400 }, (_, index) => visit(sticky, peers, of(index)).peer)
      const first = homes()
      expect(Math.abs(first.filter(peer => peer === 0).length - 200)).toBeLessThan(50)
      sticky.peersChanged(peers, [])
      expect(homes()).toEqual(first)
      world.states.setHealth(1, HEALTH_DOWN)
      const second = homes()
      for (const [index, peer] of second.entries()) expect(first[index] === 0 ? peer !== 0 : peer === first[index]).toBe(true)
      world.states.setHealth(1, HEALTH_UP)
      // It is their home now.
      expect(homes()).toEqual(second)
      // Another worker, and another instance at first, come to the same.
      const anew = world.sticky(name, options, peers)
      expect(Array.from({ length: 400 }, (_, index) => visit(anew, peers, of(index)).peer)).toEqual(second)
    })

  test("after the ttl a client is chosen for anew; without the header the balancer chooses", () => {
    const world = new World()
    const peers = world.peers([1, 2, 3, 4, 5, 6, 7, 8])
    const sticky = world.sticky("header", { name: "X-Session", ttl: "1m" }, peers.slice(0, 1))
    expect(visit(sticky, peers, {}).peer).toBe(-1)
    const all = () => Array.from({ length: 40 }, (_, index) => visit(sticky, peers, { header: `s${index}` }).peer)
    expect(new Set(all())).toEqual(new Set([0]))
    sticky.peersChanged(peers, [])
    world.clock.advance(59_000)
    expect(new Set(all())).toEqual(new Set([0]))
    world.clock.advance(62_000)
    expect(new Set(all()).size).toBeGreaterThan(3)
  })

  test("memory: none for cookies; a full set forgets the one that was away longest", () => {
    expect(stickyMemory("shop", { name: "cookie", options: stickyShape.cookie.parse({}) })).toBeNull()
    expect(stickyMemory("shop", { name: "source", options: stickyShape.source.parse({ entriesMax: 9 }) })!.bytes).toBe(128)
    const table = new HomeTable(new SharedArrayBuffer(HomeTable.octets(8)), HOUR)
    for (let key = 1; key <= 8; key++) table.set(key, key, key * 60_000)
    table.set(1, 1, 9 * 60_000)
    table.set(99, 9, 10 * 60_000)
    expect([1, 2, 3, 99].map(key => table.find(key, 10 * 60_000))).toEqual([1, -1, 3, 9])
    table.set(3, 5, 10 * 60_000)
    expect(table.find(3, 10 * 60_000)).toBe(5)
  })
})

test("options that make no sense are refused", () => {
  for (const [kind, options] of [
    ["cookie", { name: "a b" }],
    ["cookie", { secret: "short" }],
    ["cookie", { path: "shop" }],
    ["cookie", { path: "/a; Secure" }],
    ["cookie", { domain: "a;b" }],
    ["cookie", { sameSite: "Lax" }],
    ["cookie", { ttl: "1ms" }],
    ["header", "X Session"],
    ["header", { name: "X", entriesMax: 1 }],
    ["source", { key: "x" }],
  ] as const)
    expect([kind, options, stickyShape[kind].safeParse(options).success]).toEqual([kind, options as never, false])
})
