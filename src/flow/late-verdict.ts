import { FAULT, log } from "../base/index.ts"
import type { Exchange, Waiter } from "./exchange.ts"
import { ANSWER, FAULT_VERDICT, NEXT, type Verdict, WAIT } from "./verdict.ts"

/** The engine's. */
type Resume = (x: Exchange, verdict: Verdict) => void

/** An asynchronous phase under way: its promise may settle long after the exchange has gone another way, and is then not heard. */
class LateVerdict implements Waiter {
  private x: Exchange | null
  private readonly resume: Resume

  constructor(x: Exchange, resume: Resume) {
    this.x = x
    this.resume = resume
  }

  cancel(): void {
    this.x = null
  }

  settled(verdict: unknown): void {
    const x = this.take()
    if (x === null) return
    if (verdict === NEXT || verdict === ANSWER || verdict === FAULT_VERDICT) this.resume(x, verdict)
    else this.broken(x, "an asynchronous step ended without a verdict", String(verdict))
  }

  failed(error: unknown): void {
    const x = this.take()
    if (x === null) return
    this.broken(x, "an asynchronous step failed", error instanceof Error ? (error.stack ?? error.message) : String(error))
  }

  private take(): Exchange | null {
    const { x } = this
    this.x = null
    return x
  }

  /** Whoever was to decide did not: the exchange ends. */
  private broken(x: Exchange, what: string, error: string): void {
    log.error("flow", what, { route: x.plan!.route.name, step: x.step, error })
    x.fault = FAULT.threw
    this.resume(x, FAULT_VERDICT)
  }
}

/** Waits for the verdict of an asynchronous step. A rejection, or anything that is no verdict, refuses the request. */
export function awaitVerdict(x: Exchange, promise: Promise<unknown>, resume: Resume): Verdict {
  const late = new LateVerdict(x, resume)
  x.waiter = late
  promise.then(
    verdict => late.settled(verdict),
    error => late.failed(error),
  )
  return WAIT
}
