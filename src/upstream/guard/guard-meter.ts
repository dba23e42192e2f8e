import type { Peer } from "../peer.ts"

/** Counts what a guard does, for the metrics of one cluster in one worker. */
export interface GuardMeter {
  /** A second attempt was sent to this peer. */
  hedged(peer: Peer): void
  /** It was faster. */
  hedgeWon(): void
  /** A request waited in the queue and then went, or waited in vain. */
  waited(ms: number): void
  /** A request was refused because there was no place for it. */
  refused(): void
  /** A peer was picked while the cluster balances over all of them. */
  panicked(): void
}
