import { z } from "zod"
import { type Fault, FAULT } from "../../base/index.ts"
import {
  ANSWER,
  answerBlocked,
  changeResponseBody,
  type Exchange,
  FAULT_VERDICT,
  grpcReplyType,
  NEXT,
  notesOf,
  setLocalResponse,
  type Verdict,
} from "../../flow/index.ts"
import { BODY_TUNNEL } from "../../http/index.ts"
import {
  blockPageWords,
  compileBlockPage,
  defineFilter,
  type Filter,
  type FilterDeps,
  type MatchUse,
  type OptionProblem,
} from "../../plugin/index.ts"
import { fileProblems } from "../file-problems.ts"
import { isOwnAnswer } from "../own-answer.ts"
import { placeWord } from "../keyed/place-word.ts"
import { lengthOf, UNKNOWN_LENGTH } from "./answer-test.ts"
import { CutAnswer } from "./cut-answer.ts"
import { explainPolicy } from "./explain-policy.ts"
import { type PolicyOptions, policyOptions, type RuleOptions } from "./policy-options.ts"
import { compileDefault, compileRules, type PolicyRule } from "./policy-rule.ts"

const closed: Fault = { ...FAULT.blocked, status: 0, close: true }

/**
 * Rules in order, the first that holds decides. Rules about the answer are asked when its head is there; what a rule about the request alone refuses is refused before
 * anything is sent, also where a rule about the answer stands in front of it.
 */
class Policy {
  private readonly rules: readonly PolicyRule[]
  /** Slot of the rules that wait for the answer. */
  private readonly slot: number
  /** Whether a tunnel is looked into, so that what is refused can be told inside. */
  private readonly opens: ((x: Exchange) => boolean) | null
  private readonly blocked: { add(n: number): void }
  private readonly wouldBlock: { add(n: number): void }

  constructor(options: PolicyOptions, deps: FilterDeps) {
    const word = placeWord(deps.place)
    const page = compileBlockPage(options.page, deps)
    this.rules = [...compileRules(options, deps, page), ...compileDefault(options, deps, page)]
    this.slot = deps.slot()
    this.opens = options.tunnels === "page" && deps.opens !== undefined ? x => deps.opens!(x) : null
    this.blocked = deps.counter(`policy_blocked_${word}`, "Requests that the policy refused.")
    this.wouldBlock = deps.counter(`policy_would_block_${word}`, "Requests that the policy would have refused if it were enforced.")
  }

  get asksAnswers(): boolean {
    return this.rules.some(rule => rule.answer !== null)
  }

  access(x: Exchange): Verdict {
    const { rules } = this
    let waiting: PolicyRule[] | null = null
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!
      if (!rule.holds(x)) continue
      // Of what a tunnel carries nobody sees a head.
      if (rule.answer !== null) waiting = x.method === "CONNECT" ? null : added(waiting, rule)
      else if (rule.effect === "note") this.note(x, rule)
      else if (rule.effect === "allow") {
        decide(x, rule)
        break
      } else if (rule.isDefault && mayBeAllowed(waiting)) waiting = added(waiting, rule)
      else return this.refuse(x, rule)
    }
    if (waiting !== null) x.slots[this.slot] = waiting
    return NEXT
  }

  /** The head of an answer is there, also of one that a cache kept. */
  response(x: Exchange): Verdict {
    const waiting = x.slots[this.slot] as PolicyRule[] | undefined
    if (waiting === undefined) return NEXT
    x.slots[this.slot] = undefined
    // What we say ourselves needs no rule.
    if (isOwnAnswer(x) || x.responseBody === BODY_TUNNEL) return NEXT
    const length = lengthOf(x)
    for (let i = 0; i < waiting.length; i++) {
      const rule = waiting[i]!
      if (!this.answerHolds(x, rule, length)) continue
      if (rule.effect === "note") this.note(x, rule)
      else if (rule.effect !== "allow") return this.refuse(x, rule)
      else {
        decide(x, rule)
        return NEXT
      }
    }
    return NEXT
  }

  explain(x: Exchange): readonly string[] {
    return explainPolicy(this.rules, x)
  }

  private answerHolds(x: Exchange, rule: PolicyRule, length: number): boolean {
    const { answer } = rule
    if (answer === null) return true
    if (!answer.mayHold(x)) return false
    if (answer.lengthHolds(length)) return true
    if (length === UNKNOWN_LENGTH && answer.cutAt >= 0 && rule.effect !== "note" && rule.effect !== "allow") this.watchLength(x, rule, answer.cutAt)
    return false
  }

  /** Its length shows when it is there. */
  private watchLength(x: Exchange, rule: PolicyRule, bytes: number): void {
    changeResponseBody(
      x,
      new CutAnswer(bytes, () => {
        decide(x, rule)
        this.blocked.add(1)
      }),
    )
  }

  /** The rule decides nothing. */
  private note(x: Exchange, rule: PolicyRule): void {
    rule.counter.add(1)
    const notes = notesOf(x)
    if (!rule.isTrial) {
      notes.rule = rule.name
      notes.action = rule.word
      return
    }
    this.wouldBlock.add(1)
    notes.would = `${notes.would === "" ? "" : `${notes.would} `}${rule.name}:${rule.word}`
  }

  /** A tunnel that is looked into is left to be opened, so that people see why; nothing of it goes on. */
  private refuse(x: Exchange, rule: PolicyRule): Verdict {
    if (x.method !== "CONNECT" || rule.effect === "close" || this.opens === null || !this.opens(x)) return this.tell(x, rule)
    decide(x, rule)
    this.blocked.add(1)
    notesOf(x).refuse = inside => this.tell(inside, rule)
    return NEXT
  }

  private tell(x: Exchange, rule: PolicyRule): Verdict {
    decide(x, rule)
    this.blocked.add(1)
    if (rule.effect === "close" || grpcReplyType(x) !== "") {
      x.fault = rule.effect === "close" ? closed : FAULT.blocked
      return FAULT_VERDICT
    }
    // No client follows a redirection of its tunnel.
    if (rule.location !== "" && x.method !== "CONNECT") {
      setLocalResponse(x, 302, `Location: ${rule.location}\r\nCache-Control: no-store\r\n`, null)
      return ANSWER
    }
    x.fault = FAULT.blocked
    answerBlocked(x, rule.page, { rule: rule.name, detail: "", reason: `Blocked by policy: ${rule.name}` })
    return ANSWER
  }
}

