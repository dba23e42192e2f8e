import { z } from "zod"
import { duration, field, ratio } from "../../base/index.ts"

const longSchema = z.strictObject({
  duration: duration({ min: 1000, max: 86_400_000 }).describe("Time until a peer has its full weight."),
  from: field(ratio(), 0.1, "Share of its weight that it begins with."),
})

/** `30s`, or with the share that a peer begins with. */
export const slowStartSchema = z.union([
  duration({ min: 1000, max: 86_400_000 }).transform((ms): z.output<typeof longSchema> => ({ duration: ms, from: 0.1 })),
  longSchema,
])
