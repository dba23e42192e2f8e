import { FAULT, Timer, type TimerOwner } from "../base/index.ts"
import type { Time } from "../http/index.ts"
import { expire } from "./engine.ts"
import type { Exchange } from "./exchange.ts"

/** How long the upstream may think before the client is told to send its body anyway (RFC 9110 section 10.1.1). */
const CONTINUE_MS = 1000

/** A deadline of an exchange as a whole. Lives as long as the pooled exchange; seldom reached. */
export class Deadline implements TimerOwner {
  private readonly x: Exchange
  private readonly time: Time
  private readonly timer: Timer
  private readonly reached: (x: Exchange) => void

  constructor(x: Exchange, time: Time, reached: (x: Exchange) => void) {
    this.x = x
    this.time = time
    this.reached = reached
    this.timer = new Timer(this)
  }

  arm(ms: number): void {
    this.time.wheel.schedule(this.timer, this.time.clock.now() + ms)
  }

  /** The same, unless an earlier end is set. */
  armNoLater(ms: number): void {
    if (!this.timer.scheduled || this.timer.deadline > this.time.clock.now() + ms) this.arm(ms)
  }

  cancel(): void {
    this.time.wheel.cancel(this.timer)
  }

  onTimer(): void {
    this.reached(this.x)
  }
}

function continueNow(x: Exchange): void {
  if (x.down !== null && !x.headSent && !x.pump.continued) {
    x.pump.continued = true
    x.down.continueBody()
  }
}

function timedOut(x: Exchange): void {
  expire(x, FAULT.requestTimeout)
}

/** Answers 100 (Continue) ourselves when the upstream says nothing for a second. */
export function armContinue(x: Exchange, time: Time): void {
  const pump = x.pump
  if (pump.continueDeadline === null) pump.continueDeadline = new Deadline(x, time, continueNow)
  pump.continueDeadline.arm(CONTINUE_MS)
}

/** Limits the whole exchange to `ms` from now; where that has been said before, the earlier end counts. */
export function armRequest(x: Exchange, time: Time, ms: number): void {
  const pump = x.pump
  if (pump.requestDeadline === null) pump.requestDeadline = new Deadline(x, time, timedOut)
  pump.requestDeadline.armNoLater(ms)
}
