/** How many times as often the canary may fail: the alternatives that are weighed against "no more often". A factor between two of them costs little. */
const RATIOS = [1.25, 1.6, 2, 3, 5, 10, 30, 100, 1000] as const

/** What one arm did between two looks: how many requests, and how many of them were bad. */
export interface Tally {
  readonly requests: number
  readonly bad: number
}

/**
 * A sequential test of "the canary is bad no more often than stable" that may be looked at after every request.
 *
 * Of the bad requests between two looks, as many fall to the canary as chance gives it: hypergeometric, when both arms are equally good (the condition of Fisher's exact
 * test). For a ratio r the likelihood ratio against that with replacement, r^x / (r·w + 1 - w)^n for x of n bad requests at the canary's part w of all requests, has an
 * expectation of 1 with replacement and, being convex in x, at most 1 without (Hoeffding 1963, theorem 4); where the canary is better it has less. So its product over looks,
 * and the mean of these products over some ratios, is a supermartingale that begins with 1: by Ville's inequality it comes to 1/alpha with a chance of alpha at most, however
 * often one looks. (Mixtures: Robbins 1970; for failures of canaries: Lindon and Malek, "Anytime-valid inference for multinomial count data", 2022.)
 */
export class RateTest {
  private readonly logs = new Float64Array(RATIOS.length)
  private most = 1

  look(stable: Tally, canary: Tally): void {
    const requests = stable.requests + canary.requests
    const bad = stable.bad + canary.bad
    if (bad === 0 || stable.requests === 0 || canary.requests === 0) return
    const part = canary.requests / requests
    let sum = 0
    for (const [k, ratio] of RATIOS.entries()) {
      this.logs[k]! += canary.bad * Math.log(ratio) - bad * Math.log(ratio * part + 1 - part)
      sum += Math.exp(Math.min(this.logs[k]!, 600))
    }
    this.evidence = sum / RATIOS.length
    this.most = Math.max(this.most, this.evidence)
  }

  /** How many times as likely what was seen is if the canary is worse; a bet that began with 1. */
  evidence = 1

  /** The chance of as much evidence at any time so far if the canary is no worse, at most. */
  get p(): number {
    return 1 / this.most
  }
}
