import { isIP } from "node:net"
import type { Clock } from "../../base/index.ts"
import { endpointName, HEALTH_DOWN, HEALTH_UP, PeerStates } from "../../upstream/index.ts"
import type { SlottedPeer } from "../compile/compile-deps.ts"
import type { PeerConfig } from "../schema/cluster.ts"
import type { Config } from "../schema.ts"

/** What a running instance says of one of its peers; the shape of its status. */
export interface LivePeer {
  /** `address:port` or `unix:/path`. */
  readonly name: string
  /** Name that the config has, the address for a literal, "" for a Unix socket. */
  readonly host: string
  readonly health: "unknown" | "up" | "down"
  readonly available: boolean
  /** Milliseconds, 0 = not ejected. */
  readonly ejectedForMs: number
  readonly inFlight: number
  readonly weight?: number
  readonly backup?: boolean
}

export interface LiveCluster {
  readonly name: string
  /** What is not as in the config there, by words at run time. */
  readonly changed?: readonly string[]
  readonly peers: readonly LivePeer[]
}

export interface DryPeer extends SlottedPeer {
  readonly resolved: boolean
  /** null = nothing is known of it. */
  readonly live: LivePeer | null
}

/** More requests in flight are not told apart. */
const IN_FLIGHT_MAX = 10_000

/** The peers of all clusters without a look-up: literals as they are, names as a running instance has resolved them, or else as they stand. */
export class DryPeers {
  readonly states: PeerStates
  readonly byCluster: Readonly<Record<string, readonly DryPeer[]>>
  /** By cluster: slot of its retry budget. */
  readonly clusterSlots: Readonly<Record<string, number>>

  constructor(config: Config, live: readonly LiveCluster[], clock: Clock) {
    let slots = 0
    const peersOf = ([name, cluster]: [string, Config["clusters"][string]]): [string, DryPeer[]] => {
      const running = live.find(entry => entry.name === name)
      const known = running?.peers ?? []
      const seen = new Set<string>()
      const isChanged = (running?.changed ?? []).length > 0
      const all = isChanged ? known.map(asRunning) : cluster.peers.flatMap(peer => resolved(peer, known))
      const peers = all.filter(peer => !seen.has(endpointName(peer)) && seen.add(endpointName(peer)))
      return [name, peers.map(peer => ({ ...peer, slot: slots++ }))]
    }
    const entries = Object.entries(config.clusters)
    this.byCluster = Object.fromEntries(entries.map(peersOf))
    this.clusterSlots = Object.fromEntries(entries.map(([name]) => [name, slots++]))
    this.states = PeerStates.create(slots + 1, 1, clock)
    for (const peers of Object.values(this.byCluster)) for (const peer of peers) this.enter(peer)
  }

  /** Puts what is known of a peer where balancers read it. */
  private enter({ slot, live }: DryPeer): void {
    if (live === null) return
    const { states } = this
    if (live.health !== "unknown") states.setHealth(slot, live.health === "up" ? HEALTH_UP : HEALTH_DOWN)
    for (let i = 0; i < live.inFlight && i < IN_FLIGHT_MAX; i++) states.begin(slot)
    if (live.ejectedForMs > 0) states.eject(slot, 0, Math.ceil(live.ejectedForMs / 100))
    else if (!live.available && live.health !== "down") states.setDraining(slot, true)
  }
}

/** A peer of a list that is not the config's any more. */
function asRunning(live: LivePeer): Omit<DryPeer, "slot"> {
  const { name, host, weight = 1, backup = false } = live
  const path = name.startsWith("unix:") ? name.slice(5) : ""
  const port = path === "" ? Number(name.slice(name.lastIndexOf(":") + 1)) : 0
  return { address: path === "" ? addressOf(name) : "", port, path, host, weight, backup, live, resolved: true }
}

function resolved(peer: PeerConfig, known: readonly LivePeer[]): Omit<DryPeer, "slot">[] {
  const { host, port, path, weight, backup } = peer
  const as = (address: string, live: LivePeer | null, isResolved: boolean) => ({
    address,
    port,
    path,
    host,
    weight,
    backup,
    live,
    resolved: isResolved,
  })
  if (path !== "" || isIP(host) !== 0) {
    const name = endpointName({ address: host, port, path })
    return [as(host, known.find(one => one.name === name) ?? null, true)]
  }
  const found = known.filter(one => one.host === host && one.name.endsWith(`:${port}`))
  return found.length === 0 ? [as(host, null, false)] : found.map(one => as(addressOf(one.name), one, true))
}

/** The address in `10.0.0.1:80` or `[::1]:80`. */
function addressOf(name: string): string {
  return name.slice(0, name.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1")
}
