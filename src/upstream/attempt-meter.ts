import type { Peer } from "./peer.ts"

/** Counts the attempts of one cluster in one worker: for the cluster, and for the peer at its `metrics`. Called on the hot path. */
export interface AttemptMeter {
  /** A peer was picked. `again`: the same request was sent before. */
  began(peer: Peer, again: boolean): void
  /** The attempt ended in a fault of the upstream side. At most once for each `began`. */
  failed(peer: Peer): void
  /** A connection was opened, TLS included. */
  connected(peer: Peer, ms: number): void
}
