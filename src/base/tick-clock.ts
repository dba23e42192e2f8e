// HOT
import type { Clock } from "./clock.ts"

/**
 * A clock for an event loop: `now` is read from the machine once an event, by `tick`, and is free of charge after that.
 * Whoever forgets to tick sees a time that is at most one turn of the timer wheel old.
 */
export class TickClock implements Clock {
  private nowMs = performance.now()

  now(): number {
    return this.nowMs
  }

  wall(): number {
    return Date.now()
  }

  tick(): void {
    this.nowMs = performance.now()
  }
}
