// HOT
import { FAULT } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Step, type Verdict } from "../flow/index.ts"
import type { AttemptRules } from "./attempt-rules.ts"
import { OriginAttempt } from "./origin-attempt.ts"
import type { Origins, OriginUpgrade } from "./origins.ts"
import type { ClusterSteps } from "./steps.ts"

/** The steps of a route to the origin that the request names. */
// allow(closure): made once for each route
export function originSteps(origins: Origins, rules: AttemptRules, upgrade: OriginUpgrade | null = null): ClusterSteps {
  function attemptOf(x: Exchange): OriginAttempt {
    if (!(x.attempt instanceof OriginAttempt)) x.attempt = new OriginAttempt(x)
    return x.attempt as OriginAttempt
  }
  const finish: Step = x => {
    if (x.attempt instanceof OriginAttempt) x.attempt.end()
    return NEXT
  }
  return {
    peer(x: Exchange): Verdict {
      if (!x.forwardForm) {
        x.fault = FAULT.notForward
        return FAULT_VERDICT
      }
      const attempt = attemptOf(x)
      if (x.attempts === 0) attempt.begin(origins, rules, upgrade)
      return attempt.resolve()
    },
    forward: x => attemptOf(x).forward(),
    judge(x: Exchange): Verdict {
      if (upgrade !== null) attemptOf(x).learn()
      return NEXT
    },
    finish,
    retry: x => x.attempt instanceof OriginAttempt && x.attempt.retry(),
  }
}
