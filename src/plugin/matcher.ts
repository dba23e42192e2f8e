import type { Exchange } from "../flow/index.ts"

/** A predicate over the facts of a request. Pure: the same exchange gives the same answer; it never allocates on the hot path. */
export type Match = (x: Exchange) => boolean

export interface MatcherDefinition<Options> {
  /** Key under `match:` in the config. */
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  compile(options: Options): Match
  /** Why it did not match, for explain: what was wanted and what was there. */
  describe(options: Options, x: Exchange): string
}

export function defineMatcher<Options>(definition: MatcherDefinition<Options>): MatcherDefinition<Options> {
  return definition
}
