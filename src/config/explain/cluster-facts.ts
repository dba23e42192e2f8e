import { formatDuration, hashString } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { type Cluster, endpointName, type Peer, plainHash, Tried } from "../../upstream/index.ts"
import { balancers } from "../features.gen.ts"
import type { ClusterConfig } from "../schema.ts"
import type { DryPeer } from "./dry-peers.ts"
import type { ClusterFacts, PeerFacts } from "./explanation.ts"
import { parentText } from "./exit-facts.ts"
import { resilienceFacts } from "./resilience-facts.ts"
import { plain, shown } from "./shown.ts"

/** What a cluster answers when it is asked for peers again and again. */
export interface AskedCluster {
  /** In the order in which attempts would take them, as far as the balancer has one. */
  readonly order: readonly Peer[]
  /** Those that may be the first. */
  readonly candidates: readonly Peer[]
  readonly keyNote: string
  /** What the request says of a session, "" = the cluster keeps nobody. */
  readonly session: string
  /** The first of them is the client's own peer. */
  readonly isHeld: boolean
}

/** Asks until everybody was named: the first answer tells whether it is the turn of primaries, of backups, or of whoever is left. */
export function askCluster(cluster: Cluster, x: Exchange): AskedCluster {
  const key = cluster.keyOf(x)
  const hash = plainHash(key)
  const tried = new Tried()
  const order: Peer[] = []
  for (let peer = cluster.pick(key, tried); peer !== null; peer = cluster.pick(key, tried)) {
    order.push(peer)
    tried.add(cluster.indexOf(peer))
  }
  const first = order[0]
  const alike = (peer: Peer): boolean => peer.isAvailable() === first!.isAvailable() && (!first!.isAvailable() || peer.backup === first!.backup)
  const session = cluster.sticky?.says(x) ?? ""
  // Above the hash stands where the client belongs; nobody may have an answer to it now.
  const isHeld = key !== hash && first !== undefined && cluster.sticky!.select(key, new Tried()) === cluster.indexOf(first)
  const candidates = isHeld ? [first] : order.filter(alike)
  return { order, candidates, keyNote: hash === hashString(x.clientAddress) ? shown(x.clientAddress) : "", session, isHeld }
}

export interface ClusterQuestion {
  readonly cluster: Cluster
  readonly config: ClusterConfig
  readonly peers: readonly DryPeer[]
  readonly asked: AskedCluster
  /** The peer that was about to be dialled, "" = none. */
  readonly picked: string
}

/** What is known of a cluster before a request goes there. */
export function clusterFacts({ cluster, config, peers, asked, picked }: ClusterQuestion): ClusterFacts {
  const { balance } = config
  const definition = balancers.find(one => one.name === balance.name)!
  const key = definition.key?.(balance.options) ?? null
  const candidates = new Set(asked.candidates.map(peer => peer.name))
  return {
    name: cluster.name,
    parent: parentText(config.parent),
    balancer: balance.name,
    key: key === null ? null : { from: "name" in key ? `${key.from} ${key.name}` : key.from, note: keyNote(key.from, asked) },
    tls: config.tls !== null,
    session: plain(asked.session),
    allDown: config.allDown,
    resilience: resilienceFacts(config),
    peers: peers.map(peer => peerFacts(peer, candidates)),
    ...pickOf(asked, peers, { isHashing: key !== null, picked, summary: definition.summary }),
  }
}

function keyNote(from: string, { keyNote: client }: AskedCluster): string {
  if (from === "host") return "the name that is asked for"
  if (from === "url") return "the whole URL as it goes on"
  if (from === "path") return "the path as it goes on"
  if (from === "client") return client
  // The value is not shown: a cookie or a token is a secret.
  return client === "" ? "it is there" : `it is not there, so the client's address is taken: ${client}`
}

interface PickFacts {
  readonly isHashing: boolean
  readonly picked: string
  readonly summary: string
}

function pickOf(asked: AskedCluster, peers: readonly DryPeer[], { isHashing, picked, summary }: PickFacts): { pick: string | null; because: string } {
  const { candidates } = asked
  const first = candidates[0]
  if (first === undefined) return { pick: null, because: "no peer is available" }
  const open = peers.filter(peer => !peer.resolved).length
  if (asked.isHeld) return { pick: first.name, because: `its session is there${failover(asked)}` }
  const lastResort = first.isAvailable() ? "" : "none is available and allDown is try; "
  if (isHashing && open > 0) return { pick: null, because: `the hash is over addresses, and a peer that is a name is not resolved here` }
  if (isHashing) return { pick: picked === "" ? first.name : picked, because: `${lastResort}by its hash${failover(asked)}` }
  if (candidates.length > 1)
    return {
      pick: null,
      because: `${lastResort}one of ${candidates.length}: ${summary.charAt(0).toLowerCase()}${summary.slice(1).replace(/\.$/, "")}`,
    }
  if (open > 0 && peers.some(peer => !peer.resolved && endpointName(peer) === first.name))
    return { pick: null, because: `${lastResort}whatever its name resolves to` }
  return { pick: first.name, because: `${lastResort}the only candidate` }
}

function failover({ order }: AskedCluster): string {
  return order.length < 2
    ? ""
    : `; when it fails: ${order
        .slice(1, 4)
        .map(peer => peer.name)
        .join(", ")}${order.length > 4 ? " …" : ""}`
}

function peerFacts(peer: DryPeer, candidates: ReadonlySet<string>): PeerFacts {
  const name = endpointName(peer)
  const candidate = candidates.has(name)
  return {
    name,
    host: peer.host === peer.address ? "" : plain(peer.host),
    resolved: peer.resolved,
    weight: peer.weight,
    backup: peer.backup,
    health: peer.live?.health ?? "unknown",
    candidate,
    note: noteOf(peer, candidate),
  }
}

function noteOf({ weight, backup, live, resolved }: DryPeer, candidate: boolean): string {
  if (weight === 0) return "weight 0: no new requests"
  if (live !== null && live.ejectedForMs > 0) return `ejected for another ${formatDuration(Math.ceil(live.ejectedForMs / 1000) * 1000)}`
  if (live !== null && live.health === "down") return "down by its health check"
  if (live !== null && !live.available) return "draining"
  if (backup && !candidate) return "backup: only while no other peer is available"
  if (!resolved) return "a name, not resolved here"
  return live === null ? "not running, so its health is not known" : ""
}
