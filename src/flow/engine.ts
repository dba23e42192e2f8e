// HOT
import { assert, type Fault, FAULT, log } from "../base/index.ts"
import type { Exchange } from "./exchange.ts"
import { awaitVerdict } from "./late-verdict.ts"
import { localReply } from "./local-reply.ts"
import { ANSWER, DONE, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "./verdict.ts"

/** Starts the journey at the first step of `x.plan`. */
export function begin(x: Exchange): void {
  assert(x.plan !== null && !x.running, "a fresh exchange with a plan")
  x.step = 0
  x.running = true
  loop(x, callStep(x))
}

/**
 * Goes on with an exchange that waits. Called exactly once for each WAIT, also from inside the step that is about to return WAIT.
 * Late callers compare `x.generation` with what it was when they began to wait.
 */
export function resume(x: Exchange, verdict: Verdict): void {
  assert(verdict !== WAIT, "resume with a decision")
  x.waiter = null
  if (x.running) {
    assert(x.pending === -1, "one verdict a wait")
    x.pending = verdict
    return
  }
  loop(x, verdict)
}

/** Ends the attempt or the exchange with a fault, wherever it waits. */
export function fail(x: Exchange, fault: Fault): void {
  x.fault = fault
  resume(x, FAULT_VERDICT)
}

function loop(x: Exchange, first: Verdict): void {
  let verdict = first
  x.running = true
  for (;;) {
    switch (verdict) {
      case NEXT:
        x.step++
        break
      case WAIT:
        x.running = false
        return
      case ANSWER:
        dropUp(x)
        // A response filter's own answer goes on from there: from the start the filter would see it, and answer again.
        x.step = x.step < x.plan!.respondAt ? x.plan!.respondAt : x.step + 1
        break
      case FAULT_VERDICT:
        x.step = onFault(x)
        break
      case DONE:
        x.running = false
        x.release()
        return
      default:
        verdict = noVerdict(x, verdict)
        continue
    }
    verdict = callStep(x)
  }
}

/** Runs the current step. A verdict that came by `resume` or an interruption meanwhile counts instead of the step's own. */
function callStep(x: Exchange): Verdict {
  let verdict: Verdict
  try {
    verdict = x.plan!.steps[x.step]!(x)
  } catch (error) {
    verdict = threw(x, error)
  }
  if (x.pending === -1) return verdict
  verdict = x.pending as Verdict
  x.pending = -1
  return verdict
}

function threw(x: Exchange, error: unknown): Verdict {
  // Whatever it began or said before: it has not ended its work.
  x.pending = -1
  const waiter = x.waiter
  x.waiter = null
  x.generation++
  if (waiter !== null) waiter.cancel(x)
  return broken(x, "a step threw", error instanceof Error ? (error.stack ?? error.message) : String(error))
}

/** A plug-in that forgot its verdict, or whose function is asynchronous. Behind the response nobody waits for it. */
function noVerdict(x: Exchange, given: unknown): Verdict {
  if (!(given instanceof Promise)) return broken(x, "a step returned no verdict", String(given))
  if (x.step < x.plan!.logAt) return awaitVerdict(x, given, resume)
  given.catch(ignore)
  return NEXT
}

function ignore(): void {}

/** A broken invariant ends this exchange and no other. Behind the response the other steps still do their work: the log is always written. */
function broken(x: Exchange, what: string, error: string): Verdict {
  log.error("flow", what, { route: x.plan!.route.name, step: x.step, error })
  if (x.step >= x.plan!.logAt) {
    x.attempt = null
    return NEXT
  }
  x.fault = FAULT.internal
  return FAULT_VERDICT
}

/** Where to go on after a fault: another attempt, a local reply, or straight to the log. */
function onFault(x: Exchange): number {
  const plan = x.plan!
  const fault = x.fault ?? FAULT.internal
  x.fault = fault
  dropUp(x)
  if (x.gone) return plan.logAt
  if (x.headSent) {
    x.down!.abort(fault)
    return plan.logAt
  }
  if (plan.retry !== null && x.attempts > 0 && plan.retry(x)) {
    x.fault = null
    return plan.peerAt
  }
  if (fault.status === 0) {
    x.down!.abort(fault)
    x.status = 0
    return plan.logAt
  }
  // A response filter that refuses our own words would refuse these, too.
  const respondAt = x.localBody !== null && x.step >= plan.respondAt ? plan.logAt - 1 : plan.respondAt
  localReply(x, fault)
  return respondAt
}

function dropUp(x: Exchange): void {
  const up = x.up
  x.up = null
  x.pump.upReady = false
  x.pump.held = null
  if (up !== null) up.abort()
}

// ---- what the two sides report

/** The client is gone: nothing is owed any more, and whoever works for this exchange stops at once. */
export function clientGone(x: Exchange, fault: Fault): void {
  if (x.gone) return
  x.gone = true
  x.fault = fault
  if (!x.headSent) x.status = fault.status === 0 ? 499 : fault.status
  interrupt(x)
}

/** The request cannot be read to its end. */
export function requestFaulted(x: Exchange, fault: Fault): void {
  x.fault = fault
  interrupt(x)
}

/** Stops what is waited for and lets the loop handle `x.fault`. */
function interrupt(x: Exchange): void {
  const waiter = x.waiter
  x.waiter = null
  dropUp(x)
  // A wait that cannot be cancelled must find another exchange in place of this one.
  x.generation++
  if (x.running) {
    x.pending = FAULT_VERDICT
    return
  }
  if (waiter !== null) waiter.cancel(x)
  loop(x, FAULT_VERDICT)
}

export function responseHeadCame(x: Exchange): void {
  const up = x.up
  x.headAt = x.pump.now()
  resume(x, NEXT)
  // A response filter waits: the body must wait too. Not so when another attempt has begun meanwhile.
  if (up === null || x.up !== up || x.headSent) return
  x.pump.headWaits = true
  up.pauseBody()
}

export function upFaulted(x: Exchange, fault: Fault): void {
  x.up = null
  x.fault = fault
  // Not `resume`: a response filter may be waiting for something else.
  interrupt(x)
}

/** Ends the exchange with a fault from outside the loop, whatever it waits for: a local reply if that is still possible. */
export function expire(x: Exchange, fault: Fault): void {
  x.fault = fault
  interrupt(x)
}
