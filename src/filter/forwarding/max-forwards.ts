// HOT
import { FAULT } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

/** What a listener may pass on, for Allow in its 405 replies (RFC 9110 section 15.5.6). */
const ALLOW = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
const DIGITS_MAX = 9

/** A method that this listener takes from nobody. */
export function refuseMethod(x: Exchange): Verdict {
  x.fault = FAULT.methodForbidden
  x.replyFields = ALLOW
  return FAULT_VERDICT
}

/**
 * The methods that concern proxies themselves. TRACE is refused: it sends back what it got, credentials that the browser adds and its scripts must not
 * see among it (RFC 9110 section 9.3.8). OPTIONS with Max-Forwards is counted down, and answered here when it may go no further (section 7.6.2).
 * Call it after the client has been let in.
 */
export function limitForwards(x: Exchange): Verdict {
  if (x.method === "TRACE") return refuseMethod(x)
  if (x.method !== "OPTIONS" || !x.request.has(NAME.maxForwards)) return NEXT
  const left = forwardsLeft(x.request.joined(NAME.maxForwards))
  if (left < 0) {
    x.fault = FAULT.malformed
    return FAULT_VERDICT
  }
  if (left === 0) {
    setLocalResponse(x, 200, ALLOW, null)
    return ANSWER
  }
  x.request.set(NAME.maxForwards, "Max-Forwards", String(left - 1))
  return NEXT
}

/** 1*DIGIT, -1 for anything else; more than we count to is as good as no limit. */
function forwardsLeft(value: string): number {
  const { length } = value
  if (length === 0) return -1
  let left = 0
  for (let i = 0; i < length; i++) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    if (i < DIGITS_MAX) left = left * 10 + digit
  }
  return left
}
