import { randomInt } from "node:crypto"
import { type Log, Random, systemClock } from "../../base/index.ts"
import type { Config, ResolverConfig } from "../../config/index.ts"
import type { MetricsRegistry } from "../../observe/index.ts"
import {
  endpointName,
  type HealthChange,
  HEALTH_UP,
  HealthMonitor,
  type NameResolver,
  type PeerStates,
  SlotTable,
  slotKey,
  systemTimers,
} from "../../upstream/index.ts"
import type { PeersByCluster, ReloadProblem, ResolvedPeer } from "../protocol.ts"
import { ChangeStore } from "./change-store.ts"
import { FollowedCluster } from "./followed-cluster.ts"
import { healthPeersOf, healthPlanOf } from "./health-plan.ts"
import { changedEndpoints, isDrained, NO_CHANGES, type PeerChanges, specsWith } from "./peer-changes.ts"

export interface PeerDirectoryParts {
  readonly states: PeerStates
  readonly registry: MetricsRegistry
  readonly log: Log
  readonly makeResolver: (config: ResolverConfig) => NameResolver
  /** A cluster of the live config has these peers now. */
  readonly changed: (cluster: string, peers: readonly ResolvedPeer[]) => void
}

export interface StagedPeers {
  readonly peers: PeersByCluster
  /** Each cluster's own record in the shared states. */
  readonly clusterSlots: Readonly<Record<string, number>>
  readonly problems: readonly ReloadProblem[]
  /** What does not keep a config from starting, such as a name that does not resolve yet. */
  readonly warnings: readonly string[]
  commit(): void
  undo(): void
}

interface Commit {
  readonly config: Config
  readonly next: Map<string, FollowedCluster>
  /** The words at run time that `peers` have in them. */
  readonly changes: ReadonlyMap<string, PeerChanges>
  readonly peers: PeersByCluster
  readonly resolver: NameResolver
}

/** How long a reload waits for names. One that takes longer counts as not found; it is followed all the same. */
const RESOLVE_MS = 10_000

/** Which peers each cluster has, by the config and by words at run time: follows names, gives every peer its slot in the shared states, and has them probed. */
export class PeerDirectory {
  readonly #parts: PeerDirectoryParts
  readonly #slots: SlotTable
  readonly #monitor: HealthMonitor
  readonly #random = new Random(randomInt(2 ** 32 - 1))
  readonly #store: ChangeStore
  #live = new Map<string, FollowedCluster>()
  #config: Config | null = null
  #resolver: NameResolver | null = null
  #resolverKey = ""
  #current: Record<string, readonly ResolvedPeer[]> = {}
  /** Those of changes that are not in force yet. */
  readonly #trials = new WeakSet<FollowedCluster>()
  /** Names that workers wait for. */
  readonly #asked = new Set<string>()

