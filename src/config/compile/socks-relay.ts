import { type Exchange, NEXT, type Plan, type Step, type Verdict } from "../../flow/index.ts"
import { asksForRelay, BODY_TUNNEL, QuietEnd } from "../../http/index.ts"
import type { ListenerConfig } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { entryPlan } from "./entry-plan.ts"
import { StepList } from "./step-list.ts"

/** Requests for a UDP relay leave the entry here: who asks is known and may use the proxy, and where datagrams go is judged for each target. */
export function relayGate(plan: Plan): Step {
  return (x: Exchange): Verdict => {
    if (!asksForRelay(x)) return NEXT
    x.plan = plan
    x.step = -1
    return NEXT
  }
}

/** The plan of a UDP relay: a tunnel that stands for as long as the client's connection. `log`: the last step. */
export function compileRelay(
  name: string,
  listener: ListenerConfig,
  deps: CompileDeps,
  rest: { readonly log: Step; readonly route: Plan["route"] },
): Plan {
  const list = new StepList(name, deps)
  list.add("answer", "UDP relay", openRelay)
  return entryPlan(list, rest.log, { bodyBytesMax: 0, tunnelIdleMs: listener.timeouts.tunnelIdle, route: rest.route })
}

function openRelay(x: Exchange): Verdict {
  x.up = new QuietEnd()
  x.status = 200
  x.response.reset("")
  x.responseBody = BODY_TUNNEL
  return NEXT
}
