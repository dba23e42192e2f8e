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
import { FollowedCluster } from "./followed-cluster.ts"
import { healthPeersOf, healthPlanOf } from "./health-plan.ts"

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

/** How long a reload waits for names. One that takes longer counts as not found; it is followed all the same. */
const RESOLVE_MS = 10_000

/** Which peers each cluster has: follows names, gives every peer its slot in the shared states, and has them probed. */
export class PeerDirectory {
  readonly #parts: PeerDirectoryParts
  readonly #slots: SlotTable
  readonly #monitor: HealthMonitor
  readonly #random = new Random(randomInt(2 ** 32 - 1))
  #live = new Map<string, FollowedCluster>()
  #config: Config | null = null
  #resolver: NameResolver | null = null
  #resolverKey = ""
  #current: Record<string, readonly ResolvedPeer[]> = {}
  /** Names that workers wait for. */
  readonly #asked = new Set<string>()

  constructor(parts: PeerDirectoryParts) {
    this.#parts = parts
    this.#slots = new SlotTable(parts.states)
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

  /** Why names of a live cluster's peers do not resolve; none when all do. */
  unresolved(cluster: string): string[] {
    return [...(this.#live.get(cluster)?.troubles.values() ?? [])]
  }

  /** Resolves a config's peers beside the live ones. Clusters that name the same peers are taken over as they are. */
  async stage(config: Config): Promise<StagedPeers> {
    const resolver = this.#resolverFor(config.resolver)
    const next = new Map<string, FollowedCluster>()
    const fresh: FollowedCluster[] = []
    for (const [name, cluster] of Object.entries(config.clusters)) {
      const key = JSON.stringify([cluster.peers, config.resolver])
      const known = this.#live.get(name)
      const followed = known?.key === key ? known : this.#follow(name, key, cluster, resolver)
      if (followed !== known) fresh.push(followed)
      next.set(name, followed)
    }
    await withLimit(Promise.all(fresh.map(cluster => cluster.settled)), RESOLVE_MS)
    const peers = Object.fromEntries([...next.values()].map(cluster => [cluster.name, this.#resolved(cluster)]))
    const clusterSlots = this.#clusterSlots(next.keys())
    const unresolved = fresh.flatMap(unresolvedOf)
    return {
      peers,
      clusterSlots,
      problems: [...this.#slotProblems(peers, clusterSlots), ...(this.#config === null ? [] : unresolved)],
      warnings: this.#config === null ? unresolved.map(problem => problem.message) : [],
      commit: () => this.#commit(config, next, peers, resolver),
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

  #follow(name: string, key: string, cluster: Config["clusters"][string], resolver: NameResolver): FollowedCluster {
    const deps = { resolver, clock: systemClock, timers: systemTimers, random: this.#random }
    return new FollowedCluster(name, key, cluster, deps, {
      changed: of => {
        if (this.#live.get(name) === of) this.#update(of)
      },
      trouble: (host, message) => {
        if (message === null) this.#parts.log.info("a peer's name resolves", { cluster: name, name: host })
        else this.#parts.log.warn("a peer's name does not resolve; it is asked for again and again", { cluster: name, reason: message })
      },
    })
  }

  #resolved(cluster: FollowedCluster): ResolvedPeer[] {
    return cluster.endpoints.map(endpoint => {
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

  #commit(config: Config, next: Map<string, FollowedCluster>, sent: PeersByCluster, resolver: NameResolver): void {
    for (const [name, cluster] of this.#live) {
      if (next.get(name) !== cluster) cluster.stop()
      if (!next.has(name)) this.#monitor.watch(name, [], null)
    }
    this.#live = next
    this.#config = config
    this.#resolver = resolver
    this.#resolverKey = JSON.stringify(config.resolver)
    this.#current = { ...sent }
    this.#slots.keepClusters(new Set(next.keys()))
    for (const cluster of next.values()) {
      this.#keepSlots(cluster.name)
      this.#watchHealth(cluster.name)
      // its addresses changed between staging and now
      if (!sameEndpoints(cluster, sent[cluster.name]!)) this.#update(cluster)
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
    const peers = this.#resolved(cluster).filter(peer => peer.slot >= 0)
    this.#current[cluster.name] = peers
    this.#keepSlots(cluster.name)
    for (const peer of before) if (!peers.some(now => now.metrics === peer.metrics)) this.#parts.registry.hide(peer.metrics)
    this.#watchHealth(cluster.name)
    this.#parts.log.info("addresses changed", { cluster: cluster.name, peers: peers.map(endpointName) })
    this.#parts.changed(cluster.name, peers)
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

function sameEndpoints(cluster: FollowedCluster, peers: readonly ResolvedPeer[]): boolean {
  return cluster.endpoints.length === peers.length && cluster.endpoints.every((endpoint, i) => endpointName(endpoint) === endpointName(peers[i]!))
}

function withLimit(work: Promise<unknown>, ms: number): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout>
  const limit = new Promise(resolve => {
    timer = setTimeout(resolve, ms)
  })
  return Promise.race([work, limit]).finally(() => clearTimeout(timer))
}
