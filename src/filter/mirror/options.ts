import { RE2JS } from "re2js"
import { z } from "zod"
import { count, duration, nameSchema, patternTrouble, ratio, size } from "../../base/index.ts"
import { parseJsonPath } from "./json-path.ts"

const nameOfField = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected the name of a field")

const ignoreSchema = z.string().superRefine((text, context) => {
  const problem = text.startsWith("~")
    ? patternTrouble(text.slice(1))
    : parseJsonPath(text) === null
      ? 'expected a path such as "$.items[*].id" or a pattern such as "~[0-9]+ms"'
      : ""
  if (problem !== "") context.addIssue({ code: "custom", message: problem })
})

const headersSchema = z.union([
  z.literal(false).transform((): HeaderRule => ({ only: [], ignore: [] })),
  z.array(nameOfField).transform((names): HeaderRule => ({ only: lowered(names), ignore: [] })),
  z
    .strictObject({ ignore: z.array(nameOfField).default([]).describe("Fields that may differ, beside those that always do.") })
    .transform(({ ignore }): HeaderRule => ({ only: null, ignore: lowered(ignore) })),
])

/** `only`: the fields that are compared; null = all but `ignore`. */
export interface HeaderRule {
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
}

function lowered(names: readonly string[]): string[] {
  return names.map(name => name.toLowerCase())
}

const bodySchema = z.strictObject({
  bytesMax: size({ min: 1, max: 16 * 1024 ** 2 })
    .prefault("64KB")
    .describe("Longer answers, of either side, are not compared."),
  ignore: z
    .array(ignoreSchema)
    .default([])
    .describe(
      'What may differ: paths into JSON such as "$.time", "$.items[*].id", "$..etag", and patterns (RE2) such as "~build-[0-9]+", whose matches are taken out.',
    ),
})

export const mirrorOptions = z.strictObject({
  to: nameSchema.describe("Cluster that gets the copies."),
  share: ratio().prefault("100%").describe("Part of the requests that is copied."),
  bytesMax: size({ max: 16 * 1024 ** 2 })
    .prefault("64KB")
    .describe("Requests with longer bodies are not copied."),
  inFlightMax: count(1, 1_000_000).prefault(64).describe("Copies under way in each worker; beyond it requests are not copied."),
  timeout: duration({ min: 1 }).prefault("30s").describe("Longest wait for the answer to a copy."),
  secrets: z
    .enum(["keep", "drop"])
    .default("keep")
    .describe("Authorization and Cookie of the client: keep, as the copy is worth little without, or drop."),
  compare: z
    .strictObject({
      status: z.boolean().default(true).describe("Compares the status."),
      headers: headersSchema
        .prefault(["Content-Type", "Location"])
        .describe("Fields that are compared: a list, { ignore: [...] } for all others, or false."),
      body: bodySchema.optional().describe("Compares bodies, JSON by its values. Default: not."),
    })
    .optional()
    .describe("Compares the answer to a copy with the client's. Default: nobody looks at it."),
})

export type MirrorOptions = z.output<typeof mirrorOptions>

/** The patterns among what is ignored. */
export function patternsOf(ignore: readonly string[]): RE2JS[] {
  return ignore.filter(text => text.startsWith("~")).map(text => RE2JS.compile(text.slice(1)))
}
