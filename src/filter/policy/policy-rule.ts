import type { BlockPage, Exchange } from "../../flow/index.ts"
import { compileBlockPage, type CompiledMatch, type FilterDeps } from "../../plugin/index.ts"
import { placeWord } from "../keyed/place-word.ts"
import { AnswerTest } from "./answer-test.ts"
import type { PolicyOptions, RuleOptions } from "./policy-options.ts"

/** What a rule that holds means for the request. */
export type RuleEffect = "block" | "allow" | "note" | "close" | "redirect"

/** A rule, ready to be asked. */
export interface PolicyRule {
  readonly name: string
  readonly match: CompiledMatch
  /** The match as this rule asks it. */
  readonly holds: (x: Exchange) => boolean
  /** Conditions on the answer, null = none. */
  readonly answer: AnswerTest | null
  readonly effect: RuleEffect
  /** Word in the log. */
  readonly word: string
  /** It would be more than a note if it were enforced. */
  readonly isTrial: boolean
  /** It stands for `default: block`. */
  readonly isDefault: boolean
  readonly page: BlockPage
  /** Location of a redirection, else "". */
  readonly location: string
  readonly counter: { add(n: number): void }
}

/** Compiles the rules of a policy. Throws when a matcher cannot be used. */
export function compileRules(options: PolicyOptions, deps: FilterDeps, page: BlockPage): PolicyRule[] {
  return options.rules.map(rule => compileRule(rule, options, deps, page))
}

/** `default: block` as a rule behind the others, or nothing. */
export function compileDefault(options: PolicyOptions, deps: FilterDeps, page: BlockPage): PolicyRule[] {
  if (options.default === "allow") return []
  const isTrial = options.mode === "log-only"
  return [
    {
      name: DEFAULT,
      match: { names: [], holds: ALWAYS, holdsInOne: ALWAYS, holdsInAll: ALWAYS, failure: () => "" },
      holds: ALWAYS,
      answer: null,
      effect: isTrial ? "note" : "block",
      word: "block",
      isTrial,
      isDefault: true,
      page,
      location: "",
      counter: ruleCounter(DEFAULT, deps),
    },
  ]
}

const DEFAULT = "default"
const ALWAYS = (): boolean => true

function compileRule(rule: RuleOptions, options: PolicyOptions, deps: FilterDeps, page: BlockPage): PolicyRule {
  const { name, action } = rule
  if (deps.match === undefined) throw new Error("a policy needs matchers, which are not there")
  const match = deps.match(rule.match)
  const word = typeof action === "string" ? action : "redirect"
  const isTrial = word !== "allow" && word !== "log" && (options.mode === "log-only" || rule.mode === "log-only")
  const isNote = isTrial || word === "log" || (word === "allow" && rule.mode === "log-only")
  return {
    name,
    match,
    // Servers differ on what an encoded slash is: what is blocked is blocked in any reading, what is allowed is allowed in every one.
    holds: word === "allow" ? match.holdsInAll : match.holdsInOne,
    answer: rule.response === null ? null : new AnswerTest(rule.response),
    effect: isNote ? "note" : (word as RuleEffect),
    word,
    isTrial,
    isDefault: false,
    page: rule.page === null ? page : compileBlockPage({ ...options.page, ...written(rule.page) }, deps),
    location: typeof action === "string" ? "" : action.redirect,
    counter: ruleCounter(name, deps),
  }
}

function ruleCounter(name: string, deps: FilterDeps): { add(n: number): void } {
  return deps.counter(
    `policy_rule_${placeWord(deps.place)}_${name.toLowerCase().replace(/[^a-z0-9]+/g, "_")}`,
    `Requests for which the rule ${name} held.`,
  )
}

function written<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T
}
