import { z } from "zod"
import { formatSize, patternTrouble, ratio, size } from "../../base/index.ts"
import { changeRequestBody, changeResponseBody, type Exchange, NEXT } from "../../flow/index.ts"
import { BODY_NONE, BODY_TUNNEL, type Fields } from "../../http/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { compileTypes, typesOption } from "../compress/media-type-list.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { Capture } from "./capture.ts"
import { LineWriter } from "./line-writer.ts"
import { compileRedaction } from "./redaction.ts"

const TEXTS = [
  ...["text/*", "application/json", "application/*+json", "application/x-ndjson", "application/xml", "application/*+xml", "application/graphql"],
  ...["application/x-www-form-urlencoded", "multipart/form-data", "application/javascript", "application/yaml"],
]

const redactOption = z.strictObject({
  names: z.array(z.string().min(1)).default([]).describe("Names of secrets beside those that are known; case and punctuation do not count."),
  patterns: z
    .array(
      z.string().superRefine((pattern, context) => {
        const problem = patternTrouble(pattern)
        if (problem !== "") context.addIssue({ code: "custom", message: problem })
      }),
    )
    .default([])
    .describe("RE2 patterns of what is hidden wherever it stands."),
})

const bodyOption = size({ max: 1024 ** 2 })

const options = z
  .strictObject({
    to: z
      .union([z.literal("stdout"), z.strictObject({ file: z.string().min(1).describe("Path, relative to the config file.") })])
      .default("stdout")
      .describe("Where the lines go: standard output, as the access log's, or a file of their own."),
    sample: ratio().default(1).describe("Share of the exchanges that are logged."),
    statusMin: z.int().min(0).max(599).default(0).describe("Only exchanges with at least this status: 400 for those that went wrong."),
    fields: z.boolean().default(true).describe("Fields of the request as it came and of the response."),
    requestBody: bodyOption.default(4096).describe("Octets of the request's body, from its beginning; 0 = none."),
    responseBody: bodyOption.default(4096).describe("Octets of the response's body; 0 = none."),
    types: typesOption.default(TEXTS).describe("Media types whose bodies are logged; of others only the size is."),
    redact: z
      .union([z.literal(false), z.literal(true).transform(() => redactOption.parse({})), redactOption])
      .prefault(true)
      .describe("Secrets are hidden: true (default), with more names and patterns, or false."),
  })
  .prefault({})

type Options = z.infer<typeof options>

/** What is kept of an exchange that will be logged. */
export interface Captured {
  /** Lines of the request as it came. */
  readonly requestFields: string
  request: Capture | null
  response: Capture | null
}

export default defineFilter({
  name: "body-log",
  summary: "Logs parameters, fields and bodies of exchanges, without the secrets in them.",
  options,
  build(settings, deps) {
    const writer = writerOf(settings, deps)
    const slot = deps.slot()
    const of = (x: Exchange) => x.slots[slot] as Captured | undefined
    return {
      identify(x) {
        if (settings.sample < 1 && Math.random() >= settings.sample) return NEXT
        x.slots[slot] = { requestFields: settings.fields ? x.request.render() : "", request: null, response: null } satisfies Captured
        return NEXT
      },
      request(x) {
        const captured = of(x)
        if (captured === undefined || settings.requestBody === 0 || x.requestBody === BODY_NONE) return NEXT
        captured.request = captureOf(x.request, settings.requestBody)
        changeRequestBody(x, captured.request)
        return NEXT
      },
      response(x) {
        const captured = of(x)
        const hasBody = x.responseBody !== BODY_NONE && x.responseBody !== BODY_TUNNEL && x.method !== "HEAD"
        if (captured === undefined || settings.responseBody === 0 || !hasBody) return NEXT
        captured.response = captureOf(x.response, settings.responseBody)
        changeResponseBody(x, captured.response)
        return NEXT
      },
      log(x) {
        const captured = of(x)
        if (captured !== undefined && x.status >= settings.statusMin) writer.write(x, captured)
      },
      describe: () => describe(settings),
    }
  },
})

function captureOf(fields: Fields, bytesMax: number): Capture {
  return new Capture(bytesMax, fieldText(fields, "content-type"), fieldText(fields, "content-encoding"))
}

function writerOf(settings: Options, deps: FilterDeps): LineWriter {
  const path = settings.to === "stdout" ? "" : deps.path(settings.to.file)
  const lines = deps.lines?.(path) ?? null
  const dropped = deps.counter("body_log_dropped", "Lines of body-log that were dropped because their target did not keep up.")
  return new LineWriter({ types: compileTypes(settings.types), redaction: compileRedaction(settings.redact), lines, dropped, time: deps.time })
}

function describe({ to, sample, requestBody, responseBody, redact }: Options): string {
  const share = sample === 1 ? "all" : `${sample * 100} %`
  const where = to === "stdout" ? to : to.file
  return `${share} to ${where}, bodies up to ${formatSize(requestBody)} and ${formatSize(responseBody)}${redact === false ? ", secrets not hidden" : ""}`
}
