import { z } from "zod"

/**
 * What our schemas add to zod's issues beside the message. zod copies own keys of a raw issue to the finished one,
 * so the error map below can leave facts there that a finished issue would have lost.
 */
export interface IssueFacts {
  /** What the field takes, as it follows the word "expected". */
  wanted?: string
  /** The same as a list, when the field takes one of several things. */
  wants?: readonly string[]
  /** Valid words at this place: keys of the map, or values of the field. */
  allowed?: readonly string[]
  /** An unknown key in the map that the path names. */
  unknown?: string
  /** What an unknown key was meant to be: "key", "filter", "matcher". */
  noun?: string
  /** What to write instead, when it is known. */
  instead?: string
}

type RawIssue = z.core.$ZodRawIssue & IssueFacts

/** zod error map of the whole config: one sentence for an issue, "" for a union (its branches decide later) and for a check without words. Schemas' own messages win over it. */
export function sentence(raw: z.core.$ZodRawIssue): string {
  const issue = raw as RawIssue
  switch (issue.code) {
    case "invalid_type":
      issue.wants ??= issue.wanted ? [issue.wanted] : typeWordsOf(issue)
      issue.wanted ??= joinOr(issue.wants)
      return `expected ${issue.wanted}, got ${shown(issue.input)}`
    case "invalid_value":
      issue.allowed ??= issue.values.map(String)
      issue.wants ??= issue.values.map(written)
      issue.wanted ??= joinOr(issue.wants)
      return `expected ${issue.wanted}, got ${shown(issue.input)}`
    case "unrecognized_keys":
      issue.allowed ??= keysOf(issue.inst)
      return `unknown ${issue.noun ?? "key"}`
    case "invalid_union":
    case "custom":
      return ""
    default:
      return boundSentence(issue)
  }
}

function boundSentence(issue: RawIssue): string {
  switch (issue.code) {
    case "too_small":
      return `expected ${bound("at least", issue.origin, Number(issue.minimum))}, got ${measured(issue)}`
    case "too_big":
      return `expected ${bound("at most", issue.origin, Number(issue.maximum))}, got ${measured(issue)}`
    case "invalid_key":
      return issue.issues[0]?.message ?? "not a valid name"
    case "invalid_format":
      return `expected ${issue.format}, got ${shown(issue.input)}`
    case "not_multiple_of":
      return `expected a multiple of ${issue.divisor}, got ${shown(issue.input)}`
    default:
      return `not valid: ${shown(issue.input)}`
  }
}

const typeWords: Readonly<Record<string, readonly string[]>> = {
  string: ["text"],
  number: ["a number"],
  int: ["a whole number"],
  boolean: ["true", "false"],
  object: ["a map"],
  record: ["a map"],
  array: ["a list"],
}

function typeWordsOf(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidType>): readonly string[] {
  const schema = issue.inst as z.core.$ZodType | undefined
  const title = schema && z.globalRegistry.get(schema)?.title
  if (title) return [`a ${title}`]
  const format = (schema?._zod.def as { format?: string } | undefined)?.format
  return typeWords[format === "safeint" ? "int" : issue.expected] ?? [`a ${issue.expected}`]
}

function bound(words: string, origin: string, limit: number): string {
  if (origin === "string") return `${words} ${limit} ${limit === 1 ? "character" : "characters"}`
  if (origin === "array") return `${words} ${limit} ${limit === 1 ? "entry" : "entries"}`
  return `${words} ${limit}`
}

function measured(issue: RawIssue): string {
  if (Array.isArray(issue.input)) return issue.input.length === 0 ? "an empty list" : `${issue.input.length}`
  return shown(issue.input)
}

function keysOf(schema: unknown): readonly string[] {
  const shape = (schema as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape
  return shape ? Object.keys(shape) : []
}

/** `"a", "b" or "c"`. */
export function oneOf(values: readonly unknown[]): string {
  return joinOr(values.map(written))
}

function written(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value)
}

/** `a, b or c`. */
export function joinOr(words: readonly string[]): string {
  if (words.length < 2) return words[0] ?? "nothing"
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`
}

/** A value as a message may show it: short, and never the inside of a map or list. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "function") return "a function"
  if (typeof value === "object") return "a map"
  const text = written(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
