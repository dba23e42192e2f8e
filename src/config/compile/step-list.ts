import { log } from "../../base/index.ts"
import type { Exchange, Step, Verdict } from "../../flow/index.ts"
import { NEXT } from "../../flow/index.ts"
import type { CompileDeps } from "./compile-deps.ts"
import type { FilterPhase, NamedFilter } from "./filters.ts"
import type { StagePhase } from "./phases.ts"

/** What a step of a plan is, for whoever watches a request go through. */
export interface Stage {
  /** Index of the route, or -1 for a step of a listener. */
  readonly route: number
  /** Name of the listener whose step it is; "" for a route's. */
  readonly listener: string
  /** Cluster of the arm of a split that it is a step of; "" for what all arms share and for routes without arms. */
  readonly arm: string
  readonly phase: StagePhase
  /** The filter's name, or what the step does. */
  readonly name: string
  /** The filter whose phase it is; null for the proxy's own steps. */
  readonly filter: NamedFilter | null
}

/** The steps of a plan while it is put together. Nothing of it but the steps outlives the compilation. */
export class StepList {
  readonly steps: Step[] = []
  private readonly owner: Pick<Stage, "route" | "listener" | "arm">
  private readonly deps: CompileDeps

  /** Of a route by its index, or of a listener by its name. */
  constructor(of: number | string, deps: CompileDeps, arm = "") {
    this.owner = typeof of === "number" ? { route: of, listener: "", arm } : { route: -1, listener: of, arm }
    this.deps = deps
  }

  /** Goes on with the same steps, for one arm of a split. */
  fork(arm: string): StepList {
    const fork = new StepList(this.owner.route, this.deps, arm)
    fork.steps.push(...this.steps)
    return fork
  }

  get length(): number {
    return this.steps.length
  }

  add(phase: StagePhase, name: string, step: Step, filter: NamedFilter | null = null): void {
    const { watch } = this.deps
    this.steps.push(watch === undefined ? step : watch({ ...this.owner, phase, name, filter }, step))
  }

  /** The phase of each filter that takes part in it, in the order of the config. */
  addPhase(phase: FilterPhase, filters: readonly NamedFilter[]): void {
    for (const named of filters) {
      const { filter } = named
      if (filter[phase] !== undefined) this.add(phase, named.name, phase === "log" ? logPhase(named) : phaseStep(named, phase), named)
    }
  }
}

/** An asynchronous phase gives the engine a promise, which it waits for. */
function phaseStep({ filter }: NamedFilter, phase: Exclude<FilterPhase, "log">): Step {
  return x => filter[phase]!(x) as Verdict
}

function logPhase({ name, filter }: NamedFilter): Step {
  return (x: Exchange): Verdict => {
    const given: unknown = filter.log!(x)
    // Nobody waits for it; but what it fails with must not end the thread.
    if (given instanceof Promise)
      given.catch((error: unknown) => log.error("config", "the log phase of a filter failed", { filter: name, error: String(error) }))
    return NEXT
  }
}
