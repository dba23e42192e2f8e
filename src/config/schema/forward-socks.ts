import { z } from "zod"
import { field } from "../../base/index.ts"

const forwardSocksLongSchema = z.strictObject({
  versions: field(z.array(z.union([z.literal(4), z.literal(5)])).min(1), [4, 5], "Versions that are taken; 4 stands for 4 and 4a."),
  only: field(z.boolean(), false, "Speaks nothing but SOCKS on this listener."),
})

export type SocksConfig = z.output<typeof forwardSocksLongSchema>

// `true` means the long form with nothing in it.
export const forwardSocksSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): SocksConfig => forwardSocksLongSchema.parse({})),
  forwardSocksLongSchema,
])
