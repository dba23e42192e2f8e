import type { Exchange } from "../../flow/index.ts"
import type { CompiledMatch, Match, MatcherDeps, MatchUse } from "../../plugin/index.ts"
import { matchers } from "../features.gen.ts"
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
    return { name, holds: matcher.compile(options, deps), describe: (x: Exchange) => matcher.describe(options, x, deps) }
  })
  if (use.when !== null) conditions.push({ name: "when", holds: use.when, describe: () => "the predicate `when` says no" })
  return {
    names: conditions.map(({ name }) => name),
    holds: allOf(conditions.map(({ holds }) => holds)),
    failure: x => conditions.find(({ holds }) => !holds(x))?.describe(x) ?? "",
  }
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
