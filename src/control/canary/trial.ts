import type { CanaryConfig } from "../../config/index.ts"
import { addSums, type ArmSum, emptySum } from "./arm-tally.ts"
import { LatencyTest, quantileMs } from "./latency-test.ts"
import { RateTest } from "./rate-test.ts"

/** Requests, and the part of them that fails, from which on a canary is plainly broken and nobody waits for more. */
const BROKEN_MIN = 10
const BROKEN_SHARE = 0.5
/** With less than this chance of being as good, a canary is not given more, though it is not rolled back yet. */
const DOUBT = 0.1

/** What a trial says: `worse` = roll back; `wait` = not yet; `good` = as far as this goes. */
export interface Judgement {
  readonly verdict: "worse" | "wait" | "good"
  /** With the numbers. */
  readonly why: string
}

/**
 * One test of a canary, which begins with a step, or when the one before has lasted for its window. Of the chance `alpha` of a false alarm that a whole run may have, the
 * n-th trial has 6/(π·n)², of which all together come to 1; and in each of them errors and latency share it.
 */
export class Trial {
  stable: ArmSum = emptySum()
  canary: ArmSum = emptySum()
  private readonly errors: RateTest | null
  private readonly latency: LatencyTest | null
  private readonly alpha: number
  private readonly analysis: CanaryConfig["analysis"]

  /** `number` counts the trials of a run from 1; `before` is what stable did until now. */
  constructor(analysis: CanaryConfig["analysis"], number: number, before: ArmSum) {
    this.analysis = analysis
    this.errors = analysis.errors === null ? null : new RateTest()
    this.latency = analysis.latency === null ? null : new LatencyTest(analysis.latency.ratio, before.latency)
    const tests = (this.errors === null ? 0 : 1) + (this.latency === null ? 0 : 1)
    this.alpha = (analysis.alpha * 6) / (Math.PI * number) ** 2 / Math.max(1, tests)
  }

  /** What has come since the last look. */
  look(stable: ArmSum, canary: ArmSum): void {
    this.errors?.look({ requests: stable.requests, bad: stable.failures }, { requests: canary.requests, bad: canary.failures })
    this.latency?.look(stable.latency, canary.latency)
    this.stable = addSums(this.stable, stable)
    this.canary = addSums(this.canary, canary)
  }

  /** Chances, at most, of what was seen if the canary is no worse; null = not tested. */
  get p(): { readonly errors: number | null; readonly latency: number | null } {
    return { errors: this.errors?.p ?? null, latency: this.latency?.p ?? null }
  }

  judge(): Judgement {
    const { stable, canary, analysis } = this
    const failed = this.judgeErrors()
    if (failed !== null) return failed
    const few = [
      { name: "the canary", sum: canary },
      { name: "stable", sum: stable },
    ].find(({ sum }) => sum.requests < analysis.samplesMin)
    if (few !== undefined)
      return { verdict: "wait", why: `${few.name} has ${requestsText(few.sum.requests)} of the ${number(analysis.samplesMin)} that a verdict needs` }
    const slow = this.judgeLatency()
    if (slow !== null) return slow
    const { errors, latency } = this.p
    if ((errors ?? 1) < DOUBT && !this.isForgiven) return { verdict: "wait", why: `in doubt: ${this.errorsText()}` }
    if ((latency ?? 1) < DOUBT) return { verdict: "wait", why: `in doubt: ${this.latencyText()}` }
    return {
      verdict: "good",
      why:
        [errors === null ? "" : this.errorsText(), latency === null ? "" : this.latencyText()].filter(text => text !== "").join("; ") ||
        "nothing is compared",
    }
  }

  /** However sure it may be, the difference in failures is too small to matter. */
  private get isForgiven(): boolean {
    return rate(this.canary) - rate(this.stable) < (this.analysis.errors?.difference ?? 0)
  }

  private judgeErrors(): Judgement | null {
    const { stable, canary, analysis, errors } = this
    if (errors === null || analysis.errors === null || errors.p > this.alpha) return null
    const isBroken = canary.requests >= BROKEN_MIN && rate(canary) >= BROKEN_SHARE
    const isEnough = Math.min(canary.requests, stable.requests) >= analysis.samplesMin
    if (!(isBroken || isEnough) || this.isForgiven) return null
    return { verdict: "worse", why: this.errorsText() }
  }

  private judgeLatency(): Judgement | null {
    return this.latency === null || this.latency.p > this.alpha ? null : { verdict: "worse", why: this.latencyText() }
  }

  private errorsText(): string {
    return `canary ${failuresText(this.canary)}, stable ${failuresText(this.stable)}, ${chance(this.errors!.p)}`
  }

  private latencyText(): string {
    const { worst, p } = this.latency!
    const at = (sum: ArmSum): string => `${quantileMs(sum.latency, worst).toPrecision(3)} ms`
    return `canary's ${Math.round(worst * 100)} % quantile ${at(this.canary)}, stable's ${at(this.stable)}, ${chance(p)}`
  }
}

function rate({ requests, failures }: ArmSum): number {
  return requests === 0 ? 0 : failures / requests
}

/** `12 of 80 requests failed (15 %)` */
function failuresText(sum: ArmSum): string {
  return `${number(sum.failures)} of ${requestsText(sum.requests)} failed (${Number((rate(sum) * 100).toPrecision(2))} %)`
}

function requestsText(n: number): string {
  return `${number(n)} request${n === 1 ? "" : "s"}`
}

function number(n: number): string {
  return n.toLocaleString("en")
}

function chance(p: number): string {
  return p >= 1 ? "no sign of a difference" : `p at most ${p.toPrecision(2)}`
}
