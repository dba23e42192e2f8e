import type { Clock } from "./clock.ts"
import type { TimerWheel } from "./timer-wheel.ts"

/** Lets the runtime's timer drive the wheel, once a tick, without keeping the process alive. Answers how to stop it. */
export function startWheel(wheel: TimerWheel, clock: Clock): () => void {
  const interval = setInterval(() => {
    clock.tick()
    wheel.advance(clock.now())
  }, wheel.tickMs)
  interval.unref()
  return () => clearInterval(interval)
}
