import { z } from "zod"
import { maybe, nameSchema } from "../../../base/index.ts"
import type { Exchange } from "../../../flow/index.ts"
import { defineMatcher, type Match, type MatcherDeps, type Reading } from "../../../plugin/index.ts"

const ruleSchema = z
  .strictObject({
    name: nameSchema.describe("Name that a filter `count` gives."),
    over: maybe(z.number().min(0).max(1e15), "Holds when the key of the request has more than this."),
    below: maybe(z.number().min(0).max(1e15), "Holds when it has less than this."),
  })
  .refine(({ over, below }) => over !== null || below !== null, { error: "expected a bound, such as over: 50" })

const options = z.union([ruleSchema.transform(rule => [rule]), z.array(ruleSchema).min(1)])

type Rule = z.output<typeof ruleSchema>

function readingOf({ name }: Rule, deps: MatcherDeps | undefined): Reading {
  if (deps === undefined) throw new Error(`the counter "${name}" cannot be read here; counters are for the match of a route`)
  return deps.reading(name)
}

function holds({ over, below }: Rule, value: number): boolean {
  return (over === null || value > over) && (below === null || value < below)
}

function compileRule(rule: Rule, deps: MatcherDeps | undefined): Match {
  const reading = readingOf(rule, deps)
  return x => holds(rule, reading.read(x))
}

function describe(rules: readonly Rule[], x: Exchange, deps: MatcherDeps | undefined): string {
  for (const rule of rules) {
    const reading = readingOf(rule, deps)
    const value = reading.read(x)
    const wanted = [rule.over === null ? "" : `over ${rule.over}`, rule.below === null ? "" : `below ${rule.below}`].filter(text => text !== "")
    if (!holds(rule, value)) return `counter ${reading.text} is ${Math.round(value * 10) / 10}, not ${wanted.join(" and ")}`
  }
  return "the counters hold"
}

export default defineMatcher<readonly Rule[]>({
  name: "counter",
  summary: "What a filter `count` has counted for the key of this request: `{ name: errors, over: 50 }`, or a list of which all must hold.",
  options: options as unknown as z.ZodType<readonly Rule[]>,
  compile(rules, deps) {
    const all = rules.map(rule => compileRule(rule, deps))
    return all.length === 1 ? all[0]! : x => all.every(rule => rule(x))
  },
  describe,
  readings: rules => rules.map(({ name }, i) => ({ name, at: rules.length === 1 ? ["name"] : [i, "name"] })),
})
