import { z } from "zod"
import { count, duration, field, maybe, nameSchema, pathSchema, periodWords, size, zoneTrouble } from "../../base/index.ts"
import { blockPageSchema } from "../../plugin/index.ts"
import { keyMeaning, keySchema } from "../keyed/limit-key.ts"

const limitShape = {
  bytes: maybe(size({ min: 1 }), "Octets, both ways: of bodies and of what tunnels carry."),
  requests: maybe(count(0, 1_000_000_000), "Requests; a tunnel is one."),
  time: maybe(duration({ min: 60_000 }), "Minutes in which something was asked for or moved, in whole minutes."),
}

const groupSchema = z.union([z.literal("unlimited"), z.strictObject(limitShape)], { error: "expected limits such as { bytes: 1GB }, or unlimited" })

const zoneSchema = z.string().superRefine((zone, context) => {
  const message = zoneTrouble(zone)
  if (message !== "") context.addIssue({ code: "custom", message })
})

export const quotaOptions = z
  .strictObject({
    name: field(nameSchema, "default", "Name in the log and for `bothways quotas`. Filters with the same name, period and zone count together."),
    key: field(keySchema, "user", keyMeaning),
    ...limitShape,
    groups: field(
      z.record(z.string().min(1), groupSchema),
      {},
      "What members of a group have instead; of several groups the one that stands first here counts. unlimited = is not even counted.",
    ),
    per: field(z.enum(periodWords), "day", "hour, day, week (from Monday) or month, by the clock of timeZone."),
    timeZone: maybe(zoneSchema, "Such as Europe/Berlin. Default: the machine's."),
    withoutKey: field(z.enum(["pass", "refuse"]), "pass", "What becomes of requests that have no key, such as of nobody who is logged in."),
    mode: field(z.enum(["enforce", "log-only"]), "enforce", "log-only: counts, and tells in the log what would have been refused."),
    page: field(
      blockPageSchema,
      { title: "Used up" as never, message: "What you may use in this period is used up." as never },
      "What a client gets that has used up what it may.",
    ),
    keysMax: field(count(1, 1_000_000), 10_000, "Keys at a time; beyond them the longest idle is forgotten, and begins anew."),
    persist: maybe(pathSchema, "File that keeps what was used over a restart, written every few seconds."),
  })
  .refine(({ bytes, requests, time, groups }) => bytes !== null || requests !== null || time !== null || Object.keys(groups).length > 0, {
    error: "expected a limit such as bytes: 1GB, requests: 1000 or time: 2h",
  })

export type QuotaOptions = z.output<typeof quotaOptions>
