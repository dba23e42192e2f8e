import { z } from "zod"
import { count, duration, field, nameSchema, size, TemplateError } from "../../base/index.ts"
import { fieldNameSchema, problemOfField } from "../field-name.ts"
import { compileValue } from "../variables.ts"

const problemOfValue = (value: string): string => {
  if (/[\x00-\x1f\x7f]/.test(value)) return "expected a value without line breaks and control characters"
  try {
    compileValue(value)
    return ""
  } catch (error) {
    if (error instanceof TemplateError) return error.message
    throw error
  }
}

const checked = (problemOf: (text: string) => string) =>
  z.string().superRefine((text, context) => {
    const problem = problemOf(text)
    if (problem !== "") context.addIssue({ code: "custom", message: problem })
  })

const template = checked(problemOfValue)
const keyPart = checked(text => (text.includes("$") ? problemOfValue(text) : problemOfField(text)))

export const authOptions = z.strictObject({
  cluster: nameSchema.describe("Who decides."),
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, "expected a path that begins with /")
    .describe("Where it is asked, such as /api/verify; with a query if need be."),
  method: z
    .union([z.literal("same"), z.enum(["GET", "HEAD", "POST", "PUT", "OPTIONS"])])
    .default("GET")
    .describe("Method of the question; `same`: that of the request. Never with a body."),
  host: z
    .string()
    .regex(/^[^\s/@?#]+$/, "expected a host with or without a port")
    .optional()
    .describe("What Host says. Default: what the client asked for."),
  send: z
    .array(fieldNameSchema)
    .optional()
    .describe("Fields of the request that are shown. Default: all but those of framing, conditions and ranges."),
  set: z
    .record(fieldNameSchema, template)
    .default({})
    .describe('Fields beside X-Forwarded-*, such as `{ X-Original-URL: "$scheme://$authority$path$query" }`.'),
  copy: z.array(fieldNameSchema).default([]).describe("Fields of a good answer that go on to the peer; what clients send of these names is removed."),
  copyBack: z.array(fieldNameSchema).default([]).describe("Fields of a good answer that go back to the client, such as Set-Cookie."),
  user: fieldNameSchema.optional().describe("The field of a good answer that says who it is."),
  timeout: field(duration({ min: 1, max: 600_000 }), "5s", "Time for the answer; then the request gets 503."),
  answerBytesMax: field(size({ max: 16 * 1024 * 1024 }), "64KB", "Longer answers count as none."),
  cache: z
    .strictObject({
      key: z
        .array(keyPart)
        .min(1)
        .describe(
          'What a decision depends on: names of fields, or values such as "${cookie:session}" and "$path". A request with none of them is always asked about.',
        ),
      ttl: duration({ min: 100, max: 86_400_000 }).describe("How long a good answer counts."),
      entriesMax: count(1, 1_000_000).default(10_000).describe("Good answers that are remembered in each worker."),
    })
    .optional()
    .describe("Remembers good answers. Default: every request is asked about."),
})

export type AuthOptions = z.infer<typeof authOptions>
