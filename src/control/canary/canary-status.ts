import type { CanaryEvent, CanaryRun, CanaryState } from "./canary-run.ts"
import { quantileMs } from "./latency-test.ts"

/** One split of GET /canary. Shares from 0 to 1, times in milliseconds. */
export interface CanaryStatus {
  readonly route: string
  readonly state: CanaryState
  readonly arms: readonly ArmStatus[]
  /** The arm that commands move. */
  readonly canary: string
  readonly auto: boolean
  /** The next step, null = there is none. */
  readonly next: number | null
  /** How long the share has been what it is. */
  readonly sinceMs: number
  readonly everyMs: number
  readonly verdict: string
  readonly why: string
  /** Chances, at most, of what was seen if the canary is no worse; null = not tested. */
  readonly p: { readonly errors: number | null; readonly latency: number | null }
  readonly events: readonly CanaryEvent[]
}

export interface ArmStatus {
  readonly name: string
  readonly cluster: string
  readonly share: number
  /** Since the split was configured; those that the request itself sent there are counted by themselves. */
  readonly requests: number
  readonly failures: number
  readonly forced: number
  readonly medianMs: number
  readonly slowestPercentMs: number
}

export function statusOf(run: CanaryRun, now: number): CanaryStatus {
  const { split, trial, judgement } = run
  const shares = run.shares.now()
  return {
    route: run.route,
    state: run.state,
    arms: split.arms.map(({ name, cluster }, arm): ArmStatus => {
      const { requests, failures, forced, latency } = run.tallies[arm]!.total
      return {
        name,
        cluster,
        share: shares[arm]!,
        requests,
        failures,
        forced,
        medianMs: quantileMs(latency, 0.5),
        slowestPercentMs: quantileMs(latency, 0.99),
      }
    }),
    canary: split.arms[split.canaryArm]!.name,
    auto: split.canary?.auto ?? false,
    next: run.isRunning ? run.next : null,
    sinceMs: Math.round(now - run.since),
    everyMs: split.canary?.every ?? 0,
    verdict: run.isRunning && trial !== null ? judgement.verdict : "",
    why: run.isRunning && trial !== null ? judgement.why : (run.events.at(-1)?.what ?? ""),
    p: trial === null ? { errors: null, latency: null } : trial.p,
    events: run.events,
  }
}
