// HOT
/** Samples below which a quantile is not known. */
const SAMPLES_MIN = 20
/** How far one sample moves the estimate, in powers of two. */
const STEP = 0.2

/**
 * A quantile of the latencies of one peer, by stochastic approximation: a sample above the estimate moves it up by the quantile's share of a step,
 * one below moves it down by the rest. Works on the logarithm, so that microseconds and seconds are found equally fast; forgets as it goes.
 */
export class LatencyQuantile {
  private readonly share: number
  private log = 0
  private count = 0

  /** `share` is 0.95 for the 95th percentile. */
  constructor(share: number) {
    this.share = share
  }

  add(ms: number): void {
    const log = Math.log2(ms > 0.05 ? ms : 0.05)
    this.count++
    if (this.count === 1) this.log = log
    // The first ones move it further: it has begun with any of them.
    const step = this.count < SAMPLES_MIN * 2 ? STEP * 3 : STEP
    this.log += log > this.log ? step * this.share : -step * (1 - this.share)
  }

  /** Milliseconds; 0 = not known yet. */
  get ms(): number {
    return this.count < SAMPLES_MIN ? 0 : 2 ** this.log
  }
}
