import { describe, expect, test } from "bun:test"
import { hashString } from "../../../base/index.ts"
import type { Balancer } from "../../../plugin/index.ts"
import { Tried } from "../../tried.ts"
import { describeBalancer, type FakePeer, makePeers, nothingTried, seededRandom } from "../contract.ts"
import consistentHash from "./consistent-hash.ts"

const keys = Array.from({ length: 5_000 }, (_, index) => hashString(`10.1.${index >> 8}.${index & 255}`))

function build(settings: Record<string, unknown>, peers: readonly FakePeer[]): Balancer {
  const balancer = consistentHash.build(consistentHash.options.parse(settings), seededRandom(1))
  balancer.peersChanged(peers)
  return balancer
}

function homes(balancer: Balancer, peers: readonly FakePeer[]): string[] {
  return keys.map(key => peers[balancer.select(key, nothingTried)]!.name)
}

function moved(before: readonly string[], after: readonly string[]): number {
  return before.filter((name, index) => name !== after[index]).length
}

for (const [algorithm, tolerance] of [
  ["maglev", 0.05],
  ["ring", 0.3],
] as const) {
  const name = `consistent-hash ${algorithm}`
  describeBalancer({ name, build: random => consistentHash.build(consistentHash.options.parse({ algorithm }), random), tolerance })

  describe(name, () => {
    test("the order of the list does not matter", () => {
      const peers = makePeers(Array.from({ length: 200 }, (_, index) => 1 + (index % 3)))
      const turned = [...peers].reverse()
      expect(homes(build({ algorithm }, turned), turned)).toEqual(homes(build({ algorithm }, peers), peers))
    })

    test("only the keys of a lost peer move, spread over all others, and they come home with it", () => {
      const peers = makePeers([1, 1, 1, 1, 1])
      const balancer = build({ algorithm }, peers)
      const before = homes(balancer, peers)
      peers[2]!.available = false
      const during = homes(balancer, peers)
      const guests = new Map<string, number>()
      for (const [index, home] of before.entries()) {
        if (home !== peers[2]!.name) expect(during[index]).toBe(home)
        else guests.set(during[index]!, (guests.get(during[index]!) ?? 0) + 1)
      }
      expect(guests.size).toBe(4)
      for (const count of guests.values()) expect(count).toBeGreaterThan(1_000 / 4 / 3)
      expect(homes(balancer, peers)).toEqual(during)
      peers[2]!.available = true
      expect(homes(balancer, peers)).toEqual(before)
    })

    test("a peer that joins or leaves moves little more than its own share", () => {
      const peers = makePeers(new Array<number>(10).fill(1))
      const all = homes(build({ algorithm }, peers), peers)
      const fewer = homes(build({ algorithm }, peers.slice(0, 9)), peers)
      const own = all.filter(home => home === peers[9]!.name).length
      // The ring moves exactly the share; maglev a few percent more.
      expect(moved(all, fewer)).toBeLessThanOrEqual(algorithm === "ring" ? own : own + keys.length * 0.04)
      expect(moved(all, fewer)).toBeGreaterThanOrEqual(own)
    })

    test("a key is tried on the same second peer each time", () => {
      const peers = makePeers([1, 1, 1, 1])
      const balancer = build({ algorithm }, peers)
      for (const key of keys.slice(0, 200)) {
        const tried = new Tried()
        const first = balancer.select(key, tried)
        tried.add(first)
        const second = balancer.select(key, tried)
        expect(second).not.toBe(first)
        peers[first]!.available = false
        expect(balancer.select(key, nothingTried)).toBe(second)
        peers[first]!.available = true
      }
    })

    test("one hot key cannot load a peer beyond its bound, and ends where the load ends", () => {
      const peers = makePeers([1, 1, 1, 1])
      const balancer = build({ algorithm, load: 1.25 }, peers)
      const home = balancer.select(keys[0]!, nothingTried)
      for (let request = 1; request <= 1_000; request++) {
        peers[balancer.select(keys[0]!, nothingTried)]!.load++
        expect(Math.max(...peers.map(peer => peer.load))).toBeLessThanOrEqual(Math.ceil((1.25 * request) / 4))
      }
      expect(peers[home]!.load).toBe(313)
      for (const peer of peers) peer.load = 0
      expect(balancer.select(keys[0]!, nothingTried)).toBe(home)
    })

    test("the bound is by weight and by the peers that are up", () => {
      const peers = makePeers([1, 3, 4])
      peers[2]!.available = false
      const balancer = build({ algorithm, load: 1 }, peers)
      for (let request = 0; request < 400; request++) peers[balancer.select(keys[request]!, nothingTried)]!.load++
      expect(peers.map(peer => peer.load)).toEqual([100, 300, 0])
    })

    test("a request is placed even when the bound leaves only tried peers", () => {
      const peers = makePeers([1, 1])
      peers[0]!.load = 100
      const balancer = build({ algorithm }, peers)
      const tried = new Tried()
      tried.add(1)
      expect(balancer.select(keys[0]!, tried)).toBe(0)
    })

    test("without a bound a key stays at home whatever the load", () => {
      const peers = makePeers([1, 1, 1])
      const balancer = build({ algorithm, load: "off" }, peers)
      const home = balancer.select(keys[1]!, nothingTried)
      peers[home]!.load = 1_000
      expect(balancer.select(keys[1]!, nothingTried)).toBe(home)
    })
  })
}

describe("consistent-hash options", () => {
  const parse = (settings: unknown) => consistentHash.options.safeParse(settings)
  const key = (text: string) => consistentHash.key!(consistentHash.options.parse({ key: text }))

  test("the short form hashes the client's address over maglev with a bound of 1.25", () => {
    expect(consistentHash.options.parse(undefined)).toEqual({ key: "client", load: 1.25, algorithm: "maglev" })
  })

  test("the key says where it comes from", () => {
    expect(key("client")).toEqual({ from: "client" })
    expect(key("path")).toEqual({ from: "path" })
    expect(key("header:X-Tenant")).toEqual({ from: "header", name: "x-tenant" })
    expect(key("cookie:SID")).toEqual({ from: "cookie", name: "SID" })
  })

  test("refuses what it does not understand", () => {
    for (const bad of [
      { key: "query:x" },
      { key: "header:" },
      { key: "header:a b" },
      { load: 0.9 },
      { load: "none" },
      { algorithm: "jump" },
      { ring: true },
    ]) {
      expect(parse(bad).success).toBe(false)
    }
  })
})
