import { z } from "zod"
import { type Clock, parseTemplate, systemClock, TemplateError, type TemplatePart } from "../../../base/index.ts"
import type { Exchange } from "../../../flow/index.ts"
import { defineLogFormat, type LogFormatter } from "../../../plugin/index.ts"
import { escapeHex, escapeHexText, escapeJson } from "../escape.ts"
import { compileFacts, type FactName } from "../facts.ts"
import { compileRedact, redactOption } from "../redact.ts"

type Escape = "hex" | "json"

// Fields whose values are credentials: they are never logged.
const secretFields = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie", "authentication-info", "proxy-authentication-info"])

// The facts' names, asked once from a table that is never read.
const words = {
  plain: Object.keys(compileFacts(compileRedact(false), systemClock)),
  withArgument: ["requestField", "responseField"],
}

const text = z.string().superRefine((value, context) => {
  const problem = problemOf(value)
  if (problem !== "") context.addIssue({ code: "custom", message: problem })
})

const options = z.union([
  text.transform(template => ({ text: template, escape: "hex" as Escape, redact: true as const })),
  z.strictObject({
    text: text.describe("The line, with $variables."),
    escape: z.enum(["hex", "json"]).default("hex").describe("How values are escaped: as nginx does, or for use inside JSON strings."),
    redact: redactOption.default(true).describe("Hides values of query parameters that look like secrets; a list adds names."),
  }),
])

type TemplateOptions = z.infer<typeof options>

/** A line of the operator's own making. */
export function templateFormatter(settings: TemplateOptions, clock: Clock = systemClock): LogFormatter {
  const facts = compileFacts(compileRedact(settings.redact), clock)
  const escapes = settings.escape === "json" ? jsonEscapes : hexEscapes
  const writers = parseTemplate(settings.text, words).map(part => writerOf(part, facts, escapes))
  return x => {
    let line = ""
    for (let i = 0; i < writers.length; i++) line += writers[i]!(x)
    return line + "\n"
  }
}

interface Escapes {
  readonly octets: (value: string) => string
  readonly text: (value: string) => string
  /** What stands for a number that does not apply. */
  readonly absent: string
}

const hexEscapes: Escapes = { octets: escapeHex, text: escapeHexText, absent: "-" }
const jsonEscapes: Escapes = { octets: escapeJson, text: escapeJson, absent: "null" }

function writerOf(part: TemplatePart, facts: ReturnType<typeof compileFacts>, escapes: Escapes): (x: Exchange) => string {
  if (typeof part === "string") return () => part
  const field = part.argument.toLowerCase()
  const { absent } = escapes
  if (part.word === "requestField") return x => escapes.octets(x.request.find(field) ?? "")
  if (part.word === "responseField") return x => escapes.octets(x.response.find(field) ?? "")
  const fact = facts[part.word as FactName]
  if (fact.kind === "number") return x => numberText(fact.read(x), absent)
  const escape = fact.kind === "text" ? escapes.text : escapes.octets
  return x => escape(fact.read(x))
}

function numberText(value: number, absent: string): string {
  return value < 0 ? absent : String(value)
}

function problemOf(template: string): string {
  if (/[\x00-\x08\x0a-\x1f]/.test(template)) return "expected one line without control characters"
  try {
    for (const part of parseTemplate(template, words)) {
      if (typeof part !== "string" && secretFields.has(part.argument.toLowerCase()))
        return `\${${part.word}:${part.argument}} holds credentials, which are never logged`
    }
  } catch (error) {
    if (error instanceof TemplateError) return error.message
    throw error
  }
  return ""
}

export default defineLogFormat({
  name: "template",
  summary: "A line of your own with $variables.",
  options,
  compile: settings => templateFormatter(settings),
})
