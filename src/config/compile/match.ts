import type { Exchange } from "../../flow/index.ts"
import type { CompiledMatch, Match, MatcherDeps, MatchUse } from "../../plugin/index.ts"
import { matchers } from "../features.gen.ts"
import { otherReadings } from "../../route/index.ts"
import type { CompileDeps } from "./compile-deps.ts"

/** Where it is compiled. */
export type MatchParts = Partial<Pick<CompileDeps, "reading" | "time" | "lists">>

/** What matchers may ask for; undefined where filters' readings are not there, so that a matcher that needs one says so. */
export function matcherDeps({ reading, time, lists }: MatchParts): MatcherDeps | undefined {
  if (reading === undefined && lists === undefined) return undefined
  return { reading: reading ?? noReading, ...(time === undefined ? {} : { time }), ...(lists === undefined ? {} : { lists }) }
}

function noReading(name: string): never {
  throw new Error(`the counter "${name}" cannot be read here; counters are for the match of a route`)
}

/** Compiles what stands under a `match:` outside of the route table. Throws when a matcher cannot be used. */
export function compileMatch(use: MatchUse, compileDeps: MatchParts): CompiledMatch {
  const deps = matcherDeps(compileDeps)
  const conditions = use.rules.map(({ name, options }) => {
    const matcher = matchers.find(one => one.name === name)!
    const told = { describe: (x: Exchange) => matcher.describe(options, x, deps), found: (x: Exchange) => matcher.found?.(options, x, deps) ?? "" }
    return { name, holds: matcher.compile(options, deps), ...told }
  })
  if (use.when !== null) conditions.push({ name: "when", holds: use.when, describe: () => "the predicate `when` says no", found: () => "" })
  const holds = allOf(conditions.map(condition => condition.holds))
  const seesPath = use.when !== null || conditions.some(({ name }) => name === "path" || name === "url")
  return {
    names: conditions.map(({ name }) => name),
    holds,
    holdsInOne: seesPath ? x => (x.encodedSlash ? readingsHold(holds, x, true) : holds(x)) : holds,
    holdsInAll: seesPath ? x => (x.encodedSlash ? readingsHold(holds, x, false) : holds(x)) : holds,
    says: x => conditions.map(({ name, found }) => [name, found(x)].filter(word => word !== "").join(": ")).join(" and "),
    failure: x => conditions.find(({ holds }) => !holds(x))?.describe(x) ?? "",
  }
}

/** Whether it holds in one, or in every one, of the readings of a path with encoded slashes. Such paths are rare enough to pay for strings. */
function readingsHold(holds: Match, x: Exchange, one: boolean): boolean {
  if (holds(x) === one) return one
  const { rulePath } = x
  let found = false
  for (const reading of otherReadings(x.path)) {
    x.rulePath = reading
    found = holds(x) === one
    if (found) break
  }
  x.rulePath = rulePath
  return found ? one : !one
}

/** Most rules have one condition or two, which then cost one call each. */
function allOf(matches: readonly Match[]): Match {
  const [first, second] = matches
  if (first === undefined) return () => true
  if (second === undefined) return first
  if (matches.length === 2) return x => first(x) && second(x)
  return x => {
    for (let i = 0; i < matches.length; i++) if (!matches[i]!(x)) return false
    return true
  }
}
