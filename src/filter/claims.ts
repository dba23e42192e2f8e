import type { JWTPayload } from "jose"
import { z } from "zod"
import { parseTemplate, TemplateError, type TemplatePart } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { ClaimedNames } from "./claimed-names.ts"
import { fieldNameSchema } from "./field-name.ts"

const words = { plain: [], withArgument: ["claim"] }

const valueSchema = z.string().superRefine((value, context) => {
  try {
    if (/[\x00-\x1f\x7f]/.test(value)) throw new TemplateError("expected a value without line breaks and control characters")
    parseTemplate(value, words)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
})

/** `set: { X-User: "${claim:sub}" }`. */
export const claimFieldsSchema = z
  .record(fieldNameSchema, valueSchema)
  .default({})
  .describe(
    "Fields for the peer, made of claims: `{ X-User: ${claim:sub} }`; `${claim:a.b}` looks inside. What clients send of these names is removed.",
  )

/** `claims: { role: [admin, ops] }`. */
export const claimRulesSchema = z
  .record(
    z.string().min(1),
    z
      .union([z.string(), z.number(), z.boolean()])
      .transform(String)
      .pipe(z.string())
      .or(z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)).min(1)),
  )
  .default({})
  .describe("Claims and the values that let in: `{ role: [admin, ops] }`; of a claim with a list one value is enough.")

/** A claim by its name, or inside of others by names with dots between. */
function claimAt(claims: JWTPayload, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** The values of a claim as text: one, those of a list, or none. Objects are none. */
export function claimValues(claims: JWTPayload, path: string): string[] {
  const value = claimAt(claims, path)
  const list = Array.isArray(value) ? value : [value]
  return list.filter(one => typeof one === "string" || typeof one === "number" || typeof one === "boolean").map(String)
}

/** Whether each claim has one of its values. */
export function claimsAllow(claims: JWTPayload, rules: Readonly<Record<string, string | readonly string[]>>): boolean {
  return Object.entries(rules).every(([path, wanted]) => {
    const values = claimValues(claims, path)
    return typeof wanted === "string" ? values.includes(wanted) : wanted.some(one => values.includes(one))
  })
}

/** What scopes a token has (RFC 8693 section 4.2; `scp` of other issuers). */
export function scopesOf(claims: JWTPayload): ReadonlySet<string> {
  return new Set([...claimValues(claims, "scope"), ...claimValues(claims, "scp")].flatMap(text => text.split(" ")))
}

/** Fields made of claims. */
export class ClaimFields {
  private readonly fields: readonly { readonly name: string; readonly parts: readonly TemplatePart[] }[]
  private readonly names: ClaimedNames

  constructor(set: Readonly<Record<string, string>>) {
    this.fields = Object.entries(set).map(([name, value]) => ({ name, parts: parseTemplate(value, words) }))
    this.names = new ClaimedNames(Object.keys(set))
  }

  /** Claims that are needed. */
  get claims(): string[] {
    return this.fields.flatMap(({ parts }) => parts.flatMap(part => (typeof part === "string" ? [] : [part.argument])))
  }

  /** Lines ready to be sent. A field that comes out empty is left out. */
  linesOf(claims: JWTPayload): string {
    let lines = ""
    for (const { name, parts } of this.fields) {
      const value = parts.map(part => (typeof part === "string" ? part : claimValues(claims, part.argument).join(","))).join("")
      const octets = utf8Octets(value)
      if (octets !== "") lines += `${name}: ${octets}\r\n`
    }
    return lines
  }

  /** What the client says of itself under these names is nobody's word. */
  dropFrom(x: Exchange): void {
    this.names.dropFrom(x)
  }
}

/** UTF-8 octets of a text, one character each; control characters, which would end the line, become spaces. */
function utf8Octets(text: string): string {
  return Buffer.from(text.replace(/[\x00-\x1f\x7f]/g, " ").trim(), "utf8").toString("latin1")
}
