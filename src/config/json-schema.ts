import { z } from "zod"
import { type ChoiceFacts, choiceFacts, isScriptOnly } from "./schema/choice.ts"
import { configSchema } from "./schema.ts"

type JsonSchema = Record<string, unknown>

/** JSON Schema (draft 2020-12) of what operators write, for editors: `# yaml-language-server: $schema=…`. */
export function configJsonSchema(): JsonSchema {
  return {
    ...describeSchema(configSchema),
    title: "Bothways config",
    description: "Config of Bothways. Durations are written 250ms, 5s, 1m, 1h, 2d; sizes 64KB, 10MB, 1GB.",
  }
}

/** JSON Schema of one part. What only a script can write (functions) is left open. */
export function describeSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    reused: "inline",
    override: ({ zodSchema, jsonSchema }) => {
      const facts = factsOf(zodSchema)
      if (isScriptOnly(zodSchema)) Object.assign(jsonSchema, { not: {} })
      if (facts) Object.assign(jsonSchema, describeChoice(facts))
    },
  }) as JsonSchema
}

/** A choice is a pipe out of `unknown`, and often inside further pipes. */
export function factsOf(schema: z.core.$ZodType): ChoiceFacts | undefined {
  const facts = choiceFacts(schema)
  if (facts || !(schema instanceof z.ZodPipe)) return facts
  return factsOf(schema.in)
}

function describeChoice({ shape, words, many }: ChoiceFacts): JsonSchema {
  const written = Object.entries(shape).filter(([, schema]) => !isScriptOnly(schema))
  const properties = Object.fromEntries(written.map(([name, schema]) => [name, bare(describeSchema(schema))]))
  const map = { type: "object", properties, additionalProperties: false, ...(many ? {} : { minProperties: 1, maxProperties: 1 }) }
  return words ? { anyOf: [{ type: "string", enum: Object.keys(shape) }, map] } : map
}

function bare({ $schema: _, ...schema }: JsonSchema): JsonSchema {
  return schema
}
