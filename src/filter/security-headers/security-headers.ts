import { z } from "zod"
import { type Exchange, NEXT } from "../../flow/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { fieldNameSchema } from "../field-name.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"

const valueSchema = z
  .string()
  .min(1)
  .max(8192)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "expected printable ASCII without spaces at its ends")

/** A field with a value that is sane for most sites; `false` leaves it out. */
const saneField = (value: string, meaning: string) =>
  z
    .union([valueSchema, z.literal(false)])
    .default(value)
    .describe(`${meaning} \`false\`: not sent.`)

const options = z
  .strictObject({
    hsts: saneField("max-age=31536000", "Strict-Transport-Security: browsers come by HTTPS only. On HTTPS alone (RFC 6797 section 7.2)."),
    contentTypeOptions: saneField("nosniff", "X-Content-Type-Options: no guessing of types."),
    referrerPolicy: saneField("strict-origin-when-cross-origin", "Referrer-Policy: other sites learn the origin, not the page."),
    frameOptions: saneField("SAMEORIGIN", "X-Frame-Options: who may show the page in a frame (clickjacking)."),
    permissionsPolicy: saneField("camera=(), microphone=(), geolocation=()", "Permissions-Policy: what pages may ask of the device."),
    openerPolicy: saneField("same-origin", "Cross-Origin-Opener-Policy: windows of other sites cannot reach in."),
    resourcePolicy: valueSchema.optional().describe("Cross-Origin-Resource-Policy: same-origin, same-site or cross-origin. Default: not sent."),
    csp: valueSchema.optional().describe("Content-Security-Policy, such as `default-src 'self'; frame-ancestors 'none'`. Default: not sent."),
    cspReportOnly: valueSchema.optional().describe("Content-Security-Policy-Report-Only: the same for a trial. Default: not sent."),
    override: z.boolean().default(false).describe("Replaces what the peer sent of these fields. Default: what it sent stays."),
    remove: z
      .array(fieldNameSchema)
      .default([])
      .describe("Fields that tell too much of the peer, such as X-AspNet-Version. Server and X-Powered-By of clusters go anyway."),
  })
  .prefault({})

type Settings = z.infer<typeof options>

/** A field of ours, ready to be sent. */
interface SaneField {
  readonly lower: string
  readonly line: string
  readonly secureOnly: boolean
  /** About what a page may load: our own page of a fault has its style inside, and nothing else. */
  readonly isPolicy: boolean
}

function fieldsOf(settings: Settings): SaneField[] {
  const pairs: readonly (readonly [string, string | false | undefined])[] = [
    ["Strict-Transport-Security", settings.hsts],
    ["X-Content-Type-Options", settings.contentTypeOptions],
    ["Referrer-Policy", settings.referrerPolicy],
    ["X-Frame-Options", settings.frameOptions],
    ["Permissions-Policy", settings.permissionsPolicy],
    ["Cross-Origin-Opener-Policy", settings.openerPolicy],
    ["Cross-Origin-Resource-Policy", settings.resourcePolicy],
    ["Content-Security-Policy", settings.csp],
    ["Content-Security-Policy-Report-Only", settings.cspReportOnly],
  ]
  return pairs.flatMap(([name, value]) =>
    value
      ? [
          {
            lower: name.toLowerCase(),
            line: `${name}: ${value}\r\n`,
            secureOnly: name === "Strict-Transport-Security",
            isPolicy: name.startsWith("Content-Security-Policy"),
          },
        ]
      : [],
  )
}

export default defineFilter({
  name: "security-headers",
  summary: "Fields that make browsers careful: HSTS, no sniffing, no frames, and a Content-Security-Policy if wished.",
  options,
  build(settings) {
    const ours = fieldsOf(settings)
    const removals = settings.remove.map(name => name.toLowerCase())
    const { override } = settings
    return {
      response(x: Exchange) {
        const { response } = x
        for (let i = 0; i < removals.length; i++) dropField(response, removals[i]!)
        addFields(x, ours, override)
        return NEXT
      },
      describe: () => ours.map(field => field.lower).join(", "),
    }
  },
})

function addFields({ response, scheme, fault }: Exchange, ours: readonly SaneField[], override: boolean): void {
  let added = ""
  for (let i = 0; i < ours.length; i++) {
    const { lower, line, secureOnly, isPolicy } = ours[i]!
    if ((secureOnly && scheme !== "https") || (isPolicy && fault !== null)) continue
    if (override) dropField(response, lower)
    else if (fieldText(response, lower) !== "") continue
    added += line
  }
  response.extra += added
}
