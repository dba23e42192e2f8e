import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { CONNECT_UDP } from "../../http/index.ts"
import type { Cluster, ClusterSteps, Origins, OriginUpgrade } from "../../upstream/index.ts"

export interface ParentStepsOptions {
  readonly cluster: Cluster
  /** Names us to the parents, a whole line; "" = nobody asks. */
  readonly loginLine: string
  readonly origins: ReadonlyMap<string, Origins>
  readonly upgrade: OriginUpgrade | null
  /** UDP tunnels go through them (RFC 9298). */
  readonly udp: boolean
}

/** The steps of a route to origins through a cluster of parent proxies. Ports and literal addresses are the listener's rules, whoever dials; names are for the parent to resolve. */
export function parentSteps(steps: ClusterSteps, { cluster, loginLine, origins, upgrade, udp }: ParentStepsOptions): ClusterSteps {
  const within = loginSteps(steps, cluster, loginLine)
  const upgradesTls = upgrade?.tls === true
  return {
    ...within,
    peer(x) {
      const of = origins.get(x.listener!.name)
      if (upgradesTls && x.attempts === 0 && x.scheme === "http" && x.method !== "CONNECT") {
        x.scheme = "https"
        if (x.port === 80) x.port = 443
      }
      const fault =
        of === undefined || !x.forwardForm ? FAULT.notForward : x.upgrade === CONNECT_UDP && !udp ? FAULT.forbidden : of.parts.checks.target(x)
      if (fault === null) return within.peer(x)
      x.fault = fault
      return FAULT_VERDICT
    },
  }
}

/** Steps towards parents with a log-in. It is in the request while it is sent and not longer: no filter, log or error page that comes after sees it. */
export function loginSteps(steps: ClusterSteps, cluster: Cluster, line: string): ClusterSteps {
  const forget = (x: Exchange): void => {
    if (line !== "") forgetLogin(x, line)
  }
  return {
    peer: steps.peer,
    forward(x) {
      // What goes to the origin itself is none of the parent's.
      if (line !== "" && !cluster.opensFor(x)) logIn(x, line)
      return steps.forward(x)
    },
    judge(x) {
      forget(x)
      return judgeParent(x, steps, cluster)
    },
    finish(x) {
      forget(x)
      return steps.finish(x)
    },
    retry(x) {
      forget(x)
      return steps.retry(x)
    },
  }
}

/** In place of whatever a filter of the route says. */
function logIn(x: Exchange, line: string): void {
  const fields = x.request
  if (/(?:^|\n)proxy-authorization:/i.test(fields.extra)) fields.extra = fields.extra.replace(/(^|\n)proxy-authorization:[^\n]*\n/gi, "$1")
  fields.removeName("proxy-authorization")
  fields.extra += line
}

function forgetLogin(x: Exchange, line: string): void {
  const { extra } = x.request
  const at = extra.indexOf(line)
  if (at >= 0) x.request.extra = extra.slice(0, at) + extra.slice(at + line.length)
}

/** A parent that asks for credentials asks us: what a client could answer is meant for this proxy and goes no further (RFC 9110 section 11.7.2). */
function judgeParent(x: Exchange, steps: ClusterSteps, cluster: Cluster): Verdict {
  const verdict = steps.judge(x)
  if (verdict !== NEXT || x.status !== 407 || cluster.opensFor(x)) return verdict
  x.fault = FAULT.parentAuth
  return FAULT_VERDICT
}
