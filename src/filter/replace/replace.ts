import { RE2JS } from "re2js"
import { z } from "zod"
import { patternTrouble, requiredLiteral, size } from "../../base/index.ts"
import { changeResponseBody, type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { BODY_CHUNKED, BODY_NONE, BODY_TUNNEL, NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { dropOctetFields, forbidsTransform, hasWholeBody, listOf, weakenTag } from "../compress/changed-fields.ts"
import { compileTypes, type MediaTypes, typesOption } from "../compress/media-type-list.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"
import { LiteralStage } from "./literal-stage.ts"
import { PatternStage } from "./pattern-stage.ts"
import { ReplacedBody, type Stage } from "./replaced-body.ts"
import { octetsOf, parseReplacement } from "./replacement.ts"

const TEXTS = [
  ...["text/*", "application/json", "application/*+json", "application/javascript", "application/x-javascript", "application/ecmascript"],
  ...["application/xml", "application/*+xml", "image/svg+xml", "application/x-ndjson", "application/yaml", "application/manifest+json"],
]
const FIND_BYTES_MAX = 4096

const patternOption = z.strictObject({
  pattern: z
    .string()
    .superRefine((pattern, context) => {
      const problem = troubleOf(pattern)
      if (problem !== "") context.addIssue({ code: "custom", message: problem })
    })
    .describe("RE2 pattern for octets, one line at a time."),
  matchBytesMax: size({ min: 1, max: 64 * 1024 })
    .default(1024)
    .describe("Octets that a match may have; a longer one stays as it is."),
})

const ruleOption = z
  .strictObject({
    find: z.union([z.string(), patternOption]).describe("Text, octet for octet, or an RE2 pattern, which sees one line at a time, as octets."),
    with: z.string().describe("What takes its place. For a pattern $1 and ${name} are its groups, $$ is a dollar sign."),
    once: z.boolean().default(false).describe("Only the first match of each body."),
    types: typesOption.optional().describe("Media types of this rule. Default: those of the filter."),
  })
  .superRefine((rule, context) => {
    const problem = problemOf(rule)
    if (problem !== "") context.addIssue({ code: "custom", message: problem })
  })

type Rule = z.infer<typeof ruleOption>

const options = z.strictObject({
  body: z.array(ruleOption).min(1).describe("Rules for the bodies of responses, each over what the one before has left."),
  types: typesOption.default(TEXTS).describe("Media types that are looked into."),
  askPlain: z.boolean().default(true).describe("Asks the peer for bodies without a content coding, which could not be looked into."),
})

function troubleOf(pattern: string): string {
  const problem = patternTrouble(pattern)
  if (problem !== "") return problem
  if (/[^\x00-\x7f]/.test(pattern)) return "a pattern is for octets and may hold ASCII only: write others as \\xHH, one for each octet of their UTF-8"
  return RE2JS.compile(pattern).matcher("").find()
    ? `"${pattern}" matches nothing at all everywhere; expected a pattern that needs at least one character`
    : ""
}

function problemOf(rule: Rule): string {
  if (typeof rule.find === "string") {
    const bytes = Buffer.byteLength(rule.find)
    return bytes > 0 && bytes <= FIND_BYTES_MAX ? "" : `expected a text of 1 to ${FIND_BYTES_MAX} octets to find`
  }
  // Its own trouble has been told.
  if (troubleOf(rule.find.pattern) !== "") return ""
  try {
    stageOf(rule)
    return ""
  } catch (error) {
    return (error as Error).message
  }
}

/** What makes the stage of a rule for each body. */
function stageOf({ find, with: by, once }: Rule): () => Stage {
  const times = once ? 1 : Number.POSITIVE_INFINITY
  if (typeof find === "string") {
    const [text, other] = [octetsOf(find), octetsOf(by)]
    return () => new LiteralStage(text, other, times)
  }
  const regex = RE2JS.compile(find.pattern)
  const parts = parseReplacement(by, regex.groupCount(), regex.namedGroups())
  const rule = { regex, literal: requiredLiteral(find.pattern), by: parts, times, matchBytesMax: find.matchBytesMax }
  return () => new PatternStage(rule)
}

export default defineFilter({
  name: "replace",
  summary: "Searches the bodies of responses, as they stream, and replaces what it finds.",
  options,
  build(settings) {
    const filter = new Replace(settings)
    return {
      ...(settings.askPlain ? { request: askPlain } : {}),
      response: x => filter.change(x),
      describe: () => settings.body.map(({ find }) => (typeof find === "string" ? JSON.stringify(find) : `~${find.pattern}`)).join(", "),
    }
  },
})

function askPlain(x: Exchange): Verdict {
  x.request.set(NAME.acceptEncoding, "Accept-Encoding", "identity")
  return NEXT
}

class Replace {
  private readonly rules: readonly { readonly types: MediaTypes; readonly make: () => Stage }[]

  constructor({ body, types }: z.infer<typeof options>) {
    this.rules = body.map(rule => ({ types: compileTypes(rule.types ?? types), make: stageOf(rule) }))
  }

  change(x: Exchange): Verdict {
    const { response, responseBody } = x
    if (!hasWholeBody(x) || responseBody === BODY_TUNNEL || (responseBody === BODY_NONE && x.method !== "HEAD")) return NEXT
    const coding = listOf(response, NAME.contentEncoding, "content-encoding")
    if ((coding !== "" && coding.toLowerCase() !== "identity") || forbidsTransform(x)) return NEXT
    const type = fieldText(response, "content-type")
    const stages: Stage[] = []
    for (const rule of this.rules) if (rule.types.has(type)) stages.push(rule.make())
    if (stages.length === 0) return NEXT
    dropOctetFields(response)
    dropField(response, "content-length")
    weakenTag(x)
    if (x.method === "HEAD") x.responseBody = BODY_CHUNKED
    else changeResponseBody(x, new ReplacedBody(stages))
    return NEXT
  }
}
