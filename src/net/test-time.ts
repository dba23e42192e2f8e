import { systemClock, startWheel, TimerWheel } from "../base/index.ts"
import type { Time } from "./time.ts"

const wheel = new TimerWheel(systemClock.now(), 10)
startWheel(wheel, systemClock)

/** Real time in ticks of 10 ms. */
export const testTime: Time = { clock: systemClock, wheel }

/** Waits until `check` holds; fails the test with `what` after four seconds, for a machine that is busy. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 4000
  while (!check()) {
    if (performance.now() > end) throw new Error(`waited for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
