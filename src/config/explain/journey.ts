import type { Exchange, Step, Verdict } from "../../flow/index.ts"
import { ANSWER, FAULT_VERDICT, NEXT, WAIT } from "../../flow/index.ts"
import type { Stage } from "../compile/step-list.ts"
import type { NamedFilter } from "../compile/filters.ts"
import type { FilterFacts } from "./explanation.ts"
import { shown } from "./shown.ts"

/** A step of some plan, and what it said when the request came to it. */
export interface Stop {
  readonly stage: Stage
  /** null = the request did not come here; "threw" also while it runs. */
  said: Verdict | "threw" | null
}

/** Phases in which filters decide before anything is sent. */
const DECIDING: ReadonlySet<string> = new Set(["access", "request", "upstreamRequest"])

/** The way of one request through the plans: every step that was compiled, in the order of the plans, and those that ran, in the order in which they did. */
export class Journey {
  readonly compiled: Stop[] = []
  readonly ran: Stop[] = []
  /** What filters say of the request, each before its first step that decides. */
  private readonly said = new Map<NamedFilter, readonly string[]>()
  private readonly before: (stage: Stage, x: Exchange) => void
  private readonly isLoggedIn: boolean

  /** `before` is called with each step that is about to run. `isLoggedIn`: nobody has to log in at the listener. */
  constructor(before: (stage: Stage, x: Exchange) => void, isLoggedIn: boolean) {
    this.before = before
    this.isLoggedIn = isLoggedIn
  }

  /** CompileDeps.watch. */
  readonly watch = (stage: Stage, step: Step): Step => {
    const stop: Stop = { stage, said: null }
    this.compiled.push(stop)
    return x => {
      this.before(stage, x)
      this.ask(stage, x)
      this.ran.push(stop)
      stop.said = "threw"
      stop.said = this.isLoggedIn && stage.listener !== "" && stage.filter !== null ? NEXT : step(x)
      return stop.said
    }
  }

  private ask({ phase, filter }: Stage, x: Exchange): void {
    if (filter?.filter.explain === undefined || !DECIDING.has(phase) || this.said.has(filter)) return
    this.said.set(filter, filter.filter.explain(x))
  }

  /** The step that made the answer, the fault, or the end of the way. */
  get turn(): Stop | null {
    const behind = ["response", "deliver", "log"]
    return this.ran.findLast(stop => !behind.includes(stop.stage.phase)) ?? null
  }

  /** The filters that the request met or would have met: the listener's, then the route's; in the order of the plan. */
  filters({ listener, route, arm }: { listener: string; route: number; arm: string }, isWaiting: boolean): FilterFacts[] {
    const { turn } = this
    const isOwn = ({ stage }: Stop): boolean =>
      stage.filter !== null && (stage.route < 0 ? stage.listener === listener : stage.route === route && (stage.arm === "" || stage.arm === arm))
    const own = this.compiled.filter(isOwn)
    const said = new Map(this.said)
    return own
      .sort((a, b) => a.stage.route - b.stage.route)
      .map(stop => {
        const because = said.get(stop.stage.filter!) ?? []
        // Once a filter, not once a phase.
        said.delete(stop.stage.filter!)
        const facts = factsOf(stop, stop === turn && isWaiting, stop === turn)
        return because.length === 0 ? facts : { ...facts, because: because.map(shown) }
      })
  }
}

function factsOf({ stage, said }: Stop, isWaiting: boolean, isTurn: boolean): FilterFacts {
  return { phase: stage.phase, name: stage.name, says: stage.filter?.filter.describe?.() ?? "", result: resultOf(said, isWaiting, isTurn) }
}

function resultOf(said: Stop["said"], isWaiting: boolean, isTurn: boolean): FilterFacts["result"] {
  if (said === null) return "not reached"
  if (said === "threw") return "throws"
  if (isWaiting) return "waits"
  if (said === ANSWER) return "answers"
  if (said === FAULT_VERDICT) return "refuses"
  // Who waited and is not the last one was answered with NEXT.
  return said === NEXT || !isTurn ? "passes" : said === WAIT ? "refuses" : "passes"
}
