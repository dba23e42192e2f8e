// HOT
import type { Clock } from "../../base/index.ts"

const EVERY_MS = 20
/** Share of what is known that a new measurement replaces: a single pause, of a collection for instance, is no overload. */
const SHARE = 0.2

/**
 * How late the timers of this thread come, in milliseconds, averaged over some 100 ms: the time that an event waits for the thread. One timer a
 * thread, which runs once somebody has asked.
 */
export class LoopDelay {
  private readonly clock: Clock
  private due = 0
  private running = false
  /** Milliseconds. */
  ms = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Asked for the first time, it says 0 and begins to measure. */
  get now(): number {
    if (!this.running) this.start()
    return this.ms
  }

  private start(): void {
    this.running = true
    this.due = this.clock.now() + EVERY_MS
    // allow(closure): once a thread
    setInterval(() => {
      this.clock.tick()
      this.beat()
    }, EVERY_MS).unref()
  }

  /** The timer came. */
  beat(): void {
    const now = this.clock.now()
    this.ms += (Math.max(0, now - this.due) - this.ms) * SHARE
    this.due = now + EVERY_MS
  }
}
