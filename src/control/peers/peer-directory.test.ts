import { afterEach, describe, expect, test } from "bun:test"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { type Config, endpointSchema } from "../../config/index.ts"
// allow(index-only): at once, where the door of the room is asynchronous
import { parseConfig } from "../../config/load.ts"
import { MetricsRegistry } from "../../observe/index.ts"
import { HEALTH_UP, type LookupDone, type NameResolver, PeerStates } from "../../upstream/index.ts"
import type { ResolvedPeer } from "../protocol.ts"
import { NO_CHANGES, withAdded, withDrained, withRemoved, withWeight } from "./peer-changes.ts"
import { PeerDirectory } from "./peer-directory.ts"

const directories: PeerDirectory[] = []
const servers: Server[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) directory.stop()
  for (const server of servers.splice(0)) server.close()
})

function config(clusters: object): Config {
  const loaded = parseConfig(
    JSON.stringify({ listeners: { web: { bind: ":0" } }, clusters, routes: [{ to: { cluster: Object.keys(clusters)[0] } }] }),
  )
  if (!loaded.ok) throw new Error(loaded.problems[0]!.message)
  return loaded.config
}

/** Names with the addresses that a test gives them; `asked` counts. */
class FakeResolver implements NameResolver {
  readonly names = new Map<string, readonly string[]>()
  asked = 0
  lifeMs = 60_000

  lookup(name: string, done: LookupDone): void {
    this.asked++
    const addresses = this.names.get(name)
    setTimeout(() => {
      if (addresses === undefined) done({ message: `"${name}" does not resolve: no such name` }, [], performance.now() + 1000)
      else done(null, addresses, performance.now() + this.lifeMs)
    }, 1)
  }

  refresh(name: string, done: LookupDone): void {
    this.lookup(name, done)
  }
}

function make() {
  const states = PeerStates.create(64, 4)
  const resolver = new FakeResolver()
  const told: [string, string[]][] = []
  const logged: string[] = []
  const note = (text: string, fields?: object) => void logged.push(`${text} ${JSON.stringify(fields ?? {})}`)
  const directory = new PeerDirectory({
    states,
    registry: new MetricsRegistry(),
    log: { debug() {}, info: note, warn: note, error: note },
    makeResolver: () => resolver,
    changed: (cluster, peers) => void told.push([cluster, addresses(peers)]),
  })
  directories.push(directory)
  return { directory, resolver, states, told, logged }
}

const addresses = (peers: readonly ResolvedPeer[] | undefined) => (peers ?? []).map(peer => `${peer.address}:${peer.port}`)

async function until(condition: () => boolean, ms = 1500): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await new Promise(resolve => setTimeout(resolve, 5))) if (condition()) return true
  return false
}

