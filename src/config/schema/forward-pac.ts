import { z } from "zod"
import { type PacOptions, pacOptions } from "../../answer/index.ts"

// `true` means the long form with nothing in it.
export const forwardPacSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): PacOptions => pacOptions.parse({})),
  pacOptions,
])
