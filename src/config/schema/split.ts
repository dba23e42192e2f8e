import { z } from "zod"
import { count, duration, field, listOf, maybe, nameSchema, off, pathSchema, ratio, TemplateError } from "../../base/index.ts"
import { compileValue } from "../../filter/index.ts"
import type { MatchConfig, MatchInput } from "./match.ts"

/** One of the clusters that a split chooses from. */
export interface ArmConfig {
  readonly name: string
  readonly cluster: string
  /** Its part of the sum of all weights. */
  readonly weight: number
  /** Requests that go here always, whatever the weights say: one of these must hold. */
  readonly match: readonly MatchConfig[] | null
}

export type StickConfig =
  | { readonly kind: "cookie"; readonly name: string; readonly ttl: number | null }
  /** By the hash of a value. */
  | { readonly kind: "key"; readonly value: string }

export interface ForceConfig {
  readonly header: string | null
  readonly cookie: string | null
}

export interface CanaryConfig {
  /** Shares from 0 to 1, rising. */
  readonly steps: readonly number[]
  readonly every: number
  /** Length of one test; null = `every`. */
  readonly window: number | null
  readonly auto: boolean
  readonly analysis: {
    readonly samplesMin: number
    readonly alpha: number
    readonly errors: { readonly difference: number } | null
    readonly latency: { readonly ratio: number } | null
  }
}

export interface SplitConfig {
  readonly arms: readonly ArmConfig[]
  readonly stick: StickConfig | null
  readonly salt: string
  readonly force: ForceConfig | null
  /** Index of the arm that `bothways canary` moves. */
  readonly canaryArm: number
  readonly canary: CanaryConfig | null
  readonly persist: string | null
}

export const ARMS_MAX = 8
const COOKIE = "bw-split"
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const tokenSchema = z.string().regex(token, "expected a name of letters, digits and dashes")

const cookieSchema = z.strictObject({
  name: field(tokenSchema, COOKIE, "Name of the cookie. Splits of one site that share it put a client in the same place."),
  ttl: maybe(duration({ min: 1000 }), "How long the client keeps it. Default: as long as its browser runs."),
})

function stickOfWord(word: string, context: z.core.$RefinementCtx): StickConfig {
  if (word === "cookie") return { kind: "cookie", name: COOKIE, ttl: null }
  if (word === "client" || word === "user") return { kind: "key", value: `$${word}` }
  try {
    if (compileValue(word).length > 0 && word.includes("$")) return { kind: "key", value: word }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    context.issues.push({ code: "custom", input: word, message: error.message })
    return z.NEVER
  }
  context.issues.push({
    code: "custom",
    input: word,
    message: `expected cookie, client, user, or a value with a variable such as "\${cookie:session}", got ${JSON.stringify(word)}`,
  })
  return z.NEVER
}

const stickSchema = z.union([
  z.string().transform(stickOfWord),
  z
    .strictObject({ cookie: cookieSchema.describe("A cookie of ours: it holds the client's place, a random number, and no arm.") })
    .transform(({ cookie }): StickConfig => ({ kind: "cookie", ...cookie })),
])

const forceSchema = z.strictObject({
  header: maybe(tokenSchema, "Field of the request. Comes before the cookie."),
  cookie: maybe(tokenSchema, "Cookie of the request."),
})

const errorsSchema = z.strictObject({
  difference: field(ratio(), "1%", "A canary whose share of failures is above stable's by less than this stays, however sure the difference is."),
})

const latencySchema = z.strictObject({
  ratio: field(z.number().min(1).max(100), 1.5, "The canary may be so many times as slow as stable, at each quantile that is compared."),
})

const analysisSchema = z.strictObject({
  samplesMin: field(
    count(1, 1_000_000_000),
    100,
    "Requests of each arm before a verdict and before the next step. A canary that plainly fails is not kept so long.",
  ),
  alpha: field(ratio({ min: 1e-9, max: 0.5 }), "1%", "Chance that a canary as good as stable is rolled back, over all looks and steps of one run."),
  errors: field(z.union([off, errorsSchema]), {}, "Compares failures: 5xx, their like in gRPC, faults of the upstream side; off = not."),
  latency: field(z.union([off, latencySchema]), {}, "Compares the time to the head of the answer at the quantiles 50, 90 and 99 %; off = not."),
})

