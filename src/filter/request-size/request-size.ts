import { z } from "zod"
import { count, FAULT, type Fault, formatSize, maybe, size } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Plan, type Verdict } from "../../flow/index.ts"
import { BODY_LENGTH, BODY_NONE } from "../../http/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { placeWord } from "../keyed/place-word.ts"

const options = z
  .strictObject({
    headBytesMax: maybe(size({ min: 64 }), "Octets of the header section."),
    fieldsMax: maybe(count(1, 10_000), "Header fields."),
    fieldBytesMax: maybe(size({ min: 16 }), "Octets of one header field, its name included."),
    targetBytesMax: maybe(size({ min: 1 }), "Octets of path and query together."),
    queryBytesMax: maybe(size(), "Octets of the query, its question mark included; 0 = there may be none."),
    parametersMax: maybe(count(0, 100_000), "Parameters of the query."),
    bodyBytesMax: maybe(size(), "Octets of the body; 0 = there may be none. The stricter one of this and the route's or listener's counts."),
  })
  .refine(limits => Object.values(limits).some(value => value !== null), { error: "expected at least one limit, such as headBytesMax: 8KB" })

type Options = z.output<typeof options>

// The request has been read to the end of its head, so that the connection can go on.
const targetTooLong: Fault = { ...FAULT.targetTooLong, close: false }
const fieldsTooLarge: Fault = { ...FAULT.fieldsTooLarge, close: false }

class RequestSize {
  private readonly limits: Options
  private readonly refused: { add(n: number): void }
  /** Plans that differ from the route's in the size of a body alone. */
  private readonly plans = new WeakMap<Plan, Plan>()

  constructor(limits: Options, deps: FilterDeps) {
    this.limits = limits
    this.refused = deps.counter(`request_size_refused_${placeWord(deps.place)}`, "Requests that were too large.")
  }

  access(x: Exchange): Verdict {
    const fault = this.targetFault(x) ?? this.fieldsFault(x) ?? this.bodyFault(x)
    if (fault === null) return NEXT
    this.refused.add(1)
    x.fault = fault
    return FAULT_VERDICT
  }

  private targetFault({ path, query }: Exchange): Fault | null {
    const { targetBytesMax, queryBytesMax, parametersMax } = this.limits
    if (targetBytesMax !== null && path.length + query.length > targetBytesMax) return targetTooLong
    if (queryBytesMax !== null && query.length > queryBytesMax) return targetTooLong
    return parametersMax !== null && parametersOf(query) > parametersMax ? targetTooLong : null
  }

  private fieldsFault({ request }: Exchange): Fault | null {
    const { headBytesMax, fieldsMax, fieldBytesMax } = this.limits
    const { count: fields, spans } = request
    if (fieldsMax !== null && fields > fieldsMax) return fieldsTooLarge
    if (headBytesMax !== null && fields > 0 && request.end - spans[0]! > headBytesMax) return fieldsTooLarge
    if (fieldBytesMax !== null) for (let i = 0; i < fields; i++) if (spans[i * 4 + 3]! - spans[i * 4]! > fieldBytesMax) return fieldsTooLarge
    return null
  }

  /** A length that is known is judged now; one that is not by the pump, which asks the plan. */
  private bodyFault(x: Exchange): Fault | null {
    const most = this.limits.bodyBytesMax
    if (most === null || x.requestBody === BODY_NONE) return null
    if (most === 0 || x.requestBytes > most) return x.requestBody === BODY_LENGTH && x.requestLength === 0 ? null : FAULT.bodyTooLarge
    if (x.requestBody === BODY_LENGTH && x.requestLength > most) return FAULT.bodyTooLarge
    const plan = x.plan!
    if (plan.bodyBytesMax === 0 || plan.bodyBytesMax > most) x.plan = this.planWith(plan, most)
    return null
  }

  private planWith(plan: Plan, bodyBytesMax: number): Plan {
    const known = this.plans.get(plan)
    if (known !== undefined) return known
    const made = { ...plan, bodyBytesMax }
    this.plans.set(plan, made)
    return made
  }
}

function parametersOf(query: string): number {
  if (query.length < 2) return 0
  let parameters = 1
  for (let at = query.indexOf("&"); at >= 0; at = query.indexOf("&", at + 1)) parameters++
  return parameters
}

function describe(limits: Options): string {
  return Object.entries(limits)
    .flatMap(([name, value]) => (value === null ? [] : [`${name} ${name.includes("Bytes") ? formatSize(value) : value}`]))
    .join(", ")
}

export default defineFilter({
  name: "request-size",
  summary: "Refuses requests of a route that are too large: target or query (414), header fields (431), body (413).",
  options,
  build(limits, deps) {
    const filter = new RequestSize(limits, deps)
    return { access: x => filter.access(x), describe: () => describe(limits) }
  },
})
