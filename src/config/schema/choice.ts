import { z } from "zod"
import { type IssueFacts, joinOr, oneOf, sentence, shown } from "../issue-sentence.ts"

type Shape = Readonly<Record<string, z.ZodType>>

/** One named thing with its parsed options: a filter, a matcher, a balancer, a destination. */
export type ChoiceOf<S extends Shape> = { [K in keyof S & string]: { readonly name: K; readonly options: z.output<S[K]> } }[keyof S & string]

/** What operators write for it. */
export type ChoiceInput<S extends Shape> = { [K in keyof S & string]: { readonly [N in K]: z.input<S[K]> } }[keyof S & string]

/** How a choice is built, for the JSON Schema and the reference page: its own zod schema is opaque to them. */
export interface ChoiceFacts {
  /** "filter", "matcher": what messages call an unknown key. */
  readonly noun: string
  readonly shape: Shape
  /** The bare word is valid too and means: all options at their defaults. */
  readonly words: boolean
  /** Several keys may stand side by side. */
  readonly many: boolean
}

const factsOfSchema = new WeakMap<z.core.$ZodType, ChoiceFacts>()

/** How `schema` was built when it is a choice, else undefined. */
export function choiceFacts(schema: z.core.$ZodType): ChoiceFacts | undefined {
  return factsOfSchema.get(schema)
}

const scriptOnlySchemas = new WeakSet<z.core.$ZodType>()

/** Marks what only a TypeScript config can write, so that the JSON Schema leaves it out. */
export function scriptOnly<S extends z.ZodType>(schema: S): S {
  scriptOnlySchemas.add(schema)
  return schema
}

export function isScriptOnly(schema: z.core.$ZodType): boolean {
  return scriptOnlySchemas.has(schema)
}

/**
 * A map with exactly one key, the name of something whose options are the value: `{ cache: { store: main } }`.
 * With `words`, also the bare name. zod's union of one-key objects would say the same thing, but answers every slip with a nest of all branches.
 */
export function choice<S extends Shape>(noun: string, shape: S, words = false) {
  const facts: ChoiceFacts = { noun, shape, words, many: false }
  const schema = z.unknown().transform((input, context): ChoiceOf<S> => {
    const entries = entriesOf(input, facts, context)
    if (entries === null) return z.NEVER
    if (entries.length !== 1)
      return refuse(
        context,
        input,
        entries.length === 0 ? noneSentence(facts) : `expected one ${noun}, got ${entries.length}: ${entries.map(e => e[0]).join(", ")}`,
      )
    const parsed = parseEntries(entries, facts, context)
    return (parsed?.[0] as ChoiceOf<S> | undefined) ?? z.NEVER
  })
  factsOfSchema.set(schema, facts)
  return schema as z.ZodType<ChoiceOf<S>, ChoiceInput<S> | string>
}

/** A map whose keys each name something with options; the result keeps the order of `shape`. */
export function choices<S extends Shape>(noun: string, shape: S) {
  const facts: ChoiceFacts = { noun, shape, words: false, many: true }
  const schema = z.unknown().transform((input, context): ChoiceOf<S>[] => {
    const entries = entriesOf(input, facts, context)
    return ((entries && parseEntries(entries, facts, context)) as ChoiceOf<S>[] | null) ?? z.NEVER
  })
  factsOfSchema.set(schema, facts)
  return schema as z.ZodType<ChoiceOf<S>[], { readonly [K in keyof S]?: z.input<S[K]> }>
}

type Context = z.core.$RefinementCtx

function entriesOf(input: unknown, facts: ChoiceFacts, context: Context): [string, unknown][] | null {
  if (typeof input === "string" && facts.words) return [[input, undefined]]
  if (typeof input === "object" && input !== null && !Array.isArray(input)) {
    return Object.entries(input).filter(([name, value]) => value !== undefined || !Object.hasOwn(facts.shape, name))
  }
  const names = Object.keys(facts.shape)
  const wanted = wantedOf(facts)
  const allowed = facts.words && typeof input === "string" ? names : undefined
  push(context, { code: "invalid_type", expected: "object", input, wanted, allowed, message: `expected ${wanted}, got ${shown(input)}` })
  return null
}

/** Parses each value by the schema of its key and tells all issues; null when there were some. */
function parseEntries(entries: readonly [string, unknown][], facts: ChoiceFacts, context: Context): { name: string; options: unknown }[] | null {
  const done = new Map<string, unknown>()
  const bare = typeof context.value === "string"
  let ok = true
  for (const [name, value] of entries) {
    if (!Object.hasOwn(facts.shape, name)) {
      unknownName(name, bare, facts, context)
      ok = false
      continue
    }
    const result = parseOne(facts.shape[name]!, value)
    if (result.success) done.set(name, result.data)
    else {
      for (const issue of result.error.issues) pass(context, issue, bare ? [] : [name])
      ok = false
    }
  }
  return ok
    ? Object.keys(facts.shape)
        .filter(name => done.has(name))
        .map(name => ({ name, options: done.get(name) }))
    : null
}

/** `name:` with nothing behind it and the bare word both mean the defaults, whether the options' schema has one for nothing or for an empty map. */
function parseOne(schema: z.ZodType, value: unknown) {
  if (value !== undefined && value !== null) return schema.safeParse(value, { error: sentence })
  const absent = schema.safeParse(undefined, { error: sentence })
  return absent.success ? absent : schema.safeParse({}, { error: sentence })
}

function unknownName(name: string, bare: boolean, facts: ChoiceFacts, context: Context): void {
  const allowed = Object.keys(facts.shape)
  if (bare)
    push(context, {
      code: "invalid_value",
      values: allowed,
      input: name,
      allowed,
      wanted: oneOf(allowed),
      noun: facts.noun,
      message: `unknown ${facts.noun} ${shown(name)}`,
    })
  else push(context, unknownKey(name, [], { allowed, noun: facts.noun }))
}

// zod lets a value with unrecognized_keys through to the next transform, which must not see half a choice; so they travel as custom issues.
function pass(context: Context, issue: z.core.$ZodIssue & IssueFacts, prefix: readonly PropertyKey[]): void {
  const path = [...prefix, ...issue.path]
  if (issue.code !== "unrecognized_keys") return push(context, { ...issue, path })
  for (const key of issue.keys) push(context, unknownKey(key, path, issue))
}

function unknownKey(key: string, path: readonly PropertyKey[], { allowed = [], noun = "key" }: IssueFacts): Record<string, unknown> & IssueFacts {
  return { code: "custom", path, unknown: key, allowed, noun, message: `unknown ${noun}` }
}

function wantedOf({ noun, shape, words, many }: ChoiceFacts): string {
  if (words) return `the name of a ${noun} or a map`
  return many ? "a map" : `a map with one of ${joinOr(Object.keys(shape))}`
}

function noneSentence(facts: ChoiceFacts): string {
  return `expected one ${facts.noun}: ${oneOf(Object.keys(facts.shape))}`
}

function refuse(context: Context, input: unknown, message: string): never {
  push(context, { code: "custom", input, message })
  return z.NEVER
}

function push(context: Context, issue: Record<string, unknown> & IssueFacts): void {
  context.issues.push(issue as unknown as z.core.$ZodRawIssue)
}
