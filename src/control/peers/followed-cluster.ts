import type { ClusterConfig } from "../../config/index.ts"
import { ClusterDiscovery, type NameWatchDeps, type PeerEndpoint } from "../../upstream/index.ts"

/** Whoever reaches them for us resolves their names. */
export function isBehindParents({ parent }: ClusterConfig): boolean {
  return parent !== null && parent.via !== null
}

export interface FollowedEvents {
  /** Its endpoints are others now. */
  changed(cluster: FollowedCluster): void
  /** The look-up of a name goes wrong, or is right again (null). */
  trouble(host: string, message: string | null): void
}

/** One cluster whose addresses are followed, from the moment it is staged until it leaves the config. */
export class FollowedCluster {
  readonly name: string
  /** Equal for a cluster that names the same peers, resolved in the same way. */
  readonly key: string
  /** Names among its peers. */
  readonly names: ReadonlySet<string>
  /** What is wrong with the look-up of a name, by name; each text says the name. */
  readonly troubles: ReadonlyMap<string, string>
  endpoints: readonly PeerEndpoint[] = []
  /** Settles when the first list is known. */
  readonly settled: Promise<void>
  readonly #discovery: ClusterDiscovery
  readonly #stop: () => void

  constructor(name: string, key: string, cluster: ClusterConfig, deps: Omit<NameWatchDeps, "onTrouble">, told: FollowedEvents) {
    this.name = name
    this.key = key
    this.names = new Set(cluster.peers.filter(peer => peer.path === "").map(peer => peer.host))
    const troubles = new Map<string, string>()
    this.troubles = troubles
    const onTrouble = (host: string, message: string | null) => {
      const before = troubles.has(host)
      if (message === null) troubles.delete(host)
      else troubles.set(host, message)
      if (before !== troubles.has(host)) told.trouble(host, message)
    }
    this.#discovery = new ClusterDiscovery(cluster.peers, { ...deps, onTrouble }, !isBehindParents(cluster))
    let settle = () => {}
    this.settled = new Promise(resolve => {
      settle = resolve
    })
    this.#stop = this.#discovery.watch(endpoints => {
      this.endpoints = endpoints
      // the first list may come before the trouble behind it is told
      queueMicrotask(settle)
      told.changed(this)
    })
  }

  /** Asks for all its names again. */
  refresh(): void {
    for (const name of this.names) this.#discovery.refreshNow(name)
  }

  stop(): void {
    this.#stop()
  }
}
