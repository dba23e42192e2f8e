import { z } from "zod"
import { duration, ratio } from "../../base/index.ts"
import { healthChecks } from "../features.gen.ts"
import { choices } from "./choice.ts"
import { count, field, off } from "../../base/index.ts"

const scheduleShape = {
  every: field(duration({ min: 10 }), "5s", "From the start of one probe to the start of the next."),
  timeout: field(duration({ min: 1 }), "2s", "A probe that takes longer has failed."),
  rise: field(count(1, 100), 2, "Successes in a row that bring a peer up."),
  fall: field(count(1, 100), 3, "Failures in a row that take a peer down."),
  jitter: field(ratio(), 0.1, "Share of `every` by which probes are spread at random."),
}

const scheduleSchema = z.object(scheduleShape)

/** An active check: when it probes, and the options of its kind. Times in milliseconds. */
export type ActiveHealthConfig = z.output<typeof scheduleSchema> & {
  /** Name of the health check's definition. */
  readonly name: string
  readonly options: unknown
}

const comparisonShape = {
  requestsMin: field(count(1, 1_000_000), 50, "Requests in the interval that a peer must have had to be compared."),
  hostsMin: field(count(2, 1000), 3, "Peers with as many that there must be."),
}

const successRateSchema = z.strictObject({
  stdevs: field(z.number().min(0.1).max(100), 1.9, "Standard deviations below the mean of the peers' success rates that eject."),
  ...comparisonShape,
  hostsMin: field(count(3, 1000), 5, "Peers with as many that there must be: of few peers one cannot be far from the mean."),
})

const failureShareSchema = z.strictObject({
  share: field(ratio(), 0.5, "Share of failed requests that ejects."),
  ...comparisonShape,
  hostsMin: field(count(1, 1000), 2, "Peers with as many that there must be."),
})

const latencySchema = z.strictObject({
  times: field(z.number().min(1.1).max(1000), 5, "How many times as long as the median peer's its answers take."),
  floor: field(duration(), "100ms", "Who answers faster than this is never slow."),
  ...comparisonShape,
})

const passiveSchema = z.strictObject({
  failures: field(count(1, 1_000_000), 5, "Failed requests in a row that eject a peer."),
  eject: field(duration({ min: 1 }), "10s", "First ejection; doubles each time it happens again."),
  ejectMax: field(duration({ min: 1 }), "5m", "Longest ejection."),
  ejectedShareMax: field(ratio(), 0.5, "Share of the peers that may be ejected at the same time."),
  counts: field(z.enum(["5xx", "gateway"]), "5xx", "What counts as a failure beside no answer: every 5xx, or 502, 503 and 504 only."),
  interval: field(duration({ min: 500, max: 3_600_000 }), "10s", "How often peers are compared with each other."),
  successRate: field(z.union([off, successRateSchema]), "off", "Ejects a peer whose success rate is far below the mean."),
  failureShare: field(z.union([off, failureShareSchema]), "off", "Ejects a peer too many of whose requests fail."),
  latency: field(z.union([off, latencySchema]), "off", "Ejects a peer that is far slower than the median one."),
})

export type PassiveHealthConfig = z.output<typeof passiveSchema>

export interface HealthConfig {
  /** Probes in the background; null = none. */
  readonly active: ActiveHealthConfig | null
  /** Watches the traffic itself; null = off. */
  readonly passive: PassiveHealthConfig | null
}

/** The options of a health check together with its schedule, which every kind has. */
function withSchedule(name: string, options: z.ZodType): z.ZodType {
  const inner = objectOf(options)
  if (inner === null) throw new TypeError(`health check ${name}: its options must be an object schema`)
  const own = Object.keys(inner.shape)
  return z.strictObject({ ...scheduleShape, ...inner.shape }).transform((all): ActiveHealthConfig => {
    const fields = all as Record<string, unknown>
    return { ...scheduleOf(fields), name, options: Object.fromEntries(own.map(key => [key, fields[key]])) }
  })
}

function scheduleOf(fields: Record<string, unknown>): z.output<typeof scheduleSchema> {
  return Object.fromEntries(Object.keys(scheduleShape).map(key => [key, fields[key]])) as z.output<typeof scheduleSchema>
}

/** The object schema inside defaults and the like, or null. */
function objectOf(schema: z.ZodType): z.ZodObject | null {
  if (schema instanceof z.ZodObject) return schema
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
    return objectOf(schema.unwrap() as z.ZodType)
  return null
}

const passiveChoice = field(z.union([off, passiveSchema]), {}, "Ejects peers that fail real requests. off = never.")

const shape: Record<string, z.ZodType> = {
  ...Object.fromEntries(healthChecks.map(check => [check.name, withSchedule(check.name, check.options).describe(check.summary)])),
  passive: passiveChoice,
}

export const healthSchema = choices("health check", shape).transform((entries, context): HealthConfig => {
  const active = entries.filter(entry => entry.name !== "passive")
  if (active.length > 1) {
    context.issues.push({
      code: "custom",
      input: entries,
      message: `expected one active health check, got ${active.length}: ${active.map(entry => entry.name).join(", ")}`,
    })
    return z.NEVER
  }
  const passive = entries.find(entry => entry.name === "passive")
  return {
    active: (active[0]?.options as ActiveHealthConfig | undefined) ?? null,
    passive: passive ? (passive.options as PassiveHealthConfig | null) : passiveSchema.parse({}),
  }
})
