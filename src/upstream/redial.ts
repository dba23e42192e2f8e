// HOT
import { type Fault, FAULT, Timer, type TimerOwner } from "../base/index.ts"
import type { Time } from "../http/index.ts"

const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 2000

/** Whose connections those are. */
export interface RedialOwner {
  /** The pause is over: whoever waits may dial. */
  dialAgain(): void
}

/** A peer that cannot be reached: when it is tried again, with growing pauses, by all who wait for it together. */
export class Redial implements TimerOwner {
  private readonly owner: RedialOwner
  private readonly time: Time
  private readonly timer = new Timer(this)
  private failures = 0
  private notBefore = 0
  /** Why the last attempt failed; null = the peer has been reached since. */
  fault: Fault | null = null

  constructor(owner: RedialOwner, time: Time) {
    this.owner = owner
    this.time = time
  }

  /** Nobody dials yet. */
  get pausing(): boolean {
    return this.fault !== null && this.time.clock.now() < this.notBefore
  }

  /** A dial failed. False = for a reason that time does not mend. */
  failed(fault: Fault): boolean {
    if (fault !== FAULT.connectRefused && fault !== FAULT.connectFailed && fault !== FAULT.connectTimeout) return false
    this.fault = fault
    this.notBefore = this.time.clock.now() + Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(this.failures, 10))
    this.failures++
    this.time.wheel.schedule(this.timer, this.notBefore)
    return true
  }

  /** The peer speaks. */
  reached(): void {
    this.fault = null
    this.failures = 0
    this.notBefore = 0
  }

  onTimer(): void {
    if (this.pausing) this.time.wheel.schedule(this.timer, this.notBefore)
    else this.owner.dialAgain()
  }
}