describe("peer directory", () => {
  test("a config with more peers and clusters than there are slots is refused", async () => {
    const peersOf = (count: number) => Array.from({ length: count }, (_, i) => `127.0.0.1:${i + 1}`)
    for (const [count, where] of [
      [63, []],
      [64, ["clusters.shop.peers"]],
      [65, ["clusters.shop.peers"]],
    ] as const) {
      const { directory } = make()
      const staged = await directory.stage(config({ shop: { peers: peersOf(count) } }))
      expect(staged.problems.map(problem => problem.where)).toEqual([...where])
    }
  })
  test("literals at once; every peer has a slot and a place for metrics of its own", async () => {
    const { directory } = make()
    const staged = await directory.stage(
      config({ shop: { peers: ["127.0.0.1:1", { address: "[::1]:2", weight: 3, backup: true }, "unix:/run/a.sock"] } }),
    )
    expect(staged.problems).toEqual([])
    const [first, second, third] = staged.peers["shop"]!
    expect(first).toMatchObject({ address: "127.0.0.1", port: 1, host: "127.0.0.1", weight: 1, backup: false })
    expect(second).toMatchObject({ address: "::1", weight: 3, backup: true })
    expect(third).toMatchObject({ address: "", port: 0, path: "/run/a.sock" })
    expect(new Set([first, second, third].map(peer => peer!.slot)).add(staged.clusterSlots["shop"]!).size).toBe(4)
    expect(new Set([first, second, third].map(peer => peer!.metrics)).size).toBe(3)
  })

  test("a name becomes its addresses; slots stay over a reload that does not touch the cluster", async () => {
    const { directory, resolver } = make()
    resolver.names.set("app.test", ["127.0.0.2", "127.0.0.3"])
    const one = await directory.stage(config({ shop: { peers: ["app.test:80"] } }))
    one.commit()
    expect(addresses(directory.current["shop"])).toEqual(["127.0.0.2:80", "127.0.0.3:80"])
    const asked = resolver.asked
    const two = await directory.stage(config({ shop: { peers: ["app.test:80"] }, other: { peers: ["127.0.0.9:1"] } }))
    two.commit()
    expect(resolver.asked).toBe(asked)
    expect(two.peers["shop"]!.map(peer => peer.slot)).toEqual(one.peers["shop"]!.map(peer => peer.slot))
  })

  test("at the start a name that does not resolve is a warning and is followed; at a reload it refuses the config", async () => {
    const { directory, resolver, told } = make()
    const boot = await directory.stage(config({ shop: { peers: ["late.test:80"] } }))
    expect(boot.problems).toEqual([])
    expect(boot.warnings[0]).toContain("late.test")
    boot.commit()
    expect(directory.current["shop"]).toEqual([])
    const again = await directory.stage(config({ shop: { peers: ["late.test:80"] }, more: { peers: ["nowhere.test:80"] } }))
    expect(again.problems[0]).toMatchObject({ where: "clusters.more.peers" })
    expect(again.problems[0]!.message).toContain('"nowhere.test" does not resolve: no such name')
    again.undo()
    resolver.names.set("late.test", ["127.0.0.4"])
    expect(await until(() => told.length > 0, 3000)).toBe(true)
    expect(told.at(-1)).toEqual(["shop", ["127.0.0.4:80"]])
  })

  test("a name that does not resolve beside others that do is told, once, and again when it does", async () => {
    const { directory, resolver, logged } = make()
    const cluster = { peers: ["late.test:80", "127.0.0.2:80"] }
    const staged = await directory.stage(config({ shop: cluster }))
    expect([staged.problems, staged.warnings]).toEqual([[], []])
    staged.commit()
    const said = (part: string) => logged.filter(line => line.includes(part)).length
    expect(directory.unresolved("shop")).toEqual(['"late.test" does not resolve: no such name'])
    expect(await until(() => resolver.asked > 1, 3000)).toBe(true)
    expect(said("does not resolve; it is asked for again")).toBe(1)
    resolver.names.set("late.test", ["127.0.0.4"])
    expect(await until(() => said("a peer's name resolves") === 1, 4000)).toBe(true)
    expect(directory.unresolved("shop")).toEqual([])
    expect(addresses(directory.current["shop"]).sort()).toEqual(["127.0.0.2:80", "127.0.0.4:80"])
  })

  test("a change of address reaches the workers, also when it falls between staging and commit", async () => {
    const { directory, resolver, told } = make()
    resolver.names.set("app.test", ["127.0.0.2"])
    resolver.lifeMs = 1
    const staged = await directory.stage(config({ shop: { peers: ["app.test:80"] } }))
    resolver.names.set("app.test", ["127.0.0.3"])
    await new Promise(resolve => setTimeout(resolve, 1100))
    expect(told).toEqual([])
    staged.commit()
    expect(told).toEqual([["shop", ["127.0.0.3:80"]]])
  })

  test("a worker that asks gets an answer, also when nothing changed", async () => {
    const { directory, resolver, told } = make()
    resolver.names.set("app.test", ["127.0.0.2"])
    const staged = await directory.stage(config({ shop: { peers: ["app.test:80"] } }))
    staged.commit()
    await new Promise(resolve => setTimeout(resolve, 1000))
    directory.refresh("shop")
    expect(await until(() => told.length > 0)).toBe(true)
    expect(told).toEqual([["shop", ["127.0.0.2:80"]]])
    directory.refresh("nothing")
  })

  test("undo leaves the live peers and their slots alone", async () => {
    const { directory } = make()
    const one = await directory.stage(config({ shop: { peers: ["127.0.0.1:1", "127.0.0.1:2"] } }))
    one.commit()
    const two = await directory.stage(config({ shop: { peers: ["127.0.0.1:2", "127.0.0.1:3"] }, more: { peers: ["127.0.0.1:4"] } }))
    two.undo()
    expect(addresses(directory.current["shop"])).toEqual(["127.0.0.1:1", "127.0.0.1:2"])
    const three = await directory.stage(config({ shop: { peers: ["127.0.0.1:1", "127.0.0.1:2"] } }))
    expect(three.peers["shop"]).toEqual(one.peers["shop"]!)
  })

  test("more peers than slots refuses the config", async () => {
    const { directory } = make()
    const peers = Array.from({ length: 70 }, (_, i) => `127.0.0.1:${i + 1}`)
    const staged = await directory.stage(config({ shop: { peers } }))
    expect(staged.problems[0]!.message).toContain("64 peers")
  })

  test("committed peers are probed; those of a removed cluster no longer", async () => {
    let probes = 0
    const server = createServer((_, response) => {
      probes++
      response.end("ok")
    })
    servers.push(server)
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
    const { directory, states } = make()
    const peers = [`127.0.0.1:${(server.address() as AddressInfo).port}`]
    const staged = await directory.stage(config({ shop: { peers, health: { http: { every: "30ms", timeout: "1s" } } } }))
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(probes).toBe(0)
    staged.commit()
    expect(await until(() => probes > 1 && states.health(staged.peers["shop"]![0]!.slot) === HEALTH_UP)).toBe(true)
    const without = await directory.stage(config({ other: { peers: ["127.0.0.1:9"] } }))
    without.commit()
    await new Promise(resolve => setTimeout(resolve, 50))
    const before = probes
    await new Promise(resolve => setTimeout(resolve, 120))
    expect(probes).toBe(before)
  })

  describe("changes at run time", () => {
    const added = (address: string) => ({ ...endpointSchema.parse(address), weight: 1, backup: false })

    test("reach the workers at once; slots of the others stay; who joins may start slowly, who was there does not", async () => {
      const { directory, told, states } = make()
      const staged = await directory.stage(config({ shop: { peers: ["127.0.0.1:1", "127.0.0.1:2"] } }))
      staged.commit()
      const changes = withDrained(withWeight(withAdded(NO_CHANGES, added("127.0.0.1:3"), undefined), "127.0.0.1:1", 7), "127.0.0.1:2", true)
      expect(await directory.change("shop", changes)).toBe("")
      expect(told).toEqual([["shop", ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]]])
      const [one, two, three] = directory.current["shop"]!
      expect([one!.weight, one!.slot, two!.slot]).toEqual([7, staged.peers["shop"]![0]!.slot, staged.peers["shop"]![1]!.slot])
      expect([one, two, three].map(peer => states.isDraining(peer!.slot))).toEqual([false, true, false])
      expect([one, two, three].map(peer => states.cameBackAt(peer!.slot) > 0)).toEqual([false, false, true])
      await directory.change("shop", NO_CHANGES)
      expect([states.isDraining(two!.slot), addresses(directory.current["shop"])]).toEqual([false, ["127.0.0.1:1", "127.0.0.1:2"]])
    })

    test("a name that is added is followed; one that does not resolve is refused, and nothing has changed", async () => {
      const { directory, resolver, logged } = make()
      ;(await directory.stage(config({ shop: { peers: ["127.0.0.1:1"] } }))).commit()
      expect(await directory.change("shop", withAdded(NO_CHANGES, added("late.test:80"), undefined))).toContain('"late.test" does not resolve')
      expect(logged).toEqual([])
      expect([addresses(directory.current["shop"]), directory.changesOf("shop")]).toEqual([["127.0.0.1:1"], NO_CHANGES])
      resolver.names.set("late.test", ["127.0.0.2"])
      resolver.lifeMs = 1
      expect(await directory.change("shop", withAdded(NO_CHANGES, added("late.test:80"), undefined))).toBe("")
      resolver.names.set("late.test", ["127.0.0.3"])
      expect(await until(() => addresses(directory.current["shop"]).includes("127.0.0.3:80"), 3000)).toBe(true)
    })

    test("a word about a name is one about all its addresses, also those to come", async () => {
      const { directory, resolver } = make()
      resolver.names.set("app.test", ["127.0.0.2", "127.0.0.3"])
      ;(await directory.stage(config({ shop: { peers: ["app.test:80", "127.0.0.1:1"] } }))).commit()
      await directory.change("shop", withRemoved(NO_CHANGES, "app.test:80"))
      expect(addresses(directory.current["shop"])).toEqual(["127.0.0.1:1"])
      await directory.change("shop", withRemoved(NO_CHANGES, "127.0.0.3:80"))
      expect(addresses(directory.current["shop"]).sort()).toEqual(["127.0.0.1:1", "127.0.0.2:80"])
    })

    test("stay over a reload, also one that was under way; end with another list in the config", async () => {
      const { directory, logged } = make()
      const peers = ["127.0.0.1:1"]
      ;(await directory.stage(config({ shop: { peers } }))).commit()
      await directory.change("shop", withAdded(NO_CHANGES, added("127.0.0.1:2"), undefined))
      const reload = await directory.stage(config({ shop: { peers }, other: { peers } }))
      expect(addresses(reload.peers["shop"])).toEqual(["127.0.0.1:1", "127.0.0.1:2"])
      await directory.change("shop", withAdded(directory.changesOf("shop"), added("127.0.0.1:3"), undefined))
      reload.commit()
      expect(await until(() => addresses(directory.current["shop"]).length === 3)).toBe(true)
      const other = await directory.stage(config({ shop: { peers: ["127.0.0.1:1", "127.0.0.1:9"] } }))
      other.commit()
      expect([addresses(directory.current["shop"]), directory.changesOf("shop")]).toEqual([["127.0.0.1:1", "127.0.0.1:9"], NO_CHANGES])
      expect(logged.some(line => line.includes("is dropped") && line.includes("127.0.0.1:2 added"))).toBe(true)
    })

    test("more than there are slots for are refused", async () => {
      const { directory } = make()
      ;(await directory.stage(config({ shop: { peers: Array.from({ length: 63 }, (_, i) => `127.0.0.1:${i + 1}`) } }))).commit()
      expect(await directory.change("shop", withAdded(NO_CHANGES, added("127.0.0.1:99"), undefined))).toContain("more than 64")
      expect(directory.current["shop"]!.length).toBe(63)
    })
  })
})
