import { z } from "zod"
import { count, duration, field, off, parseDuration, ratio } from "../../base/index.ts"

const limitsShape = {
  requestsMax: field(count(0, 10_000_000), 0, "Requests in flight, exact over all workers; 0 = no limit. A tunnel that stands does not count."),
  pendingMax: field(count(0, 10_000_000), 0, "Requests without a connection: they dial, or wait in a pool; 0 = no limit."),
  retriesMax: field(count(0, 10_000_000), 0, "Requests in flight that have been sent again; 0 = no limit beside retry.budget."),
  failureShare: field(z.union([off, ratio()]), "off", "Share of failed attempts in the window at which it opens; off = it never does."),
  window: field(duration({ min: 500, max: 600_000 }), "10s", "Time over which the share is taken."),
  requestsMin: field(count(1, 1_000_000), 20, "Attempts in the window below which it does not open."),
  open: field(duration({ min: 100, max: 3_600_000 }), "5s", "How long it is open before trials are let through."),
  trials: field(count(1, 1000), 3, "Trials that must all go well to close it."),
  counts: field(z.enum(["5xx", "gateway"]), "5xx", "What counts as a failure beside no answer: every 5xx, or 502, 503 and 504 only."),
}

const peerBreakerSchema = z.strictObject(limitsShape)

const breakerSchema = z.strictObject({
  ...limitsShape,
  peer: field(z.union([off, peerBreakerSchema]), "off", "The same for each peer."),
})

export type BreakerConfig = z.output<typeof peerBreakerSchema>

const queueLongSchema = z.strictObject({
  lengthMax: field(count(1, 1_000_000), 1024, "Requests that may wait, over all workers."),
  timeout: field(duration({ min: 1 }), "2s", "Longest wait."),
  lowShareMax: field(ratio(), 0.5, "Share of lengthMax from which requests of low priority are refused."),
})

const queueSchema = z.union([
  off,
  duration({ min: 1 }).transform((timeout): z.output<typeof queueLongSchema> => ({ ...queueLongSchema.parse({}), timeout })),
  queueLongSchema,
])

const adaptiveSchema = z.strictObject({
  start: field(count(1, 1_000_000), 16, "Requests without an answer that there may be at the start, over all workers."),
  min: field(count(1, 1_000_000), 4, "Least limit."),
  max: field(count(1, 1_000_000), 1000, "Greatest limit."),
  tolerance: field(z.number().min(1).max(100), 2, "How many times the latency of the cluster at rest is still right."),
  window: field(duration({ min: 100, max: 60_000 }), "500ms", "How often the limit is set."),
  probe: field(duration({ min: 1000, max: 3_600_000 }), "30s", "How often the limit is halved for one window to measure the latency at rest."),
})

/** When a second attempt goes out: after a fixed time, or when an answer takes longer than this share of them. */
export type HedgeAfter = { readonly ms: number; readonly quantile: number }

const afterSchema = z
  .union([z.string(), z.number()])
  .transform((input, context): HedgeAfter => {
    const percentile = typeof input === "string" ? /^p(\d{2}(?:\.\d{1,2})?)$/.exec(input.trim()) : null
    if (percentile !== null && Number(percentile[1]) >= 50) return { ms: 0, quantile: Number(percentile[1]) / 100 }
    const ms = parseDuration(input)
    if (ms !== null && ms > 0) return { ms, quantile: 0 }
    context.issues.push({
      code: "custom",
      input,
      message: `expected a duration such as 100ms or a percentile such as p95, got ${JSON.stringify(input)}`,
    })
    return z.NEVER
  })
  .meta({ title: "duration or percentile" })

const hedgeLongSchema = z.strictObject({
  after: field(
    afterSchema,
    "p95",
    "Time without an answer, or the percentile of the answers' times (p50 to p99.99), after which a second attempt goes to another peer.",
  ),
  afterMin: field(duration({ min: 1, max: 60_000 }), "20ms", "Least time where it is a percentile."),
  shareMax: field(ratio(), 0.1, "Second attempts as a share of the requests; each is also taken from retry.budget."),
})

const hedgeSchema = z.union([
  off,
  afterSchema.transform((after): z.output<typeof hedgeLongSchema> => ({ ...hedgeLongSchema.parse({}), after })),
  hedgeLongSchema,
])

const shedLongSchema = z.strictObject({
  loopDelayMax: field(
    duration({ min: 1, max: 60_000 }),
    "100ms",
    "Delay of the worker's event loop from which requests of low priority are refused; normal ones from twice, high ones from four times as much.",
  ),
})

const shedSchema = z.union([
  off,
  duration({ min: 1, max: 60_000 }).transform((loopDelayMax): z.output<typeof shedLongSchema> => ({ loopDelayMax })),
  shedLongSchema,
])

const longSchema = z.strictObject({
  preset: field(
    z.enum(["none", "careful"]),
    "none",
    "What stands where nothing is said: nothing, or the values of the word `careful` (docs/resilience.md).",
  ),
  panicBelow: field(ratio(), 0, "When a smaller share of the peers is available, all of them get requests; 0 = never."),
  breaker: field(z.union([off, breakerSchema]), "off", "Limits of the cluster, and a breaker that opens when too many attempts fail."),
  queue: field(queueSchema, "off", "Where requests wait when a limit is reached, by priority of their route. Short: the longest wait."),
  adaptive: field(z.union([off, adaptiveSchema]), "off", "Finds by the latency how many requests the cluster can work on."),
  hedge: field(hedgeSchema, "off", "A second attempt beside one that is not answered; for idempotent methods. Short: p95, 100ms."),
  shed: field(shedSchema, "off", "Refuses less important requests while the worker has too much to do. Short: 100ms."),
})

export type ResilienceConfig = z.output<typeof longSchema>

/** A word for all of it, or the parts. */
export const resilienceSchema = z.union([
  z.enum(["none", "careful"]).transform((preset): ResilienceConfig => longSchema.parse({ preset })),
  longSchema,
])
