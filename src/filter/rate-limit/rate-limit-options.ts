import { z } from "zod"
import { AddressError, CidrSet, count, duration, field, listOf, maybe, nameSchema } from "../../base/index.ts"
import { keyMeaning, keySchema } from "../keyed/limit-key.ts"

const algorithmSchema = z.enum(["sliding-window", "token-bucket", "fixed-window"])

/** The parts of one limit. Each is optional here: which must be there is the limit's own rule. */
const limitShape = {
  requests: maybe(count(1, 1_000_000_000), "Requests that a key may make in `per`."),
  per: maybe(duration({ min: 10 }), "The period, such as 1s or 1m."),
  burst: maybe(
    count(1, 1_000_000),
    "Requests that may come at once; then as many as the rate gives. Makes the limit a token bucket. Default: `requests`; 1 with `delay`.",
  ),
  algorithm: maybe(
    algorithmSchema,
    "sliding-window (the default): never more than `requests` in any window of `per`. token-bucket (the default with `burst` or `delay`): a bucket of `burst` that fills evenly. fixed-window: counted anew at each multiple of `per`.",
  ),
  delay: maybe(duration({ min: 1, max: 60_000 }), "Requests that come too soon wait for their turn, up to so long, instead of being refused."),
  key: field(keySchema, "client", keyMeaning),
  withoutKey: field(
    z.enum(["pass", "limit"]),
    "pass",
    "Requests without a key are not limited (pass), or all of them together are like one key (limit).",
  ),
  zone: maybe(
    nameSchema,
    "Filters whose limits name the same zone count together, where period and algorithm are the same too. Default: a zone of its own.",
  ),
  keysMax: field(count(1, 4_000_000), 100_000, "Keys that are counted at a time; beyond them the longest idle is forgotten. 150 octets each."),
  name: maybe(
    z.string().regex(/^[A-Za-z0-9._:-]{1,32}$/, "expected up to 32 letters, digits and . _ : -"),
    "Name of the limit in RateLimit fields. Default: its period.",
  ),
}

const limitSchema = z.strictObject(limitShape).superRefine(checkLimit)

type RawLimit = z.output<z.ZodObject<typeof limitShape>>

export type Algorithm = z.output<typeof algorithmSchema>

/** One limit with everything said. */
export interface LimitOptions extends RawLimit {
  readonly requests: number
  readonly per: number
  readonly algorithm: Algorithm
  readonly burst: number
}

const rangesSchema = listOf(z.string().superRefine(checkRange))

const restShape = {
  limits: maybe(
    z.array(limitSchema).min(1).max(16),
    "Several limits, all of which must let a request through. Instead of `requests` and what belongs to it.",
  ),
  cost: field(count(1, 1_000_000), 1, "What a request counts."),
  exempt: field(rangesSchema.or(z.array(z.never())), [], "Client addresses that are not limited: ranges such as 10.0.0.0/8, or one."),
  status: field(count(400, 599), 429, "Status of the refusal."),
  dryRun: field(z.boolean(), false, "Refuses nothing and delays nothing, and counts what would have been."),
  fields: field(
    z.enum(["standard", "legacy", "both", "off"]),
    "standard",
    "Fields that tell the client its quota: RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), X-RateLimit-Limit, -Remaining and -Reset, both or none.",
  ),
  waitersMax: field(count(1, 100_000), 1000, "Requests that wait for their turn in one worker; more are refused."),
}

/** Schema of the filter's options: one limit among the other options, or a list of them under `limits`. */
export const optionsSchema = z
  .strictObject({ ...limitShape, ...restShape })
  .superRefine((options, context) => {
    if (options.limits === null) checkLimit(options, context)
    else if (options.requests !== null || options.per !== null || options.burst !== null || options.delay !== null)
      context.addIssue({ code: "custom", path: ["limits"], message: "expected either one limit (requests, per …) or a list of limits, not both" })
    for (const limit of options.limits ?? [options])
      if (options.cost > (limit.burst ?? limit.requests ?? options.cost))
        context.addIssue({ code: "custom", path: ["cost"], message: "no request would ever be let through: it costs more than the limit holds" })
  })
  .transform(({ cost, exempt, status, dryRun, fields, waitersMax, limits, ...limit }) => ({
    limits: (limits ?? [limit]).map(complete),
    cost,
    exempt,
    status,
    dryRun,
    fields,
    waitersMax,
  }))

export type RateLimitOptions = z.output<typeof optionsSchema>

function complete(limit: RawLimit): LimitOptions {
  const requests = limit.requests!
  const algorithm = limit.algorithm ?? (limit.burst === null && limit.delay === null ? "sliding-window" : "token-bucket")
  return { ...limit, requests, per: limit.per!, algorithm, burst: limit.burst ?? (limit.delay === null ? requests : 1) }
}

function checkLimit({ requests, per, burst, delay, algorithm }: RawLimit, context: z.core.$RefinementCtx): void {
  const issue = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message })
  if (requests === null) issue("requests", "expected a number of requests, such as requests: 100")
  if (per === null) issue("per", "expected a period, such as per: 1s")
  if (algorithm === null || algorithm === "token-bucket") return
  if (burst !== null) issue("burst", `burst is for token-bucket; a ${algorithm} lets ${requests ?? "its requests"} come at once`)
  if (delay !== null) issue("delay", `delay is for token-bucket; a ${algorithm} does not say when the next one may come`)
}

function checkRange(text: string, context: z.core.$RefinementCtx): void {
  try {
    CidrSet.parse([text])
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
}
