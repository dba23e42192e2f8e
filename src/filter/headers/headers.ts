import { z } from "zod"
import { TemplateError } from "../../base/index.ts"
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { type Fields, NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { editFields, type FieldEdit, readValue } from "./edit-fields.ts"
import { compileValue } from "../variables.ts"

// Fields that say where a message ends or belong to one connection (RFC 9110 section 7.6.1): the codecs make them.
const framing = new Set([
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "http2-settings",
])

const nameSchema = z.string().superRefine((name, context) => {
  const problem = problemOfName(name)
  if (problem !== "") context.addIssue({ code: "custom", message: problem })
})

const valueSchema = z
  .union([z.string(), z.number(), z.boolean()])
  .transform(String)
  .superRefine((value, context) => {
    const problem = problemOfValue(value)
    if (problem !== "") context.addIssue({ code: "custom", message: problem })
  })

const sideSchema = z.strictObject({
  set: z.record(nameSchema, valueSchema).default({}).describe("Replaces all fields of the name by one with this value; an empty value leaves none."),
  add: z.record(nameSchema, valueSchema).default({}).describe("Adds a field beside those that are there; an empty value adds none."),
  remove: z.array(nameSchema).default([]).describe("Removes all fields of the name."),
})

type Side = z.infer<typeof sideSchema>

const hostSchema = valueSchema.refine(
  value => value !== "" && !/[\s/@?#]/.test(value),
  "expected a host with or without a port, such as app.internal:8080",
)

const options = z.strictObject({
  request: sideSchema.prefault({}).describe("Fields of the request towards the peer or origin."),
  response: sideSchema.prefault({}).describe("Fields of the response towards the client, local replies included."),
  host: hostSchema.optional().describe("What Host says towards the peer. Default: what the client asked for."),
})

export function problemOfName(name: string): string {
  const lower = name.toLowerCase()
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower)) return `expected the name of a field (letters, digits, -), got ${JSON.stringify(name)}`
  if (lower === "host") return "Host is set by the option host of this filter, not among the fields"
  return framing.has(lower) ? `${name} is made by the proxy for each connection and cannot be changed` : ""
}

function problemOfValue(value: string): string {
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return "expected a value without line breaks and control characters (RFC 9110 section 5.5)"
  if (value !== value.trim()) return "expected a value without spaces at its ends (RFC 9110 section 5.5)"
  try {
    compileValue(value)
  } catch (error) {
    if (error instanceof TemplateError) return error.message
    throw error
  }
  return ""
}

/** The change of one side, null when there is none. */
function compileSide(side: Side): ((x: Exchange, fields: Fields) => void) | null {
  const edits = [...editsOf(side.set, true), ...editsOf(side.add, false)]
  const removals = side.remove.map(name => name.toLowerCase())
  return edits.length + removals.length === 0 ? null : (x, fields) => editFields(x, fields, removals, edits)
}

function editsOf(values: Readonly<Record<string, string>>, replaces: boolean): FieldEdit[] {
  return Object.entries(values).map(([name, value]) => ({ name, lower: name.toLowerCase(), replaces, value: compileValue(value) }))
}

export default defineFilter({
  name: "headers",
  summary: "Sets, adds and removes fields of requests and responses.",
  options,
  build(settings) {
    const request = compileSide(settings.request)
    const response = compileSide(settings.response)
    const host = settings.host === undefined ? null : compileValue(settings.host)
    const onRequest = (x: Exchange): Verdict => {
      if (request !== null) request(x, x.request)
      if (host !== null) setHost(x, readValue(x, host))
      return NEXT
    }
    const onResponse = (x: Exchange): Verdict => {
      response!(x, x.response)
      return NEXT
    }
    return {
      ...(request !== null || host !== null ? { request: onRequest } : {}),
      ...(response !== null ? { response: onResponse } : {}),
      describe: () => describe(settings),
    }
  },
})

/** A variable that came out empty leaves Host as it is: a request without one is refused by everybody. */
function setHost(x: Exchange, host: string): void {
  if (host !== "") x.request.set(NAME.host, "Host", host)
}

function describe(settings: z.infer<typeof options>): string {
  const said: string[] = []
  for (const side of ["request", "response"] as const) {
    const { set, add, remove } = settings[side]
    const parts = [
      ...Object.keys(set).map(name => `set ${name}`),
      ...Object.keys(add).map(name => `add ${name}`),
      ...remove.map(name => `remove ${name}`),
    ]
    if (parts.length > 0) said.push(`${side}: ${parts.join(", ")}`)
  }
  if (settings.host !== undefined) said.push(`host ${settings.host}`)
  return said.join("; ")
}
