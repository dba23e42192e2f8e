// Written by tools/gen.ts: every feature folder of every kind. Do not edit; run `npm run gen`.
import type { BalancerDefinition, FilterDefinition, HealthCheckDefinition, LogFormatDefinition, MatcherDefinition } from "../plugin/index.ts"

/** Keys under `match:`. */
export const matchers: readonly MatcherDefinition<unknown>[] = []

/** Keys under `filters:`. */
export const filters: readonly FilterDefinition<unknown>[] = []

/** Words and keys under `balance:`. */
export const balancers: readonly BalancerDefinition<unknown>[] = []

/** Keys under `health:`. */
export const healthChecks: readonly HealthCheckDefinition<unknown>[] = []

/** Words and keys under `accessLog: format:`. */
export const logFormats: readonly LogFormatDefinition<unknown>[] = []
