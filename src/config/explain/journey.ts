import type { Exchange, Step, Verdict } from "../../flow/index.ts"
import { ANSWER, FAULT_VERDICT, NEXT, WAIT } from "../../flow/index.ts"
import type { Stage } from "../compile/step-list.ts"
import type { FilterFacts } from "./explanation.ts"

/** A step of some plan, and what it said when the request came to it. */
export interface Stop {
  readonly stage: Stage
  /** null = the request did not come here; "threw" also while it runs. */
  said: Verdict | "threw" | null
}

/** The way of one request through the plans: every step that was compiled, in the order of the plans, and those that ran, in the order in which they did. */
export class Journey {
  readonly compiled: Stop[] = []
  readonly ran: Stop[] = []
  private readonly before: (stage: Stage, x: Exchange) => void

  /** `before` is called with each step that is about to run. */
  constructor(before: (stage: Stage, x: Exchange) => void) {
    this.before = before
  }

  /** CompileDeps.watch. */
  readonly watch = (stage: Stage, step: Step): Step => {
    const stop: Stop = { stage, said: null }
    this.compiled.push(stop)
    return x => {
      this.before(stage, x)
      this.ran.push(stop)
      stop.said = "threw"
      stop.said = step(x)
      return stop.said
    }
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
    return own.sort((a, b) => a.stage.route - b.stage.route).map(stop => factsOf(stop, stop === turn && isWaiting, stop === turn))
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
