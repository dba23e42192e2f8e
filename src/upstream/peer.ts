// HOT
import type { BalancerPeer } from "../plugin/index.ts"
import type { PeerGate } from "./guard/peer-gate.ts"
import type { PeerStates } from "./peer-states.ts"

/** What a peer is made from. Addresses are literals: names have been resolved by then. */
export interface PeerEndpoint {
  /** IPv4 or IPv6 literal without brackets, "" for a Unix socket. */
  readonly address: string
  readonly port: number
  /** Path of a Unix socket, "" for TCP. */
  readonly path: string
  /** Name that the config had, for Host and the TLS server name; the address itself when it was a literal. */
  readonly host: string
  readonly weight: number
  readonly backup: boolean
}

/** The stable name of an endpoint: `address:port`, `[address]:port` or `unix:/path`. */
export function endpointName(endpoint: Pick<PeerEndpoint, "address" | "port" | "path">): string {
  if (endpoint.path !== "") return `unix:${endpoint.path}`
  return endpoint.address.includes(":") ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`
}

/** One endpoint of a cluster, in one worker. The state is shared by all workers; this object only knows where it is. */
export class Peer implements BalancerPeer {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly path: string
  readonly host: string
  /** What balancers go by: the weight that it was given, or a part of it while it starts slowly. */
  weight: number
  /** The weight that it was given. */
  fullWeight: number
  backup: boolean
  readonly slot: number
  readonly states: PeerStates
  /** Where its numbers are among the metrics, for whoever counts. */
  readonly metrics: number
  /** Set by this worker's pool while the peer is at connectionsMax and its queue is full. */
  saturated = false
  /** What the guard of its cluster keeps of it; null where the cluster has none. */
  gate: PeerGate | null = null

  constructor(endpoint: PeerEndpoint, slot: number, states: PeerStates, metrics = 0) {
    this.name = endpointName(endpoint)
    this.address = endpoint.address
    this.port = endpoint.port
    this.path = endpoint.path
    this.host = endpoint.host
    this.weight = endpoint.weight
    this.fullWeight = endpoint.weight
    this.backup = endpoint.backup
    this.slot = slot
    this.states = states
    this.metrics = metrics
  }

  isAvailable(): boolean {
    const { gate } = this
    if (gate !== null) return gate.isAvailable(this)
    return !this.saturated && this.states.isAvailable(this.slot)
  }

  /** May take a request of somebody who has a session there. */
  takesSessions(): boolean {
    return !this.saturated && (this.gate === null || !this.gate.refuses(this)) && this.states.takesSessions(this.slot)
  }

  /** Taken out by the operator: nothing new, whatever else is down. */
  isDraining(): boolean {
    return this.states.isDraining(this.slot)
  }

  inFlight(): number {
    return this.states.inFlight(this.slot)
  }

  /** A request goes to this peer. */
  begin(): void {
    this.states.begin(this.slot)
  }

  /** The request is over. Exactly once for each `begin`. */
  finish(): void {
    this.states.finish(this.slot)
  }
}
