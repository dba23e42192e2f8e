import { z } from "zod"
import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { BODY_NONE, NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"

const methodSchema = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, "expected a method such as GET; methods are case-sensitive (RFC 9110 section 9.1)")
  .refine(
    method => method !== "CONNECT" && method !== "TRACE",
    "CONNECT and TRACE are for proxies themselves and never passed on by a route of this kind",
  )

const typeSchema = z
  .string()
  .toLowerCase()
  .regex(
    /^[a-z0-9!#$&^_.+-]+\/(?:\*|\*\+[a-z0-9.-]+|[a-z0-9!#$&^_.+-]+)$/,
    "expected a media type such as application/json, text/* or application/*+json",
  )

const options = z
  .strictObject({
    methods: z
      .array(methodSchema)
      .min(1)
      .optional()
      .describe("Methods that are let through; GET brings HEAD with it. Others get 405 and the list in Allow. Default: all."),
    types: z
      .array(typeSchema)
      .min(1)
      .optional()
      .describe(
        "Media types of request bodies: application/json, text/*, application/*+json. A body of another or of no type gets 415. Default: all.",
      ),
  })
  .refine(settings => settings.methods !== undefined || settings.types !== undefined, "expected methods, types or both")

export default defineFilter({
  name: "accept-only",
  summary: "Lets through only some methods (405, RFC 9110 section 15.5.6) and only some types of request bodies (415, section 15.5.16).",
  options,
  build({ methods, types }) {
    const allowed = methods === undefined ? null : new Set(methods.includes("GET") ? ["GET", "HEAD", ...methods] : methods)
    const allow = allowed === null ? "" : `Allow: ${[...allowed].join(", ")}\r\n`
    const rule = types === undefined ? null : new TypeRule(types)
    return {
      access(x) {
        if (allowed !== null && !allowed.has(x.method)) return refuse(x, FAULT.methodForbidden, allow)
        if (rule !== null && x.requestBody !== BODY_NONE && !rule.takes(x)) return refuse(x, FAULT.typeUnsupported, rule.reply)
        return NEXT
      },
      describe: () => [allowed === null ? "" : [...allowed].join(" "), types === undefined ? "" : types.join(" ")].filter(Boolean).join("; "),
    }
  },
})

function refuse(x: Exchange, fault: typeof FAULT.methodForbidden, lines: string): Verdict {
  x.fault = fault
  x.replyFields = lines
  return FAULT_VERDICT
}

/** Which media types a body may have. */
class TypeRule {
  /** What would have been taken (RFC 9110 section 15.5.16). */
  readonly reply: string
  private readonly exact: ReadonlySet<string>
  private readonly ranges: readonly (readonly [start: string, end: string])[]

  constructor(types: readonly string[]) {
    this.exact = new Set(types.filter(type => !type.includes("*")))
    this.ranges = types.filter(type => type.includes("*")).map(type => type.split("*") as [string, string])
    // Accept knows no */*+json.
    const said = types.filter(type => !type.includes("*+"))
    this.reply = said.length === 0 ? "" : `Accept: ${said.join(", ")}\r\n`
  }

  /** Two types are two answers to one question. */
  takes({ request }: Exchange): boolean {
    if (!request.has(NAME.contentType) || request.repeated(NAME.contentType)) return false
    const value = request.get(NAME.contentType)
    const end = value.indexOf(";")
    const type = (end < 0 ? value : value.substring(0, end)).trimEnd().toLowerCase()
    if (this.exact.has(type)) return true
    for (const [start, tail] of this.ranges)
      if (type.length > start.length + tail.length && type.startsWith(start) && type.endsWith(tail)) return true
    return false
  }
}
