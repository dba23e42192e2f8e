// HOT
import { type Exchange, NEXT, type Step, type Verdict } from "../flow/index.ts"
import { Attempt } from "./attempt.ts"
import { allowedUpgrades, type AttemptRules } from "./attempt-rules.ts"
import type { Cluster } from "./cluster.ts"

/** The steps that a route to a cluster consists of. Made once for each route; `cluster` is asked for at every exchange since it outlives reloads. */
export interface ClusterSteps {
  readonly peer: Step
  readonly forward: Step
  readonly judge: Step
  readonly finish: Step
  readonly retry: (x: Exchange) => boolean
}

function attemptOf(x: Exchange): Attempt {
  if (!(x.attempt instanceof Attempt)) x.attempt = new Attempt(x)
  return x.attempt as Attempt
}

// allow(closure): made once for each route
export function clusterSteps(cluster: Cluster, rules: AttemptRules): ClusterSteps {
  return {
    peer(x: Exchange): Verdict {
      const attempt = attemptOf(x)
      if (x.attempts === 0 && x.peer === null) {
        attempt.begin(cluster, rules)
        if (x.upgrade !== "") x.upgrade = allowedUpgrades(x.upgrade, rules.upgrades)
      }
      return attempt.pick()
    },
    forward(x: Exchange): Verdict {
      return (x.attempt as Attempt).forward()
    },
    judge(x: Exchange): Verdict {
      return (x.attempt as Attempt).judge()
    },
    finish(x: Exchange): Verdict {
      if (x.attempt instanceof Attempt) x.attempt.end()
      return NEXT
    },
    retry(x: Exchange): boolean {
      return x.attempt instanceof Attempt && x.attempt.retry()
    },
  }
}
