// HOT
import { CRITICAL, type PriorityClass } from "../queue/priority.ts"
import type { LoopDelay } from "./loop-delay.ts"

export interface SheddingOptions {
  /** Delay of the thread's event loop from which low requests are refused; normal ones from twice, high ones from four times as much. */
  readonly loopDelayMaxMs: number
}

/** Refuses the less important requests while this thread has more to do than it can. Critical ones are never refused. */
export class Shedding {
  private readonly delay: LoopDelay
  private readonly limits: readonly number[]

  constructor(options: SheddingOptions, delay: LoopDelay) {
    this.delay = delay
    const { loopDelayMaxMs: first } = options
    this.limits = [Infinity, first * 4, first * 2, first]
  }

  refuses(priority: PriorityClass): boolean {
    return priority !== CRITICAL && this.delay.now > this.limits[priority]!
  }
}