  constructor(parts: PeerDirectoryParts) {
    this.#parts = parts
    this.#slots = new SlotTable(parts.states)
    this.#store = new ChangeStore(parts.log)
    this.#monitor = new HealthMonitor({
      states: parts.states,
      clock: systemClock,
      timers: systemTimers,
      random: this.#random,
      onChange: change => this.#healthChanged(change),
    })
  }

  /** The peers of the live config. */
  get current(): PeersByCluster {
    return this.#current
  }

  /** A cluster's own record in the shared states; -1 = it has none. */
  ownSlot(cluster: string): number {
    return this.#slots.find(slotKey(cluster, ""))
  }

  /** Why names of a live cluster's peers do not resolve; none when all do. */
  unresolved(cluster: string): string[] {
    return [...(this.#live.get(cluster)?.troubles.values() ?? [])]
  }

  /** What is different from the config by words at run time. */
  changesOf(cluster: string): PeerChanges {
    return this.#config === null ? NO_CHANGES : this.#store.of(this.#config, cluster)
  }

  /** Why changes are not kept over a restart, "" = they are. */
  get notKept(): string {
    return this.#store.notKept
  }

  /** The live config, null before the first. */
  get config(): Config | null {
    return this.#config
  }

  /** Changes the peers of a live cluster. "" = done: the workers have been told; else why not, and nothing has changed. */
  async change(cluster: string, changes: PeerChanges): Promise<string> {
    const config = this.#config!
    const live = this.#live.get(cluster)!
    const wanted = this.#followed(config, cluster, changes, this.#resolver!)
    if (wanted !== live) {
      this.#trials.add(wanted)
      await withLimit(wanted.settled, RESOLVE_MS)
    }
    const trouble = this.#cannotChange(wanted, changes)
    if (trouble !== "" || this.#config !== config || this.#live.get(cluster) !== live) {
      if (wanted !== live) wanted.stop()
      this.#keepSlots(cluster)
      // A reload came first: once more, under the config that is live now.
      return trouble !== "" || !this.#live.has(cluster) ? trouble || `there is no cluster ${cluster} any more` : this.change(cluster, changes)
    }
    if (wanted !== live) live.stop()
    this.#trials.delete(wanted)
    this.#live.set(cluster, wanted)
    this.#store.set(config, cluster, changes)
    this.#update(wanted)
    return ""
  }

  #cannotChange(wanted: FollowedCluster, changes: PeerChanges): string {
    const peers = this.#resolved(wanted, changes)
    if (peers.some(peer => peer.slot < 0)) return `more than ${this.#parts.states.slotsMax} peers and clusters altogether`
    const missing = changes.added.find(
      added => added.path === "" && !wanted.endpoints.some(({ host, port }) => host === added.host && port === added.port),
    )
    return missing === undefined ? "" : `${wanted.troubles.get(missing.host) ?? `"${missing.host}" does not resolve`}`
  }

  /** Resolves a config's peers beside the live ones. Clusters that name the same peers are taken over as they are. */
  async stage(config: Config): Promise<StagedPeers> {
    const resolver = this.#resolverFor(config.resolver)
    if (this.#config === null) this.#store.open(config)
    const next = new Map<string, FollowedCluster>()
    const changes = new Map<string, PeerChanges>()
    const fresh: FollowedCluster[] = []
    for (const name of Object.keys(config.clusters)) {
      changes.set(name, this.#store.of(config, name))
      const followed = this.#followed(config, name, changes.get(name)!, resolver)
      if (followed !== this.#live.get(name)) fresh.push(followed)
      next.set(name, followed)
    }
    await withLimit(Promise.all(fresh.map(cluster => cluster.settled)), RESOLVE_MS)
    const peers = Object.fromEntries([...next.values()].map(cluster => [cluster.name, this.#resolved(cluster, changes.get(cluster.name)!)]))
    const clusterSlots = this.#clusterSlots(next.keys())
    const unresolved = fresh.flatMap(unresolvedOf)
    return {
      peers,
      clusterSlots,
      problems: [...this.#slotProblems(peers, clusterSlots), ...(this.#config === null ? [] : unresolved)],
      warnings: this.#config === null ? unresolved.map(problem => problem.message) : [],
      commit: () => this.#commit({ config, next, changes, peers, resolver }),
      undo: () => this.#undo(fresh),
    }
  }

  /** A worker could not reach a peer that was given by name. */
  refresh(name: string): void {
    const cluster = this.#live.get(name)
    if (cluster === undefined) return
    for (const host of cluster.names) this.#asked.add(host)
    cluster.refresh()
  }

  stop(): void {
    this.#monitor.stop()
    for (const cluster of this.#live.values()) cluster.stop()
  }

  /** The live cluster when it looks for the same peers in the same way, else another one. */
  #followed(config: Config, name: string, changes: PeerChanges, resolver: NameResolver): FollowedCluster {
    const cluster = config.clusters[name]!
    const peers = specsWith(cluster.peers, changes)
    const key = JSON.stringify([peers, config.resolver])
    const known = this.#live.get(name)
    return known?.key === key ? known : this.#follow(name, key, { ...cluster, peers: [...peers] }, resolver)
  }

  #follow(name: string, key: string, cluster: Config["clusters"][string], resolver: NameResolver): FollowedCluster {
    const deps = { resolver, clock: systemClock, timers: systemTimers, random: this.#random }
    let made: FollowedCluster | null = null
    made = new FollowedCluster(name, key, cluster, deps, {
      changed: of => {
        if (this.#live.get(name) === of) this.#update(of)
      },
      trouble: (host, message) => {
        // Whoever asked for the change is told.
        if (made !== null && this.#trials.has(made)) return
        if (message === null) this.#parts.log.info("a peer's name resolves", { cluster: name, name: host })
        else this.#parts.log.warn("a peer's name does not resolve; it is asked for again and again", { cluster: name, reason: message })
      },
    })
    return made
  }

  #resolved(cluster: FollowedCluster, changes: PeerChanges): ResolvedPeer[] {
    return changedEndpoints(cluster.endpoints, changes).map(endpoint => {
      const name = endpointName(endpoint)
      return { ...endpoint, slot: this.#slots.slot(slotKey(cluster.name, name)), metrics: this.#parts.registry.peer(cluster.name, name) }
    })
  }

  #clusterSlots(names: Iterable<string>): Record<string, number> {
    return Object.fromEntries([...names].map(name => [name, this.#slots.slot(slotKey(name, ""))]))
  }

  /** A cluster needs a slot for itself, too: without one its budget would count in the head of the shared states. */
  #slotProblems(peers: PeersByCluster, clusterSlots: Readonly<Record<string, number>>): ReloadProblem[] {
    const lost = Object.entries(peers).find(([name, list]) => clusterSlots[name]! < 0 || list.some(peer => peer.slot < 0))
    return lost === undefined
      ? []
      : [{ where: `clusters.${lost[0]}.peers`, message: `more than ${this.#parts.states.slotsMax} peers and clusters altogether`, expected: "" }]
  }

  #commit({ config, next, changes, peers, resolver }: Commit): void {
    for (const [name, cluster] of this.#live) {
      if (next.get(name) !== cluster) cluster.stop()
      if (!next.has(name)) this.#monitor.watch(name, [], null)
    }
    const before = this.#current
    this.#live = next
    this.#config = config
    this.#resolver = resolver
    this.#resolverKey = JSON.stringify(config.resolver)
    this.#current = { ...peers }
    this.#store.follow(config)
    this.#slots.keepClusters(new Set(next.keys()))
    for (const cluster of next.values()) {
      const { name } = cluster
      this.#keepSlots(name)
      this.#gate(name, before[name] ?? [])
      this.#watchHealth(name)
      // its addresses changed between staging and now, or a word at run time came in between
      if (this.#store.of(config, name) !== changes.get(name)) void this.change(name, this.#store.of(config, name))
      else if (!sameEndpoints(this.#resolved(cluster, changes.get(name)!), peers[name]!)) this.#update(cluster)
    }
  }

  #undo(fresh: readonly FollowedCluster[]): void {
    for (const cluster of fresh) {
      cluster.stop()
      this.#keepSlots(cluster.name)
    }
    this.#slots.keepClusters(new Set(this.#live.keys()))
  }

  #update(cluster: FollowedCluster): void {
    const before = this.#current[cluster.name] ?? []
    const changes = this.changesOf(cluster.name)
    const peers = this.#resolved(cluster, changes).filter(peer => peer.slot >= 0)
    this.#current[cluster.name] = peers
    this.#keepSlots(cluster.name)
    for (const peer of before) if (!peers.some(now => now.metrics === peer.metrics)) this.#parts.registry.hide(peer.metrics)
    this.#gate(cluster.name, before)
    this.#watchHealth(cluster.name)
    if (!sameEndpoints(before, peers)) this.#parts.log.info("peers changed", { cluster: cluster.name, peers: peers.map(endpointName) })
    this.#parts.changed(cluster.name, peers)
  }

  /** Who drains by a word at run time, and who joins others: that one may start slowly. */
  #gate(name: string, before: readonly ResolvedPeer[]): void {
    const { states } = this.#parts
    const changes = this.changesOf(name)
    for (const peer of this.#current[name] ?? []) {
      if (before.length > 0 && !before.some(({ slot }) => slot === peer.slot)) states.cameBack(peer.slot)
      const drains = isDrained(peer, changes)
      if (drains !== states.isDraining(peer.slot)) states.setDraining(peer.slot, drains)
    }
  }

  /** The slots of the live peers of a cluster and its own stay; what else it had goes out of use. */
  #keepSlots(cluster: string): void {
    const keys = ["", ...(this.#current[cluster] ?? []).map(endpointName)].map(name => slotKey(cluster, name))
    // asked for again, because a change of the live list during a reload has let the staged ones go
    for (const key of keys) this.#slots.slot(key)
    this.#slots.keep(cluster, new Set(keys))
  }

  #watchHealth(name: string): void {
    const cluster = this.#config!.clusters[name]!
    try {
      this.#monitor.watch(name, healthPeersOf(this.#current[name] ?? [], cluster), healthPlanOf(cluster))
    } catch (error) {
      this.#parts.log.error("health checks go on as before: a certificate cannot be read", { cluster: name, error })
    }
  }

  #healthChanged({ cluster, peer, to, reason }: HealthChange): void {
    const say = to === HEALTH_UP ? this.#parts.log.info : this.#parts.log.warn
    say(to === HEALTH_UP ? "a peer is up" : "a peer is down", { cluster, peer, ...(reason === null ? {} : { reason }) })
  }

  /** The resolver of the live config when nothing about it changes: its cache is worth keeping. */
  #resolverFor(config: ResolverConfig): NameResolver {
    if (this.#resolver !== null && this.#resolverKey === JSON.stringify(config)) return this.#resolver
    const inner = this.#parts.makeResolver(config)
    return {
      lookup: (name, done) => inner.lookup(name, done),
      refresh: (name, done) =>
        inner.refresh(name, (error, addresses, expiresAt) => {
          done(error, addresses, expiresAt)
          this.#answerAsked(name)
        }),
    }
  }

  /** Workers that asked wait for a list, also when it is the one that they have. */
  #answerAsked(host: string): void {
    if (!this.#asked.delete(host)) return
    for (const cluster of this.#live.values()) if (cluster.names.has(host)) this.#parts.changed(cluster.name, this.#current[cluster.name] ?? [])
  }
}

function unresolvedOf(cluster: FollowedCluster): ReloadProblem[] {
  if (cluster.endpoints.length > 0) return []
  const reasons = [...cluster.troubles.values()]
  const why = reasons.length === 0 ? [...cluster.names].join(", ") : reasons.join("; ")
  return [{ where: `clusters.${cluster.name}.peers`, message: `no name of this cluster resolves (${why})`, expected: "" }]
}

function sameEndpoints(a: readonly ResolvedPeer[], b: readonly ResolvedPeer[]): boolean {
  return a.length === b.length && a.every((peer, i) => endpointName(peer) === endpointName(b[i]!))
}

function withLimit(work: Promise<unknown>, ms: number): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout>
  const limit = new Promise(resolve => {
    timer = setTimeout(resolve, ms)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