const canarySchema = z.strictObject({
  arm: maybe(nameSchema, "The arm that is tried. Default: the last."),
  steps: field(
    z
      .array(ratio({ min: 1e-6 }))
      .min(1)
      .max(100),
    ["1%", "5%", "25%", "50%", "100%"],
    "Shares that it gets one after the other, rising.",
  ),
  every: field(duration({ min: 100 }), "5m", "Time at each step before the next one."),
  window: maybe(duration({ min: 100 }), "Length of one test; behind it a new one begins, which forgets the good times before. Default: every."),
  auto: field(z.boolean(), true, "Steps up, and rolls back, by itself. false: says what it would do."),
  analysis: field(analysisSchema, {}, "When the canary is worse than stable."),
})

/** `match`: the schema of what routes match by. */
export function splitOptionsSchema(match: z.ZodType<MatchConfig, MatchInput>) {
  const armSchema = z.strictObject({
    name: maybe(nameSchema, "Name in commands, logs and metrics. Default: the cluster's."),
    cluster: nameSchema.describe("To a peer of this cluster."),
    weight: field(count(0, 1_000_000), 0, "Its part of the sum of all weights."),
    match: maybe(listOf(match), "Requests that go here whatever the weights say: a match as routes have it, or a list of which one must hold."),
  })
  return z
    .strictObject({
      arms: z.array(armSchema).min(2).max(ARMS_MAX).describe("The clusters, stable first: what others do not get is the first one's."),
      stick: maybe(
        stickSchema,
        'What keeps a client with its arm: cookie, { cookie: { name, ttl } }, client, user, or a value such as "${cookie:session}". Default: each request is chosen for by itself.',
      ),
      salt: field(z.string().max(64), "", "Another text puts the same keys in other places, so that two splits choose independently."),
      force: maybe(forceSchema, "A field or a cookie whose value is the name of an arm, or always (the canary) or never (the first arm), decides."),
      canary: maybe(canarySchema, "How the share of the canary grows, and when it is rolled back."),
      persist: maybe(
        pathSchema,
        "File that keeps shares that commands or the canary have set, over a restart. Default: a restart begins with the weights.",
      ),
    })
    .transform((split, context): SplitConfig => {
      const arms = split.arms.map((arm): ArmConfig => ({ ...arm, name: arm.name ?? arm.cluster }))
      const named = split.canary?.arm ?? null
      const canaryArm = named === null ? arms.length - 1 : arms.findIndex(arm => arm.name === named)
      for (const { at, message } of problemsOf(split, arms, canaryArm)) context.issues.push({ code: "custom", path: [...at], input: split, message })
      const { arm: _, ...canary } = split.canary ?? { arm: null }
      return { ...split, arms, canaryArm, canary: split.canary === null ? null : (canary as CanaryConfig) }
    })
}

interface SplitProblem {
  readonly at: readonly (string | number)[]
  readonly message: string
}

function problemsOf(
  split: { canary: { arm: string | null; steps: readonly number[] } | null; force: ForceConfig | null },
  arms: readonly ArmConfig[],
  canaryArm: number,
): SplitProblem[] {
  const out: SplitProblem[] = []
  if (arms.every(arm => arm.weight === 0)) out.push({ at: ["arms"], message: "every arm has weight 0; expected one that gets the requests" })
  for (const [i, { name, cluster }] of arms.entries()) {
    if (arms.findIndex(arm => arm.cluster === cluster) < i)
      out.push({ at: ["arms", i, "cluster"], message: `another arm sends to the cluster ${JSON.stringify(cluster)} already` })
    else if (arms.findIndex(arm => arm.name === name) < i)
      out.push({ at: ["arms", i, "name"], message: `another arm has the name ${JSON.stringify(name)} already` })
    if (name === "always" || name === "never")
      out.push({ at: ["arms", i], message: `an arm cannot have the name ${name}, which means something else to force` })
  }
  if (canaryArm < 0)
    out.push({
      at: ["canary", "arm"],
      message: `there is no arm ${JSON.stringify(split.canary!.arm)}; expected one of ${arms.map(arm => arm.name).join(", ")}`,
    })
  const steps = split.canary?.steps ?? []
  const falls = steps.findIndex((share, i) => i > 0 && share <= steps[i - 1]!)
  if (falls > 0) out.push({ at: ["canary", "steps", falls], message: "each step must be larger than the one before" })
  if (split.force !== null && split.force.header === null && split.force.cookie === null)
    out.push({ at: ["force"], message: "expected a header or a cookie" })
  return out
}
