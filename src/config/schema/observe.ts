import { z } from "zod"
import { logFormats } from "../features.gen.ts"
import { choice } from "./choice.ts"
import { featureShape } from "./feature.ts"
import { count, field, maybe, off, pathSchema } from "../../base/index.ts"

export type LogTarget = { readonly kind: "stdout" } | { readonly kind: "none" } | { readonly kind: "file"; readonly path: string }

const logTargetSchema = z.union([
  z.enum(["stdout", "none"]).transform((kind): LogTarget => ({ kind })),
  z
    .strictObject({ file: pathSchema.describe("File that lines are appended to; opened again on SIGUSR1.") })
    .transform(({ file }): LogTarget => ({ kind: "file", path: file })),
])

const privacyLongSchema = z.strictObject({
  clients: field(
    z.enum(["keep", "truncate", "hash", "drop"]),
    "truncate",
    "Addresses: truncate keeps the network (/24, /48), hash one word a day for each.",
  ),
  users: field(z.enum(["keep", "hash", "drop"]), "hash", "Names of users."),
  targets: field(z.enum(["keep", "no-query", "host"]), "no-query", "What was asked for: without the query, or the host alone."),
  referers: field(z.enum(["keep", "host", "drop"]), "drop", "Where clients came from."),
  userAgents: field(z.enum(["keep", "drop"]), "drop", "What clients say that they are."),
})

// `true` means the long form with nothing in it.
const privacySchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): z.output<typeof privacyLongSchema> => privacyLongSchema.parse({})),
  privacyLongSchema,
])

const rotateSchema = z.strictObject({
  every: field(z.enum(["hour", "day"]), "day", "When a new file begins (UTC)."),
  keepDays: field(count(1, 3650), 30, "Files that are older are deleted."),
})

const accessLogSchema = z.strictObject({
  format: field(choice("log format", featureShape(logFormats), true), "json", "How a line looks."),
  to: field(logTargetSchema, "stdout", "Where lines go."),
  privacy: field(
    privacySchema,
    false,
    "Lines keep no personal data. true = addresses truncated, users hashed, no queries, referers and user agents.",
  ),
  rotate: maybe(
    rotateSchema,
    "Files only: begins a new file by itself, as access.log.2026-11-26, and deletes old ones. Default: rotation is left to others (SIGUSR1).",
  ),
})

export const observeSchema = z.strictObject({
  accessLog: field(accessLogSchema, {}, "One line for each exchange."),
  metrics: field(
    z.union([off.transform(() => false), z.strictObject({}).transform(() => true)]),
    {},
    "Counters and histograms on the admin listener's /metrics. off = none.",
  ),
})
