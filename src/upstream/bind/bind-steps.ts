// HOT
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { asksToBind } from "../../http/index.ts"
import type { Origins } from "../origins.ts"
import type { ClusterSteps } from "../steps.ts"
import { BindAttempt, type BindRules } from "./bind-attempt.ts"

/** The steps of a route to origins on a listener whose SOCKS clients may have peers connect to them. `steps`: what everybody else goes through. */
// allow(closure): made once for each route
export function bindSteps(steps: ClusterSteps, origins: Origins, rules: BindRules): ClusterSteps {
  return {
    peer(x: Exchange): Verdict {
      if (!asksToBind(x)) return steps.peer(x)
      const attempt = new BindAttempt(x, origins, rules)
      x.attempt = attempt
      return attempt.look()
    },
    forward: x => (x.attempt instanceof BindAttempt ? x.attempt.open() : steps.forward(x)),
    judge: x => (x.attempt instanceof BindAttempt ? NEXT : steps.judge(x)),
    finish(x: Exchange): Verdict {
      if (!(x.attempt instanceof BindAttempt)) return steps.finish(x)
      x.attempt.end()
      return NEXT
    },
    retry: x => !(x.attempt instanceof BindAttempt) && steps.retry(x),
  }
}
