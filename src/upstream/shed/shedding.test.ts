import { expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { CRITICAL, HIGH, LOW, NORMAL } from "../queue/priority.ts"
import { LoopDelay } from "./loop-delay.ts"
import { Shedding } from "./shedding.ts"

test("the more the loop is late the more classes are refused, critical ones never; one pause is no overload", () => {
  const clock = new FakeClock()
  const delay = new LoopDelay(clock)
  const shedding = new Shedding({ loopDelayMaxMs: 50 }, delay)
  const refused = () => [CRITICAL, HIGH, NORMAL, LOW].map(priority => shedding.refuses(priority as 0))
  const beats = (count: number, lateMs: number) => {
    for (let i = 0; i < count; i++) {
      clock.advance(20 + lateMs)
      delay.beat()
    }
  }
  expect(refused()).toEqual([false, false, false, false])
  beats(10, 0)
  beats(1, 200)
  expect(refused()).toEqual([false, false, false, false])
  beats(20, 70)
  expect(refused()).toEqual([false, false, false, true])
  beats(20, 120)
  expect(refused()).toEqual([false, false, true, true])
  beats(20, 300)
  expect(refused()).toEqual([false, true, true, true])
  beats(20, 0)
  expect(refused()).toEqual([false, false, false, false])
})
