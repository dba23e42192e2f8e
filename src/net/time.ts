import type { Clock, TimerWheel } from "../base/index.ts"

/** The thread's clock and the wheel that it drives. */
export interface Time {
  readonly clock: Clock
  readonly wheel: TimerWheel
}
