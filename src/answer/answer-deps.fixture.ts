import { FakeClock, TimerWheel } from "../base/index.ts"
import type { AnswerDeps } from "../plugin/index.ts"

/** What answers are built with in tests. */
export function fakeAnswerDeps(): AnswerDeps {
  const clock = new FakeClock()
  return {
    place: "routes/test/answer",
    path: name => `/etc/${name}`,
    counter: () => ({ add() {} }),
    watchFile: () => "",
    time: { clock, wheel: new TimerWheel(clock.now()) },
  }
}
