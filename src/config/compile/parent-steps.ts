import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { CONNECT_UDP } from "../../http/index.ts"
import type { ClusterSteps, Origins } from "../../upstream/index.ts"
import { loginLine, type ParentLogin } from "./parent-login.ts"

/**
 * The steps of a cluster of parent proxies. Ports and literal addresses are the listener's rules, whoever dials; names are for the parent to resolve. The
 * credentials are in the request while it is sent and not longer: no filter, log or error page that comes after sees them.
 */
export function parentSteps(steps: ClusterSteps, login: ParentLogin | null, origins: ReadonlyMap<string, Origins>): ClusterSteps {
  const line = loginLine(login)
  return {
    peer(x) {
      const of = origins.get(x.listener!.name)
      const fault = of === undefined || !x.forwardForm ? FAULT.notForward : x.upgrade === CONNECT_UDP ? FAULT.forbidden : of.parts.checks.target(x)
      if (fault === null) return steps.peer(x)
      x.fault = fault
      return FAULT_VERDICT
    },
    forward(x) {
      if (line !== "") logIn(x, line)
      return steps.forward(x)
    },
    judge(x) {
      if (line !== "") forgetLogin(x, line)
      return judgeParent(x, steps)
    },
    finish(x) {
      if (line !== "") forgetLogin(x, line)
      return steps.finish(x)
    },
    retry(x) {
      if (line !== "") forgetLogin(x, line)
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
function judgeParent(x: Exchange, steps: ClusterSteps): Verdict {
  const verdict = steps.judge(x)
  if (verdict !== NEXT || x.status !== 407) return verdict
  x.fault = FAULT.parentAuth
  return FAULT_VERDICT
}
