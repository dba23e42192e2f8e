import { z } from "zod"
import { AddressError, CidrSet, count, duration, faults, field, listOf, maybe, nameSchema, nearest, pathSchema } from "../../base/index.ts"
import { keyMeaning, keySchema } from "../keyed/limit-key.ts"
import { statusSchema } from "../keyed/status-list.ts"

const codes = faults.map(fault => fault.code)

const faultSchema = z.string().superRefine((code, context) => {
  if (codes.includes(code)) return
  const near = nearest(code, codes)
  context.addIssue({
    code: "custom",
    message: `there is no fault ${JSON.stringify(code)}${near === null ? "" : `; did you mean ${near}?`} (docs/faults.md lists them)`,
  })
})

const causeSchema = z
  .strictObject({
    status: maybe(listOf(statusSchema), "Answers with one of these statuses, such as 401 or 4xx."),
    fault: maybe(listOf(faultSchema), "Exchanges that end with one of these faults, such as proxy.rate-limited."),
    times: field(count(1, 1_000_000), 1, "So many of them within `per` are a cause."),
    per: field(duration({ min: 1000 }), "1m", "The time that is looked back on."),
    counter: maybe(
      z.strictObject({
        name: nameSchema.describe("Name that a filter `count` gives."),
        over: z.number().min(0).max(1e15).describe("More than this is a cause."),
      }),
      "A counter that the request's key has driven too high.",
    ),
  })
  .superRefine(({ status, fault, counter }, context) => {
    const given = [status, fault, counter].filter(value => value !== null).length
    if (given !== 1) context.addIssue({ code: "custom", message: "expected one of status, fault and counter: what is a cause of a ban?" })
  })

export type BanCause = z.output<typeof causeSchema>

const rangeSchema = z.string().superRefine((text, context) => {
  try {
    CidrSet.parse([text])
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
})

/** Variables whose values may be secrets. */
const SECRET = /\$\{(?:requestField|cookie|parameter):/

/** Keys of these are shown and kept in part only. */
export function mayBeSecret(key: string): boolean {
  return SECRET.test(key) || key.includes("$query")
}

export const banOptions = z
  .strictObject({
    when: field(
      z.union([z.literal("always").transform((): "always" => "always"), listOf(causeSchema), z.array(z.never())]),
      [],
      "What a key is banned for: a cause or a list of them; always = for coming here at all. Default: nothing, only bans of the zone are enforced.",
    ),
    for: field(duration({ min: 1000 }), "10m", "How long a ban lasts."),
    escalate: field(z.number().min(1).max(100), 1, "Each ban of a key is so many times as long as the one before."),
    forMax: field(duration({ min: 1000 }), "7d", "The longest that a ban becomes."),
    forget: field(duration(), "1d", "So long after its end a ban no longer makes the next one longer."),
    key: field(keySchema, "client", keyMeaning),
    zone: field(nameSchema, "default", "Filters with the same zone have the same bans."),
    action: field(
      z.enum(["refuse", "close"]),
      "refuse",
      "refuse answers 403; close ends the connection (the stream, in HTTP/2 and 3) without a word.",
    ),
    exempt: field(listOf(rangeSchema).or(z.array(z.never())), [], "Client addresses that are never banned or refused: ranges such as 10.0.0.0/8."),
    bansMax: field(count(1, 1_000_000), 10_000, "Bans at a time; beyond them the one whose key has been away the longest ends."),
    persist: maybe(pathSchema, "File that keeps the bans over a restart."),
  })
  .superRefine(({ persist, key }, context) => {
    if (persist !== null && mayBeSecret(key))
      context.addIssue({
        code: "custom",
        path: ["persist"],
        message: "keys with a field, cookie or parameter may be secrets and are not written to a file",
      })
  })

export type BanOptions = z.output<typeof banOptions>
