import { Timer, type TimerOwner, TimerWheel } from "../../base/index.ts"
import { type Exchange, NEXT, resume, type Waiter } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"

/** What lies between two that are let go: the worker's own wheel turns too slowly for a limit of a hundred a second. */
const TICK_MS = 5
const SLOTS = 1024

/** Requests that wait for their turn, each until a time of its own. One timer of the runtime serves all of them, and only while somebody waits. */
export class DelayQueue {
  private readonly wheel: TimerWheel
  private readonly time: Time
  private readonly waitersMax: number
  private waiting = 0
  private interval: ReturnType<typeof setInterval> | null = null

  constructor(time: Time, waitersMax: number) {
    this.time = time
    this.wheel = new TimerWheel(time.clock.now(), TICK_MS, SLOTS)
    this.waitersMax = waitersMax
  }

  get full(): boolean {
    return this.waiting >= this.waitersMax
  }

  /** The exchange goes on after `ms`, unless its client leaves before. The step that calls this returns WAIT. */
  hold(x: Exchange, ms: number): void {
    const held = new Held(this, x)
    x.waiter = held
    this.waiting++
    this.wheel.schedule(held.timer, this.time.clock.now() + ms)
    this.interval ??= setInterval(() => this.turn(), TICK_MS)
  }

  cancel(timer: Timer): void {
    this.wheel.cancel(timer)
    this.gone()
  }

  gone(): void {
    this.waiting--
    if (this.waiting > 0 || this.interval === null) return
    clearInterval(this.interval)
    this.interval = null
  }

  private turn(): void {
    this.time.clock.tick()
    this.wheel.advance(this.time.clock.now())
  }
}

class Held implements Waiter, TimerOwner {
  readonly timer = new Timer(this)
  private readonly queue: DelayQueue
  private readonly x: Exchange

  constructor(queue: DelayQueue, x: Exchange) {
    this.queue = queue
    this.x = x
  }

  cancel(): void {
    this.queue.cancel(this.timer)
  }

  onTimer(): void {
    this.queue.gone()
    resume(this.x, NEXT)
  }
}
