import type { Exchange } from "../flow/index.ts"
import type { Match } from "../plugin/index.ts"
import { otherReadings } from "./other-readings.ts"

/** One key of a route's `match`. */
export interface Condition {
  readonly name: string
  readonly holds: Match
  /** Why it does not hold. */
  describe(x: Exchange): string
  /** What of it holds, "" = nothing to say. */
  found?(x: Exchange): string
}

/** `matched` is true for the one route that decides: it won, or it refuses the path. */
export type Visit = (index: number, matched: boolean, reason: string) => void

/**
 * The definition of the look-up, one route after the other, for people: first match wins. Returns the index, -1 (none) or -2 (refused).
 * `RouteTable.find` is the same with an index over the conditions; a property test holds them together.
 */
export function traceRoutes(routes: readonly (readonly Condition[])[], refuses: Uint8Array, x: Exchange, visit: Visit): number {
  const readings = x.encodedSlash ? otherReadings(x.path) : []
  let decision = -1
  let decidedBy = -1
  for (let index = 0; index < routes.length; index++) {
    if (decidedBy >= 0) {
      visit(index, false, `not reached: route ${decidedBy} decides`)
      continue
    }
    const conditions = routes[index]!
    const failed = firstFailure(conditions, x)
    const mayRefuse = x.encodedSlash && refuses[index] === 1
    if (mayRefuse && (failed === null || readings.some(reading => holdsFor(conditions, x, reading)))) {
      decision = -2
      decidedBy = index
      visit(index, true, "refuses the path: it has an encoded slash or backslash, and servers differ on whether this rule covers it")
    } else if (failed === null) {
      decision = index
      decidedBy = index
      visit(index, true, conditions.length === 0 ? "matches everything" : `matches: ${conditions.map(condition => word(condition, x)).join(", ")}`)
    } else visit(index, false, failed.describe(x))
  }
  return decision
}

function word({ name, found }: Condition, x: Exchange): string {
  const more = found?.(x) ?? ""
  return more === "" ? name : `${name} (${more})`
}

function firstFailure(conditions: readonly Condition[], x: Exchange): Condition | null {
  return conditions.find(condition => !condition.holds(x)) ?? null
}

function holdsFor(conditions: readonly Condition[], x: Exchange, rulePath: string): boolean {
  const { rulePath: literal } = x
  x.rulePath = rulePath
  const holds = firstFailure(conditions, x) === null
  x.rulePath = literal
  return holds
}
