import { expect, test } from "bun:test"
import { FAULT, FakeClock, TimerWheel } from "../base/index.ts"
import { Redial } from "./redial.ts"

function setUp() {
  const clock = new FakeClock(1000)
  const wheel = new TimerWheel(1000)
  const dialled: number[] = []
  const redial = new Redial({ dialAgain: () => void dialled.push(clock.now()) }, { clock, wheel } as never)
  const pass = (ms: number) => {
    for (let at = 0; at < ms; at += 50) {
      clock.advance(50)
      wheel.advance(clock.now())
    }
  }
  return { clock, redial, dialled, pass }
}

test("pauses grow to two seconds, and end when the peer is there", () => {
  const { redial, dialled, pass, clock } = setUp()
  const pauses: number[] = []
  for (let i = 0; i < 8; i++) {
    const failedAt = clock.now()
    expect(redial.failed(FAULT.connectRefused)).toBe(true)
    expect(redial.pausing).toBe(true)
    pass(3000)
    pauses.push(dialled.at(-1)! - failedAt)
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 2000])
  expect(dialled.length).toBe(8)
  redial.reached()
  expect([redial.fault, redial.pausing]).toEqual([null, false])
  redial.failed(FAULT.connectTimeout)
  pass(100)
  expect(dialled.length).toBe(9)
})

test("what time does not mend is told at once", () => {
  const { redial } = setUp()
  expect(redial.failed(FAULT.tlsFailed)).toBe(false)
  expect(redial.failed(FAULT.protocolUnavailable)).toBe(false)
  expect(redial.fault).toBeNull()
})

test("a failure while another pause lasts makes it longer, and there is one dial at its end", () => {
  const { redial, dialled, pass } = setUp()
  redial.failed(FAULT.connectRefused)
  pass(50)
  redial.failed(FAULT.connectFailed)
  pass(1000)
  expect(dialled).toEqual([1250])
})
