import { z } from "zod"
import type { Exchange } from "../../flow/index.ts"
import { matchers } from "../features.gen.ts"
import { choices, scriptOnly } from "./choice.ts"
import { featureShape } from "./feature.ts"

/** A matcher with its parsed options. */
export interface MatcherUse {
  readonly name: string
  readonly options: unknown
}

export interface MatchConfig {
  /** Listeners that the route is for, which the rule `listener` says too; empty = all of them. */
  readonly listeners: readonly string[]
  /** All of these must hold, in this order. */
  readonly rules: readonly MatcherUse[]
  /** A predicate of a TypeScript config. */
  readonly when: ((x: Exchange) => boolean) | null
}

const whenSchema = z.custom<(x: Exchange) => boolean>(
  value => typeof value === "function",
  "expected a function, which only a TypeScript config can give",
)

const matchShape: Record<string, z.ZodType> = {
  ...featureShape(matchers),
  // A predicate has no options, so it is no feature folder.
  when: scriptOnly(whenSchema),
}

/** What operators write under `match:`; a matcher's own schema knows its options. */
export interface MatchInput {
  readonly when?: (x: Exchange) => boolean
  readonly listener?: string | readonly string[]
  readonly [matcher: string]: unknown
}

export const matchSchema: z.ZodType<MatchConfig, MatchInput> = choices("matcher", matchShape).transform(
  (entries): MatchConfig => ({
    listeners: [entries.find(entry => entry.name === "listener")?.options ?? []].flat() as string[],
    rules: entries.filter(entry => entry.name !== "when"),
    when: (entries.find(entry => entry.name === "when")?.options as MatchConfig["when"] | undefined) ?? null,
  }),
)
