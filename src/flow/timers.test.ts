import { expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../base/index.ts"
import type { Downstream } from "../http/index.ts"
import { begin } from "./engine.ts"
import { Exchange, type Plan } from "./exchange.ts"
import { armRequest } from "./timers.ts"
import { DONE, NEXT, WAIT } from "./verdict.ts"

test.each([
  [[500, 100, 900], 100],
  [[100, 500], 100],
  [[900], 900],
])("of several ends %j the earliest counts, whoever set it last", (ends, due) => {
  const clock = new FakeClock()
  const time = { clock, wheel: new TimerWheel(clock.now(), 1) }
  const x = new Exchange()
  let fault = ""
  x.down = { abort() {} } as unknown as Downstream
  x.plan = {
    steps: [
      () => {
        for (const ms of ends) armRequest(x, time, ms)
        return WAIT
      },
      () => NEXT,
      () => {
        fault = x.fault?.code ?? ""
        return DONE
      },
    ],
    respondAt: 1,
    peerAt: -1,
    logAt: 2,
    retry: null,
  } as unknown as Plan
  begin(x)
  clock.advance(due - 1)
  time.wheel.advance(clock.now())
  expect(fault).toBe("")
  clock.advance(1)
  time.wheel.advance(clock.now())
  expect(fault).toBe("proxy.request-timeout")
})
