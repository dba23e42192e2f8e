import { describe, expect, test } from "bun:test"
import { endpointName, type PeerEndpoint } from "../peer.ts"
import { ClusterDiscovery } from "./cluster-discovery.ts"
import type { PeerSpec } from "./discovery.ts"
import { fakeNames } from "./fake-resolver.ts"

const spec = (host: string, port = 80, extra: Partial<PeerSpec> = {}): PeerSpec => ({ host, port, path: "", weight: 1, backup: false, ...extra })

describe("ClusterDiscovery", () => {
  test("literals and sockets alone are told at once and once", async () => {
    const { deps, timers, resolver } = fakeNames()
    const lists: (readonly PeerEndpoint[])[] = []
    const peers = [spec("127.0.0.1", 80, { weight: 3 }), spec("::1"), spec("", 0, { path: "/run/app.sock", backup: true }), spec("127.0.0.1")]
    const stop = new ClusterDiscovery(peers, deps).watch(list => lists.push(list))
    expect(lists).toEqual([
      [
        { address: "127.0.0.1", port: 80, path: "", host: "127.0.0.1", weight: 3, backup: false },
        { address: "::1", port: 80, path: "", host: "::1", weight: 1, backup: false },
        { address: "", port: 0, path: "/run/app.sock", host: "", weight: 1, backup: true },
      ],
    ])
    stop()
    await timers.advance(5_000)
    expect([lists.length, resolver.asked.length]).toEqual([1, 0])
  })

  test("names and literals make one whole list each time", async () => {
    const { deps, timers, resolver } = fakeNames()
    resolver.answers.set("app.test", ["127.0.0.2"])
    const lists: string[][] = []
    const discovery = new ClusterDiscovery([spec("app.test"), spec("127.0.0.9")], deps)
    const stop = discovery.watch(list => lists.push(list.map(endpointName)))
    await timers.advance(500)
    resolver.answers.set("app.test", ["127.0.0.2", "127.0.0.9", "127.0.0.4"])
    discovery.refreshNow("app.test")
    await timers.advance(2_000)
    stop()
    expect(lists).toEqual([
      ["127.0.0.9:80", "127.0.0.2:80"],
      ["127.0.0.9:80", "127.0.0.2:80", "127.0.0.4:80"],
    ])
  })

  test("a peer keeps the name that the config gave it", async () => {
    const { deps, timers, resolver } = fakeNames()
    resolver.answers.set("app.test", ["127.0.0.2"])
    let last: readonly PeerEndpoint[] = []
    new ClusterDiscovery([spec("app.test", 443)], deps).watch(list => void (last = list))
    await timers.advance(100)
    expect(last).toEqual([{ address: "127.0.0.2", port: 443, path: "", host: "app.test", weight: 1, backup: false }])
  })

  test("who asks anew is told when the answers are there, changed or not, after the list", async () => {
    const { deps, timers, resolver } = fakeNames()
    resolver.answers.set("a.test", ["127.0.0.2"]).set("b.test", "no such name")
    const events: string[] = []
    const discovery = new ClusterDiscovery([spec("a.test"), spec("b.test"), spec("127.0.0.9")], deps)
    const stop = discovery.watch(list => events.push(list.map(endpointName).join()))
    await timers.advance(20_000)
    resolver.answers.set("b.test", ["127.0.0.3"])
    discovery.refreshNow(null, () => events.push("done"))
    await timers.advance(1_100)
    expect(events).toEqual(["127.0.0.9:80,127.0.0.2:80", "127.0.0.9:80,127.0.0.2:80,127.0.0.3:80", "done"])
    discovery.refreshNow("a.test", () => events.push("same"))
    discovery.refreshNow("z.test", () => events.push("unknown"))
    await timers.advance(1_100)
    expect(events.slice(3)).toEqual(["unknown", "same"])
    resolver.answers.set("a.test", "silence")
    discovery.refreshNow("a.test", () => events.push("stopped"))
    stop()
    expect(events.at(-1)).toBe("stopped")
  })
})