function decide(x: Exchange, rule: PolicyRule): void {
  rule.counter.add(1)
  const notes = notesOf(x)
  notes.rule = rule.name
  notes.action = rule.word
}

function added(waiting: PolicyRule[] | null, rule: PolicyRule): PolicyRule[] {
  if (waiting === null) return [rule]
  waiting.push(rule)
  return waiting
}

/** Where nothing is allowed but some answers, a request must be sent to see its answer. */
function mayBeAllowed(waiting: readonly PolicyRule[] | null): boolean {
  return waiting?.some(rule => rule.effect === "allow") === true
}

function describe({ rules, default: otherwise, mode }: PolicyOptions): string {
  return `${rules.length} ${rules.length === 1 ? "rule" : "rules"}, else ${otherwise}${mode === "log-only" ? "; log only" : ""}`
}

export default defineFilter<PolicyOptions>({
  name: "policy",
  summary:
    "Rules about who may do what, the first that holds decides: block with a page that says why, allow, or note only. About requests and about answers.",
  // Where nothing knows the matchers, such as in unit tests, the match is taken as it is.
  options: policyOptions(z.any() as unknown as z.ZodType<MatchUse>),
  optionsWith: policyOptions,
  build(settings, deps): Filter {
    const policy = new Policy(settings, deps)
    return {
      access: x => policy.access(x),
      ...(policy.asksAnswers ? { response: x => policy.response(x) } : {}),
      describe: () => describe(settings),
      explain: x => policy.explain(x),
    }
  },
  problems: ({ page, rules, mode }, resolve) => [
    ...unreached(rules, mode),
    ...pageProblems(["page"], page.file, resolve),
    ...rules.flatMap((rule, i) => pageProblems(["rules", i, "page"], rule.page?.file ?? null, resolve)),
  ],
})

/** Rules behind one that decides on everything. */
function unreached(rules: readonly RuleOptions[], mode: PolicyOptions["mode"]): readonly OptionProblem[] {
  const last = rules.findIndex(rule => {
    const isTrial = rule.mode === "log-only" || (mode === "log-only" && rule.action !== "allow")
    return rule.match.rules?.length === 0 && rule.match.when === null && rule.response === null && rule.action !== "log" && !isTrial
  })
  if (last < 0 || last === rules.length - 1) return []
  const text = `the rule ${rules[last]!.name} before holds always: this rule${last + 2 < rules.length ? ", and what is behind it," : ""} is never asked`
  return [{ severity: "warning", at: ["rules", last + 1], text }]
}

function pageProblems(at: readonly (string | number)[], file: string | null, resolve: (path: string) => string): readonly OptionProblem[] {
  return file === null ? [] : fileProblems([...at, "file"], resolve(file), blockPageWords)
}
