import type { Exchange } from "../flow/index.ts"
import type { Time } from "../http/index.ts"
import type { Lists, ListUse } from "./lists.ts"
import type { Readings } from "./reading.ts"

/** A predicate over the facts of a request. Pure: the same exchange gives the same answer; it never allocates on the hot path. */
export type Match = (x: Exchange) => boolean

/** What a matcher may ask for at compile time. */
export interface MatcherDeps {
  readonly reading: Readings
  readonly lists?: Lists
  /** Default: the machine's clocks. */
  readonly time?: Time
}

export interface MatcherDefinition<Options> {
  /** Key under `match:` in the config. */
  readonly name: string
  readonly summary: string
  readonly options: import("zod").ZodType<Options>
  /** `deps` is absent where a match is no route's. */
  compile(options: Options, deps?: MatcherDeps): Match
  /** Why it did not match, for explain: what was wanted and what was there. */
  describe(options: Options, x: Exchange, deps?: MatcherDeps): string
  /** What of the options holds, for explain: `list ads has tracker.example`. Asked where the match holds. Default: nothing is said. */
  found?(options: Options, x: Exchange, deps?: MatcherDeps): string
  /** Names of readings among the options, with the keys that lead there: an unknown one is told with its place in the file. */
  readings?(options: Options): readonly { readonly at: readonly (string | number)[]; readonly name: string }[]
  /** Lists and categories among the options: an unknown one is told with its place in the file. */
  lists?(options: Options): readonly ListUse[]
}

export function defineMatcher<Options>(definition: MatcherDefinition<Options>): MatcherDefinition<Options> {
  return definition
}
