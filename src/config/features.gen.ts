// Written by tools/gen.ts: every feature folder of every kind. Do not edit; run `npm run gen`.
import type { BalancerDefinition, FilterDefinition, HealthCheckDefinition, LogFormatDefinition, MatcherDefinition } from "../plugin/index.ts"
import balanceLeastRequests from "../upstream/balance/least-requests/least-requests.ts"
import balancePowerOfTwo from "../upstream/balance/power-of-two/power-of-two.ts"
import balanceRandom from "../upstream/balance/random/random.ts"
import balanceRoundRobin from "../upstream/balance/round-robin/round-robin.ts"

/** Keys under `match:`. */
export const matchers: readonly MatcherDefinition<unknown>[] = []

/** Keys under `filters:`. */
export const filters: readonly FilterDefinition<unknown>[] = []

/** Words and keys under `balance:`. */
export const balancers: readonly BalancerDefinition<unknown>[] = [
  balanceLeastRequests,
  balancePowerOfTwo,
  balanceRandom,
  balanceRoundRobin,
]

/** Keys under `health:`. */
export const healthChecks: readonly HealthCheckDefinition<unknown>[] = []

/** Words and keys under `accessLog: format:`. */
export const logFormats: readonly LogFormatDefinition<unknown>[] = []
