import { isIP } from "node:net"
import { z } from "zod"
import { duration, field, maybe, nameSchema, normaliseIp } from "../../base/index.ts"

const sourceSchema = z
  .string()
  .refine(text => isIP(text) !== 0, "expected an address of this machine, such as 192.0.2.10 or 2001:db8::10")
  .transform(text => normaliseIp(text)!)

const writtenSchema = z.strictObject({
  via: maybe(nameSchema, "Cluster of parent proxies that requests leave by."),
  source: maybe(sourceSchema, "Address of this machine that connections come from."),
  sources: maybe(
    z.array(sourceSchema).min(1).max(4096),
    "Several of them, taken in turn. IPv4 and IPv6 are kept apart: what has no address of the origin's kind does not go there.",
  ),
  rotate: field(
    z.enum(["request", "client", "time"]),
    "request",
    "When another source is taken: at each request, never for the same client, or every so often.",
  ),
  every: field(duration({ min: 1000 }), "10m", "How long one source is taken, where rotate is time."),
})

/** A way out, with a label: through parents, from addresses of ours, or as the system chooses. */
export const exitSchema = writtenSchema.transform(({ source, sources, ...rest }) => ({
  ...rest,
  sources: [...(source === null ? [] : [source]), ...(sources ?? [])],
}))

export type ExitConfig = z.output<typeof exitSchema>

const exitChoiceSchema = z.strictObject({
  header: maybe(
    z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header field name")
      .toLowerCase(),
    "Field in which a client names its exit; it goes no further. A label that is none gets 400. Whoever may use the listener may then use every exit.",
  ),
  user: field(z.record(z.string().min(1), nameSchema), {}, "Exits of users."),
  group: field(z.record(z.string().min(1), nameSchema), {}, "Exits of groups; the first that the user is in counts."),
  default: nameSchema.describe("Exit of everybody else."),
})

/** How the exit of a request is chosen: header first, then user, then group. */
export type ExitChoice = z.output<typeof exitChoiceSchema>

export const exitUseSchema = z.union([
  nameSchema.transform((label): ExitChoice => ({ header: null, user: {}, group: {}, default: label })),
  exitChoiceSchema,
]) as unknown as z.ZodType<ExitChoice, string | z.input<typeof exitChoiceSchema>>

/** The only exit that there is on this route; null = it depends on the request. */
export function fixedExit({ header, user, group, default: label }: ExitChoice): string | null {
  return header === null && Object.keys(user).length === 0 && Object.keys(group).length === 0 ? label : null
}
