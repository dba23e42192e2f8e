import { describe, expect, test } from "bun:test"
import { endpointName } from "../../peer.ts"
import type { PeerSpec } from "../discovery.ts"
import { fakeNames } from "../fake-resolver.ts"
import { DnsDiscovery } from "./dns.ts"
import type { NameWatchDeps } from "./name-watch.ts"

const spec = (host: string, port = 80, extra: Partial<PeerSpec> = {}): PeerSpec => ({ host, port, path: "", weight: 1, backup: false, ...extra })

function start(specs: readonly PeerSpec[], extra: Partial<NameWatchDeps> = {}) {
  const names = fakeNames(extra)
  const lists: string[][] = []
  const discovery = new DnsDiscovery(specs, names.deps)
  const begin = () => discovery.watch(peers => lists.push(peers.map(endpointName)))
  return { ...names, lists, discovery, begin }
}

describe("DnsDiscovery", () => {
  test("O-31: another address is there within TTL and a second, and the old one gone", async () => {
    const { timers, resolver, lists, begin } = start([spec("app.test", 9001)])
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(500)
    resolver.answers.set("app.test", ["127.0.0.3"])
    await timers.advance(2_000)
    expect(lists).toEqual([["127.0.0.2:9001"], ["127.0.0.3:9001"]])
  })

  test("O-31: a name that is gone is dropped when the answer stays the same, also after a long TTL, and not for one slip", async () => {
    const { timers, resolver, lists, troubles, begin } = start([spec("app.test")])
    resolver.ttlMs = 3_600_000
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(3_599_000)
    resolver.answers.set("app.test", "no such name")
    await timers.advance(2_000)
    resolver.ttlMs = 1_000
    resolver.answers.set("app.test", ["127.0.0.2"])
    await timers.advance(3_000)
    expect(lists).toEqual([["127.0.0.2:80"]])
    resolver.answers.set("app.test", "no such name")
    await timers.advance(4_000)
    expect(lists.length).toBe(1)
    await timers.advance(8_000)
    expect(lists).toEqual([["127.0.0.2:80"], []])
    resolver.answers.set("app.test", ["127.0.0.2"])
    await timers.advance(11_000)
    expect(lists).toEqual([["127.0.0.2:80"], [], ["127.0.0.2:80"]])
    expect(troubles).toEqual(["app.test: no such name", null, "app.test: no such name", null])
  })

  test("how long they are held may be said", async () => {
    const { timers, resolver, lists, begin } = start([spec("app.test")], { holdMs: 60_000 })
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(500)
    resolver.answers.set("app.test", "no such name")
    await timers.advance(55_000)
    expect(lists.length).toBe(1)
    await timers.advance(20_000)
    expect(lists.at(-1)).toEqual([])
  })

  test("a family of addresses that came late is found in the cache, without a question", async () => {
    const { timers, resolver, lists, begin } = start([spec("app.test")])
    resolver.ttlMs = 3_600_000
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(1_000)
    resolver.answers.set("app.test", ["127.0.0.2", "::1"])
    await timers.advance(60_000)
    expect(lists).toEqual([["127.0.0.2:80"], ["127.0.0.2:80", "[::1]:80"]])
    expect([resolver.asked.length, resolver.looked]).toEqual([1, 1])
  })

  test("O-31: an answer with both, and answers in another order, tell what changed only", async () => {
    const { timers, resolver, lists, begin } = start([spec("app.test")])
    resolver.answers.set("app.test", ["127.0.0.3", "127.0.0.2"])
    begin()
    for (const order of [
      ["127.0.0.2", "127.0.0.3"],
      ["127.0.0.3", "127.0.0.2"],
      ["127.0.0.2", "127.0.0.3", "127.0.0.2"],
    ]) {
      await timers.advance(1_100)
      resolver.answers.set("app.test", order)
    }
    await timers.advance(5_000)
    expect(lists).toEqual([["127.0.0.2:80", "127.0.0.3:80"]])
    expect(resolver.asked.length).toBeGreaterThan(5)
  })

  test("O-31: a failed connection asks anew before the TTL is over, at most once a second", async () => {
    const { timers, resolver, lists, discovery, begin } = start([spec("app.test")])
    resolver.ttlMs = 600_000
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(10_000)
    resolver.answers.set("app.test", ["127.0.0.3"])
    for (let error = 0; error < 50; error++) discovery.refreshNow("app.test", () => {})
    await timers.advance(10)
    expect(lists.at(-1)).toEqual(["127.0.0.3:80"])
    expect(resolver.asked.map(({ at }) => at)).toEqual([0, 10_000])
    for (let error = 0; error < 50; error++) {
      discovery.refreshNow("app.test", () => {})
      await timers.advance(20)
    }
    expect(resolver.asked.length).toBeLessThanOrEqual(4)
    discovery.refreshNow("other.test", () => {})
    await timers.advance(2_000)
    expect(resolver.asked.every(question => question.name === "app.test")).toBe(true)
  })

  test("a TTL of nothing asks once a second", async () => {
    const { timers, resolver, begin } = start([spec("app.test")])
    resolver.ttlMs = 0
    resolver.answers.set("app.test", ["127.0.0.2"])
    begin()
    await timers.advance(10_000)
    expect(resolver.asked.length).toBeWithin(9, 12)
  })

  test("not found at start is an empty list, asked for again with longer and longer pauses up to ten seconds", async () => {
    const { timers, resolver, lists, begin } = start([spec("late.test")])
    begin()
    await timers.advance(60_000)
    expect(lists).toEqual([[]])
    const gaps = resolver.asked.slice(1).map((question, index) => question.at - resolver.asked[index]!.at)
    for (const [index, wanted] of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) expect(gaps[index]).toBeWithin(wanted * 0.89, wanted * 1.12)
    resolver.answers.set("late.test", ["127.0.0.9"])
    await timers.advance(11_500)
    expect(lists.at(-1)).toEqual(["127.0.0.9:80"])
  })

  test("the first list waits for all names; a name serves several entries with one question", async () => {
    const { timers, resolver, lists, begin } = start([spec("a.test", 80, { weight: 5 }), spec("b.test"), spec("a.test", 81, { backup: true })])
    resolver.answers.set("a.test", ["127.0.0.2"]).set("b.test", ["127.0.0.3", "127.0.0.2"])
    begin()
    await timers.advance(4)
    expect(lists).toEqual([])
    await timers.advance(10)
    expect(lists).toEqual([["127.0.0.2:80", "127.0.0.3:80", "127.0.0.2:81"]])
    expect(resolver.asked.length).toBe(2)
  })

  test("a stopped watch asks and tells no more, nor does a late answer", async () => {
    const { timers, resolver, lists, begin } = start([spec("app.test")])
    resolver.answers.set("app.test", ["127.0.0.2"])
    const stop = begin()
    stop()
    await timers.advance(10_000)
    expect([lists.length, resolver.asked.length, timers.size]).toEqual([0, 1, 0])
  })
})
