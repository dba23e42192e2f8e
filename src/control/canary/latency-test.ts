import { bucketEndMs, bucketsFor, LATENCY_BUCKETS } from "../../config/index.ts"
import { RateTest } from "./rate-test.ts"

export const QUANTILES = [0.5, 0.9, 0.99] as const
/** Answers of stable that must be known before anybody is called slow. */
const KNOWN_MIN = 50

/**
 * A sequential test of "the canary's answers take no more than `ratio` times as long as stable's". Slow is, in stable, what takes longer than its answers before took at a
 * quantile, and in the canary what takes `ratio` times as long as that. If the canary is within its ratio, no larger part of its answers is slow than of stable's: a test of two
 * rates. The limit is taken from what was there before each look, so that what is judged does not choose it. Three quantiles are tested; the mean of the evidence is evidence.
 */
export class LatencyTest {
  private readonly tests = QUANTILES.map(() => new RateTest())
  private readonly further: number
  private readonly known: Float64Array
  private knownCount = 0
  private most = 1

  /** `before`: stable's latencies until now. */
  constructor(ratio: number, before: ArrayLike<number>) {
    this.further = bucketsFor(ratio)
    this.known = Float64Array.from(before)
    for (const n of this.known) this.knownCount += n
  }

  look(stable: ArrayLike<number>, canary: ArrayLike<number>): void {
    if (this.knownCount >= KNOWN_MIN) {
      for (const [k, quantile] of QUANTILES.entries()) {
        const limit = bucketAt(this.known, this.knownCount, quantile)
        this.tests[k]!.look(tallyOf(stable, limit), tallyOf(canary, limit + this.further))
      }
      this.most = Math.max(this.most, this.tests.reduce((sum, test) => sum + test.evidence, 0) / this.tests.length)
    }
    for (let i = 0; i < LATENCY_BUCKETS; i++) {
      this.known[i]! += stable[i]!
      this.knownCount += stable[i]!
    }
  }

  get p(): number {
    return 1 / this.most
  }

  /** The quantile that says the most against the canary. */
  get worst(): number {
    let worst = 0
    for (const [k, test] of this.tests.entries()) if (test.evidence > this.tests[worst]!.evidence) worst = k
    return QUANTILES[worst]!
  }
}

function tallyOf(latency: ArrayLike<number>, limit: number): { requests: number; bad: number } {
  let requests = 0
  let bad = 0
  for (let i = 0; i < latency.length; i++) {
    requests += latency[i]!
    if (i > limit) bad += latency[i]!
  }
  return { requests, bad }
}

function bucketAt(latency: ArrayLike<number>, count: number, quantile: number): number {
  let seen = 0
  for (let i = 0; i < latency.length; i++) {
    seen += latency[i]!
    if (seen >= count * quantile) return i
  }
  return latency.length - 1
}

/** A quantile in milliseconds, the end of its bucket; 0 when there is nothing. */
export function quantileMs(latency: ArrayLike<number>, quantile: number): number {
  let count = 0
  for (let i = 0; i < latency.length; i++) count += latency[i]!
  return count === 0 ? 0 : bucketEndMs(bucketAt(latency, count, quantile))
}
