import { z } from "zod"
import { field, listOf, maybe, nameSchema, size } from "../../base/index.ts"
import { blockPageOverrides, blockPageSchema, type BlockPageOptions, type MatchUse } from "../../plugin/index.ts"
import { statusSchema, type StatusWord } from "../keyed/status-list.ts"

const RULES_MAX = 10_000

const typeSchema = z
  .string()
  .regex(/^(?:[!#$%&'+.^_`|~0-9A-Za-z-]+\/(?:\*|[!#$%&'+.^_`|~0-9A-Za-z-]+)|\*\/\*)$/, "expected a content type such as video/* or application/pdf")
  .toLowerCase()

const extensionSchema = z
  .string()
  .regex(/^\.?[A-Za-z0-9_-]{1,16}$/, "expected the end of a file's name such as exe")
  .transform(text => text.replace(/^\./, "").toLowerCase())

const responseSchema = z
  .strictObject({
    type: maybe(listOf(typeSchema), "Content types: video/mp4, video/*."),
    extension: maybe(listOf(extensionSchema), "Ends of the file's name, in the path or in Content-Disposition, such as exe."),
    bytesMin: maybe(size(), "So large, or larger. A block rule cuts an answer off that does not say how long it is as soon as it is as large."),
    bytesMax: maybe(size(), "So large, or smaller; an answer that does not say how long it is is neither."),
    status: maybe(listOf(statusSchema), "Statuses such as 200, or classes such as 5xx."),
  })
  .refine(given => Object.values(given).some(value => value !== null), { error: "expected a condition such as type: video/*" })

/** What the answer must be for a rule to hold. */
export interface ResponseOptions {
  readonly type: readonly string[] | null
  readonly extension: readonly string[] | null
  readonly bytesMin: number | null
  readonly bytesMax: number | null
  readonly status: readonly StatusWord[] | null
}

/** What a rule does with what it holds for. */
export type PolicyAction = "block" | "allow" | "log" | "close" | { readonly redirect: string }

const actionSchema = z.union(
  [
    z.enum(["block", "allow", "log", "close"]),
    z.strictObject({
      redirect: z
        .url({ protocol: /^https?$/ })
        .describe("Sends the client to this URL with 302; tunnels, which cannot be sent elsewhere, are blocked."),
    }),
  ],
  { error: "expected block, allow, log, close, or { redirect: URL }" },
)

const modeSchema = z.enum(["enforce", "log-only"])

export interface RuleOptions {
  readonly name: string
  readonly match: MatchUse
  readonly response: ResponseOptions | null
  readonly action: PolicyAction
  readonly mode: "enforce" | "log-only"
  readonly page: Partial<BlockPageOptions> | null
}

export interface PolicyOptions {
  readonly rules: readonly RuleOptions[]
  readonly default: "allow" | "block"
  readonly mode: "enforce" | "log-only"
  readonly page: BlockPageOptions
  readonly tunnels: "page" | "refuse"
}

/** Schema of the options around the schema of `match:`. */
export function policyOptions(match: z.ZodType<MatchUse>): z.ZodType<PolicyOptions> {
  const rule = z.strictObject({
    name: nameSchema.describe("Name in the log, in metrics and on the page."),
    match: field(match, {} as never, "Conditions on the request, as routes have them, all of which must hold; {} holds always."),
    response: maybe(
      responseSchema,
      "Conditions on the answer, all of which must hold: the rule is judged when its head is there. Not for tunnels, which nobody reads.",
    ),
    action: actionSchema.describe(
      "block = the page; allow = goes on, and no later rule is asked; log = is noted, and the next rule is asked; close = the connection ends without a word; { redirect: URL }.",
    ),
    mode: field(modeSchema, "enforce", "log-only: what the rule would do is noted, and the next rule is asked."),
    page: maybe(blockPageOverrides, "Differs from the policy's page."),
  })
  const options = z
    .strictObject({
      rules: z.array(rule).min(1).max(RULES_MAX).describe("The first that holds decides."),
      default: field(z.enum(["allow", "block"]), "allow", "What happens where no rule decides."),
      mode: field(modeSchema, "enforce", "log-only: nothing is refused; what would be is in the log and in the metrics."),
      page: field(blockPageSchema, {}, "What a client gets that is refused."),
      tunnels: field(
        z.enum(["page", "refuse"]),
        "page",
        "What becomes of a tunnel that is refused where the listener opens TLS (`forward.inspect`): page = it is opened, so that browsers show the page, and what cannot be opened is closed; refuse = CONNECT is answered with the refusal, as it is elsewhere.",
      ),
    })
    .superRefine(({ rules }, context) => {
      const seen = new Set<string>()
      for (const [i, { name }] of rules.entries()) {
        if (seen.has(name))
          context.addIssue({ code: "custom", path: ["rules", i, "name"], message: `another rule has the name ${JSON.stringify(name)} already` })
        seen.add(name)
      }
    })
  return options as unknown as z.ZodType<PolicyOptions>
}
