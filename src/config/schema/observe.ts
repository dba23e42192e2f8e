import { z } from "zod"
import { logFormats } from "../features.gen.ts"
import { choice } from "./choice.ts"
import { featureShape } from "./feature.ts"
import { field, off, pathSchema } from "../../base/index.ts"

export type LogTarget = { readonly kind: "stdout" } | { readonly kind: "none" } | { readonly kind: "file"; readonly path: string }

const logTargetSchema = z.union([
  z.enum(["stdout", "none"]).transform((kind): LogTarget => ({ kind })),
  z
    .strictObject({ file: pathSchema.describe("File that lines are appended to; opened again on SIGUSR1.") })
    .transform(({ file }): LogTarget => ({ kind: "file", path: file })),
])

const accessLogSchema = z.strictObject({
  format: field(choice("log format", featureShape(logFormats), true), "json", "How a line looks."),
  to: field(logTargetSchema, "stdout", "Where lines go."),
})

export const observeSchema = z.strictObject({
  accessLog: field(accessLogSchema, {}, "One line for each exchange."),
  metrics: field(
    z.union([off.transform(() => false), z.strictObject({}).transform(() => true)]),
    {},
    "Counters and histograms on the admin listener's /metrics. off = none.",
  ),
})
