import { deliver, DONE, type Plan, type Step } from "../../flow/index.ts"
import type { StepList } from "./step-list.ts"

/** A plan that is no route's: behind its steps the answer is delivered and logged, and nothing is ever sent upstream. `log`: the last step. */
export function entryPlan(
  list: StepList,
  log: Step,
  { bodyBytesMax, tunnelIdleMs, route }: Pick<Plan, "bodyBytesMax" | "tunnelIdleMs" | "route">,
): Plan {
  const respondAt = list.length
  list.add("deliver", "deliver", deliver)
  const logAt = list.length
  list.add("log", "log", log)
  list.steps.push(() => DONE)
  return { steps: list.steps, respondAt, peerAt: -1, logAt, retry: null, bodyBytesMax, requestMs: 0, tunnelIdleMs, route }
}
