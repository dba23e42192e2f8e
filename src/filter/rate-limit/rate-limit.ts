import { CidrSet, FAULT, type Fault, formatDuration, SharedTime } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "../../flow/index.ts"
import { defineFilter, type Filter, type FilterDeps } from "../../plugin/index.ts"
import { DelayQueue } from "../keyed/delay-queue.ts"
import { OVER } from "../keyed/meter.ts"
import { placeWord } from "../keyed/place-word.ts"
import { Limit } from "./limit.ts"
import { type LimitOptions, optionsSchema, type RateLimitOptions } from "./rate-limit-options.ts"
import { QuotaFields } from "./quota-fields.ts"

class RateLimit {
  private readonly limits: readonly Limit[]
  private readonly fault: Fault
  private readonly exempt: CidrSet | null
  private readonly dryRun: boolean
  private readonly queue: DelayQueue
  private readonly limited: { add(n: number): void }
  private readonly delayed: { add(n: number): void }
  private readonly exempted: { add(n: number): void }

  constructor(options: RateLimitOptions, deps: FilterDeps) {
    const word = placeWord(deps.place)
    const time = new SharedTime(deps.time.clock)
    const evictions = deps.counter(
      `rate_limit_evicted_${word}`,
      "Keys of a rate limit that were forgotten because others came and keysMax was reached.",
    )
    this.limits = options.limits.map((limit, i) => new Limit(limit, { cost: options.cost, place: `${deps.place}/${i}`, time, deps, evictions }))
    this.fault = options.status === FAULT.rateLimited.status ? FAULT.rateLimited : { ...FAULT.rateLimited, status: options.status }
    this.exempt = options.exempt.length === 0 ? null : CidrSet.parse(options.exempt)
    this.dryRun = options.dryRun
    this.queue = new DelayQueue(deps.time, options.waitersMax)
    const would = options.dryRun ? " Only counted: the limit is a dry run." : ""
    this.limited = deps.counter(`rate_limit_limited_${word}`, `Requests over a rate limit.${would}`)
    this.delayed = deps.counter(`rate_limit_delayed_${word}`, `Requests that had to wait for their turn.${would}`)
    this.exempted = deps.counter(`rate_limit_exempt_${word}`, "Requests that a rate limit does not look at, by their address.")
  }

  access(x: Exchange): Verdict {
    if (this.exempt?.has(x.clientAddress)) {
      this.exempted.add(1)
      return NEXT
    }
    const { limits } = this
    let wait = 0
    for (let i = 0; i < limits.length; i++) {
      const verdict = limits[i]!.take(x)
      if (verdict === OVER) return this.refuse(x, i)
      if (verdict > wait) wait = verdict
    }
    return wait > 0 ? this.delay(x, wait) : NEXT
  }

  /** What the limits before have taken is given back: a request that is refused costs nothing. */
  private refuse(x: Exchange, by: number): Verdict {
    this.limited.add(1)
    if (this.dryRun) return NEXT
    for (let i = 0; i < by; i++) this.limits[i]!.giveBack(x)
    return this.fail(x, this.limits[by]!.retryMs)
  }

  private fail(x: Exchange, retryMs: number): Verdict {
    x.fault = this.fault
    x.replyFields = `Retry-After: ${Math.max(1, Math.ceil(retryMs / 1000))}\r\n`
    return FAULT_VERDICT
  }

  private delay(x: Exchange, ms: number): Verdict {
    this.delayed.add(1)
    if (this.dryRun) return NEXT
    if (this.queue.full) {
      for (const limit of this.limits) limit.giveBack(x)
      this.limited.add(1)
      return this.fail(x, ms)
    }
    this.queue.hold(x, ms)
    return WAIT
  }

  get quota(): readonly Limit[] {
    return this.limits
  }
}

function describe({ limits, cost, exempt, dryRun }: RateLimitOptions): string {
  const text = limits.map(describeLimit).join(", ")
  const rest = [cost === 1 ? "" : `cost ${cost}`, exempt.length === 0 ? "" : `not for ${exempt.join(", ")}`, dryRun ? "dry run" : ""]
  return [text, ...rest.filter(part => part !== "")].join("; ")
}

function describeLimit({ requests, per, algorithm, burst, delay, key, zone }: LimitOptions): string {
  const bucket = algorithm === "token-bucket" ? `, ${burst} at once` : ""
  const waits = delay === null ? "" : `, waiting up to ${formatDuration(delay)}`
  return `${requests} in ${formatDuration(per)} (${algorithm}${bucket}${waits}) by ${key}${zone === null ? "" : ` in zone ${zone}`}`
}

export default defineFilter({
  name: "rate-limit",
  raw: true,
  summary:
    "Lets each client, user or other key make so many requests in a time, counted over all workers; refuses the rest with 429 or makes it wait.",
  options: optionsSchema,
  build(options, deps): Filter {
    const filter = new RateLimit(options, deps)
    const access = (x: Exchange): Verdict => filter.access(x)
    if (options.fields === "off") return { access, describe: () => describe(options) }
    const fields = new QuotaFields(filter.quota, options.fields)
    return { access, response: x => fields.add(x), describe: () => describe(options) }
  },
})
