import type { Exchange } from "../flow/index.ts"
import type { Match } from "./matcher.ts"

/** What stands under a `match:`, parsed: what rules of a filter hold of it. */
export interface MatchUse {
  /** All of these must hold, in this order. */
  readonly rules: readonly { readonly name: string; readonly options: unknown }[]
  /** A predicate of a TypeScript config. */
  readonly when: Match | null
}

/** The same, ready to be asked. */
export interface CompiledMatch {
  /** Names of its matchers, in order. */
  readonly names: readonly string[]
  readonly holds: Match
  /** It holds in one of the readings that servers may have of a path with encoded slashes or backslashes; for what must not be missed. */
  readonly holdsInOne: Match
  /** It holds in all of those readings; for what lets something in. */
  readonly holdsInAll: Match
  /** What of it holds, for explain: `category: ads, list ads has tracker.example`. Asked where it holds. */
  says?(x: Exchange): string
  /** Why it does not hold, for explain; "" when it does. */
  failure(x: Exchange): string
}
