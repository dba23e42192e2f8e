// HOT
import type { Breaker } from "../breaker/breaker.ts"
import type { LatencyQuantile } from "../hedge/latency-quantile.ts"
import type { Peer } from "../peer.ts"

/** Limits of one peer. 0 = no limit. */
export interface PeerLimits {
  readonly requestsMax: number
  readonly pendingMax: number
  readonly retriesMax: number
}

/** What a cluster's guard keeps beside each of its peers, in one worker. */
export class PeerGate {
  readonly limits: PeerLimits
  readonly breaker: Breaker | null
  readonly quantile: LatencyQuantile | null
  /** The cluster balances over all of its peers. */
  panic = false

  constructor(limits: PeerLimits, breaker: Breaker | null, quantile: LatencyQuantile | null) {
    this.limits = limits
    this.breaker = breaker
    this.quantile = quantile
  }

  /** Whatever is thought of its health: it has as many requests as it may, or its breaker is open. */
  refuses(peer: Peer): boolean {
    return this.isFull(peer) || (this.breaker !== null && !this.breaker.lets())
  }

  isAvailable(peer: Peer): boolean {
    if (peer.saturated || this.refuses(peer)) return false
    return peer.states.isAvailable(peer.slot) || (this.panic && !peer.isDraining())
  }

  isFull(peer: Peer): boolean {
    const { requestsMax } = this.limits
    return requestsMax > 0 && peer.inFlight() >= requestsMax
  }

  /** Counts a request that goes there; false when another worker was faster. */
  begin(peer: Peer): boolean {
    const { requestsMax } = this.limits
    if (requestsMax > 0) return peer.states.tryBegin(peer.slot, requestsMax)
    peer.begin()
    return true
  }
}
