import { z } from "zod"
import { type Fault, FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "../../flow/index.ts"
import { defineFilter, type Filter, type FilterDefinition, type FilterDeps, type OptionProblem, type PhaseVerdict } from "../../plugin/index.ts"
import apiKey from "../api-key/api-key.ts"
import basicAuth from "../basic-auth/basic-auth.ts"
import { ClaimedNames } from "../claimed-names.ts"
import { fileProblems } from "../file-problems.ts"
import forwardAuth from "../forward-auth/forward-auth.ts"
import { parseHtpasswd } from "../htpasswd.ts"
import ipList from "../ip-list/ip-list.ts"
import jwt from "../jwt/jwt.ts"
import oidc from "../oidc/oidc.ts"
import requireCertificate from "../require-certificate/require-certificate.ts"

/**
 * What may be an alternative, in the order in which they are tried: what knows at once, and keeps what it read from going on, comes first. The last three
 * answer by themselves or go on by themselves, so that nothing can come behind them.
 */
const kinds = [ipList, requireCertificate, apiKey, jwt, basicAuth, forwardAuth, oidc] as const
const lastOnes: ReadonlySet<string> = new Set([basicAuth.name, forwardAuth.name, oidc.name])

type Kind = FilterDefinition<unknown>

/** One filter with its options, under its name. */
type Alternative = Readonly<Record<string, unknown>>

/** With a default for all of its options a key that is not written would be there. */
function written(schema: z.ZodType): z.ZodType {
  return (schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema).optional()
}

const alternative = z
  .strictObject(Object.fromEntries(kinds.map(({ name, options, summary }) => [name, written(options).describe(summary)])))
  .refine(said => Object.values(said).filter(one => one !== undefined).length === 1, "expected one filter")

const options: z.ZodType<readonly Alternative[]> = z
  .array(alternative)
  .min(2)
  .max(10)
  .refine(
    list => list.filter(one => lastOnes.has(nameOf(one))).length <= 1,
    `expected at most one of ${[...lastOnes].join(", ")}: nothing can be tried after it`,
  )

function nameOf(one: Alternative): string {
  return Object.keys(one).find(name => one[name] !== undefined)!
}

function kindOf(one: Alternative): Kind {
  return kinds.find(kind => kind.name === nameOf(one)) as unknown as Kind
}

/** The same handles at another place. */
function depsAt(deps: FilterDeps, place: string): FilterDeps {
  return {
    place,
    time: deps.time,
    slot: () => deps.slot(),
    counter: (name, help) => deps.counter(name, help),
    shared: (key, bytes) => deps.shared(key, bytes),
    cluster: name => deps.cluster(name),
    limit: (x, ms) => deps.limit(x, ms),
    path: name => deps.path(name),
    watchFile: (path, changed) => deps.watchFile(path, changed),
  }
}

/** Names by which an alternative tells the peer who somebody is: where another one lets in, the client must not say so itself. */
function claimedBy(one: Alternative): string[] {
  const said = one[nameOf(one)] as { set?: Record<string, string>; copy?: string[] }
  const set = nameOf(one) === jwt.name || nameOf(one) === oidc.name ? Object.keys(said.set ?? {}) : []
  return nameOf(one) === forwardAuth.name ? (said.copy ?? []) : set
}

/** Lets in whom one of several filters lets in. */
class AnyOf {
  private readonly filters: readonly { readonly name: string; readonly filter: Filter }[]
  private readonly claimed: ClaimedNames
  private readonly slot: number

  constructor(alternatives: readonly Alternative[], deps: FilterDeps) {
    const order = kinds.map(({ name }) => name as string)
    const sorted = alternatives.toSorted((left, right) => order.indexOf(nameOf(left)) - order.indexOf(nameOf(right)))
    this.filters = sorted.map((one, i) => ({
      name: nameOf(one),
      filter: kindOf(one).build(one[nameOf(one)], depsAt(deps, `${deps.place}/${i}`)),
    }))
    this.claimed = new ClaimedNames(alternatives.flatMap(claimedBy))
    this.slot = deps.slot()
  }

  access(x: Exchange): PhaseVerdict {
    this.claimed.dropFrom(x)
    return this.from(x, 0, new Refusals())
  }

  /** Those of `at` and behind it. */
  private from(x: Exchange, at: number, refusals: Refusals): PhaseVerdict {
    for (let i = at; i < this.filters.length; i++) {
      const verdict = this.filters[i]!.filter.access!(x)
      if (verdict instanceof Promise) return this.later(x, i, verdict, refusals)
      if (verdict !== FAULT_VERDICT) return this.leave(x, verdict, refusals)
      refusals.add(x)
    }
    return refusals.tell(x)
  }

  private async later(x: Exchange, i: number, promise: Promise<Verdict>, refusals: Refusals): Promise<Verdict> {
    const { generation } = x
    const verdict = await promise
    // The client went away, and the object may serve another one.
    if (x.generation !== generation) return FAULT_VERDICT
    if (verdict !== FAULT_VERDICT) return this.leave(x, verdict, refusals)
    refusals.add(x)
    const rest = await this.from(x, i + 1, refusals)
    // Whoever waits as the engine does resumes by itself, which a promise cannot give way to.
    return rest === WAIT ? new Promise<Verdict>(() => {}) : rest
  }

  /** Somebody lets in, answers, or goes on by himself. */
  private leave(x: Exchange, verdict: Verdict, refusals: Refusals): Verdict {
    if (verdict === WAIT && refusals.challenges !== "") x.slots[this.slot] = refusals.challenges
    return verdict
  }

  /** The last one's refusal says only how to log in there. */
  response(x: Exchange): PhaseVerdict {
    const challenges = x.slots[this.slot]
    if (typeof challenges === "string" && x.fault?.status === 401) x.response.extra += challenges
    for (const { filter } of this.filters) if (filter.response !== undefined) filter.response(x)
    return NEXT
  }

  describe(): string {
    return this.filters.map(({ name, filter }) => `${name} (${filter.describe?.() ?? ""})`).join(" or ")
  }
}

/** Why nobody let the request in so far. */
class Refusals {
  challenges = ""
  private first: Fault | null = null
  private wants: Fault | null = null
  private unavailable: { readonly fault: Fault; readonly lines: string } | null = null

  /** Takes note of the refusal that stands in the exchange, and clears it. */
  add(x: Exchange): void {
    const fault = x.fault ?? FAULT.forbidden
    if (fault.status === 401) {
      this.wants ??= fault
      this.challenges += x.replyFields
    } else if (fault.status >= 500) this.unavailable ??= { fault, lines: x.replyFields }
    this.first ??= fault
    x.fault = null
    x.replyFields = ""
  }

  /** One that could not be asked might have let in; else whoever can log in is asked to. */
  tell(x: Exchange): Verdict {
    x.fault = this.unavailable?.fault ?? this.wants ?? this.first
    x.replyFields = this.unavailable?.lines ?? this.challenges
    return FAULT_VERDICT
  }
}

export default defineFilter({
  name: "any-of",
  summary: "Lets in whom one of several filters lets in: a token, a key, a password, an address.",
  options,
  build(alternatives, deps) {
    const any = new AnyOf(alternatives, deps)
    return { access: x => any.access(x), response: x => any.response(x), describe: () => any.describe() }
  },
  clusters: alternatives =>
    alternatives.flatMap((one, i) => (kindOf(one).clusters?.(one[nameOf(one)]) ?? []).map(({ at, name }) => ({ at: [i, nameOf(one), ...at], name }))),
  problems: (alternatives, resolve) =>
    alternatives.flatMap((one, i) => problemsOf(one, resolve).map(problem => ({ ...problem, at: [i, nameOf(one), ...problem.at] }))),
})

function problemsOf(one: Alternative, resolve: (path: string) => string): readonly OptionProblem[] {
  const said = one[nameOf(one)]
  if (nameOf(one) !== basicAuth.name) return kindOf(one).problems?.(said, resolve) ?? []
  return fileProblems(["htpasswd"], resolve((said as { htpasswd: string }).htpasswd), parseHtpasswd)
}
