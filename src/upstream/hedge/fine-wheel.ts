// HOT
import { type Clock, type Timer, TimerWheel } from "../../base/index.ts"

const TICK_MS = 5

/** A timer wheel with a tick of 5 ms, which turns only while something waits: delays of hedges are shorter than a tick of the thread's own wheel. */
export class FineWheel {
  private readonly clock: Clock
  private readonly wheel: TimerWheel
  private interval: ReturnType<typeof setInterval> | null = null
  private readonly turn: () => void

  constructor(clock: Clock) {
    this.clock = clock
    this.wheel = new TimerWheel(clock.now(), TICK_MS, 256)
    // allow(closure): once a wheel
    this.turn = () => {
      this.clock.tick()
      this.advance()
    }
  }

  schedule(timer: Timer, ms: number): void {
    this.wheel.schedule(timer, this.clock.now() + ms)
    if (this.interval !== null) return
    this.interval = setInterval(this.turn, TICK_MS)
    this.interval.unref()
  }

  /** Timers that wait. */
  get size(): number {
    return this.wheel.size
  }

  cancel(timer: Timer): void {
    this.wheel.cancel(timer)
  }

  /** Fires what is due; stops turning when nothing waits. */
  advance(): void {
    this.wheel.advance(this.clock.now())
    if (this.wheel.size > 0 || this.interval === null) return
    clearInterval(this.interval)
    this.interval = null
  }
}
