import type { Peer } from "../peer.ts"

export interface HedgeOptions {
  /** Milliseconds without an answer after which a second attempt is sent; 0 = by the percentile. */
  readonly afterMs: number
  /** Share of the answers that are faster, from 0 to 1; 0 = by the fixed time. */
  readonly quantile: number
  /** Least delay when it is a percentile. */
  readonly afterMinMs: number
  /** Second attempts as a share of the requests. */
  readonly shareMax: number
}

/** Answers between two looks at the peers. */
const EVERY = 64

/** How long a cluster's requests wait for their answer before a second attempt is sent, in one worker. */
export class HedgeDelay {
  private readonly options: HedgeOptions
  private known = 0
  private left = 0

  constructor(options: HedgeOptions) {
    this.options = options
  }

  /** Milliseconds; 0 = not known yet. */
  ms(peers: readonly Peer[]): number {
    const { afterMs, quantile } = this.options
    if (quantile === 0) return afterMs
    if (this.left-- <= 0 || this.known === 0) this.look(peers)
    return this.known
  }

  /** The median of the peers' percentiles: that of all answers would be the slow peer's own, and help nobody. Of two the faster one. */
  private look(peers: readonly Peer[]): void {
    this.left = EVERY
    const known = peers.map(peer => peer.gate?.quantile?.ms ?? 0).filter(ms => ms > 0)
    if (known.length === 0) return
    known.sort((a, b) => a - b)
    this.known = Math.max(this.options.afterMinMs, known[(known.length - 1) >> 1]!)
  }
}
