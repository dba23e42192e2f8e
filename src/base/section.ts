import { z } from "zod"

/** A field with a default, written as the operator would write it, and its meaning. */
export function field<S extends z.ZodType>(schema: S, fallback: z.input<S>, meaning: string): z.ZodPrefault<S> {
  return z.prefault(schema, fallback as never).describe(meaning)
}

/** A field that may be absent; absent is null in the model. */
export function maybe<S extends z.ZodType>(schema: S, meaning: string) {
  return schema
    .optional()
    .transform((value): z.output<S> | null => value ?? null)
    .describe(meaning)
}

/** One value or a list of them; always a list in the model. */
export function listOf<S extends z.ZodType>(schema: S) {
  return z.union([schema.transform(value => [value]), z.array(schema).min(1)]) as unknown as z.ZodType<z.output<S>[], z.input<S> | z.input<S>[]>
}

type Overrides<S extends Record<string, z.ZodPrefault<z.ZodType>>> = { [K in keyof S]: z.ZodOptional<ReturnType<S[K]["unwrap"]>> }

/** The same fields, each of them optional and without a default: what one route says differently. */
export function overridesOf<S extends Record<string, z.ZodPrefault<z.ZodType>>>(section: z.ZodObject<S>) {
  const shape = Object.fromEntries(
    Object.entries(section.shape).map(([name, schema]) => [
      name,
      schema
        .unwrap()
        .optional()
        .describe(schema.description ?? ""),
    ]),
  )
  return z.strictObject(shape as Overrides<S>)
}

/** `off`, for what has a long form or nothing. `false` is what people who think of YAML 1.1 write. */
export const off = z.union([z.literal("off"), z.literal(false)]).transform((): null => null)

/** A name that the operator gives to a listener, cluster or cache. */
export const nameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "expected a name of letters, digits, dots, dashes and underscores that starts with a letter or digit, at most 64 characters",
  )

/** The name of a file or directory, relative to the config file. */
export const pathSchema = z
  .string()
  .min(1)
  .refine(path => !path.includes("\0"), "a path cannot hold a NUL octet")
  .meta({ title: "path" })

/** A whole number within bounds, both included. */
export function count(min: number, max: number) {
  return z.int().min(min).max(max)
}
