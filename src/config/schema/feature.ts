import type { z } from "zod"

interface Definition {
  readonly name: string
  readonly summary: string
  readonly options: z.ZodType
}

/** The options of all features of a kind, by name, for `choice` and `choices`. */
export function featureShape(definitions: readonly Definition[]): Record<string, z.ZodType> {
  return Object.fromEntries(definitions.map(definition => [definition.name, definition.options.describe(definition.summary)]))
}
