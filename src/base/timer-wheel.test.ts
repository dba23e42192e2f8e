import { describe, expect, test } from "bun:test"
import { setTimeout as sleep } from "node:timers/promises"
import fc from "fast-check"
import { FakeClock, systemClock } from "./clock.ts"
import { startWheel } from "./start-wheel.ts"
import { Timer, type TimerOwner, TimerWheel } from "./timer-wheel.ts"

class Recorder implements TimerOwner {
  readonly fired: number[] = []
  readonly timers: Timer[] = []
  then: ((index: number) => void) | null = null

  timer(): Timer {
    const timer = new Timer(this)
    this.timers.push(timer)
    return timer
  }

  onTimer(timer: Timer): void {
    const index = this.timers.indexOf(timer)
    this.fired.push(index)
    this.then?.(index)
  }
}

function setUp(startMs = 0) {
  const clock = new FakeClock(startMs)
  const wheel = new TimerWheel(startMs)
  const recorder = new Recorder()
  const advance = (ms: number) => {
    clock.advance(ms)
    wheel.advance(clock.now())
  }
  return { clock, wheel, recorder, advance }
}

describe("TimerWheel", () => {
  test("fires neither early nor twice", () => {
    const { wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    wheel.schedule(timer, 250)
    advance(249)
    expect(recorder.fired).toEqual([])
    expect(timer.scheduled).toBe(true)
    advance(1)
    expect(recorder.fired).toEqual([0])
    expect([timer.scheduled, wheel.size]).toEqual([false, 0])
    advance(100_000)
    expect(recorder.fired).toEqual([0])
  })

  test("driven once a tick, it is late by one tick at most, at every phase", () => {
    for (let deadline = 1; deadline <= 400; deadline += 7) {
      const { clock, wheel, recorder, advance } = setUp()
      wheel.schedule(recorder.timer(), deadline)
      while (recorder.fired.length === 0) advance(100)
      expect(clock.now() - deadline).toBeGreaterThanOrEqual(0)
      expect(clock.now() - deadline).toBeLessThanOrEqual(100)
    }
  })

  test("a move to a later time leaves the place and still counts", () => {
    const { wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    wheel.schedule(timer, 200)
    const { tick } = timer
    for (let i = 1; i <= 50; i++) wheel.schedule(timer, 200 + i * 1000)
    expect(timer.tick).toBe(tick)
    advance(50_199)
    expect(recorder.fired).toEqual([])
    advance(1)
    expect(recorder.fired).toEqual([0])
  })

  test("a move to an earlier time counts", () => {
    const { wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    wheel.schedule(timer, 60_000)
    wheel.schedule(timer, 300)
    expect(wheel.size).toBe(1)
    advance(300)
    expect(recorder.fired).toEqual([0])
    advance(60_000)
    expect(recorder.fired).toEqual([0])
  })

  test("cancelled timers stay silent and may be scheduled again", () => {
    const { wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    wheel.cancel(timer)
    wheel.schedule(timer, 100)
    wheel.cancel(timer)
    wheel.cancel(timer)
    expect(wheel.size).toBe(0)
    advance(1000)
    expect(recorder.fired).toEqual([])
    wheel.schedule(timer, 1100)
    advance(100)
    expect(recorder.fired).toEqual([0])
  })

  test("Infinity takes the deadline away, NaN is a mistake of the caller", () => {
    const { wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    wheel.schedule(timer, 100)
    wheel.schedule(timer, Infinity)
    expect([timer.scheduled, wheel.size]).toEqual([false, 0])
    wheel.schedule(timer, Infinity)
    advance(1e9)
    expect(recorder.fired).toEqual([])
    expect(() => wheel.schedule(timer, Number.NaN)).toThrow("a deadline is a number")
  })

  test("waits longer than a turn of the wheel", () => {
    const { wheel, recorder, advance } = setUp()
    wheel.schedule(recorder.timer(), 3_600_000)
    for (let i = 0; i < 35_999; i++) advance(100)
    expect(recorder.fired).toEqual([])
    advance(100)
    expect(recorder.fired).toEqual([0])
  })

  test("a clock that jumps by hours fires all that is due and keeps the rest", () => {
    const { wheel, recorder, advance } = setUp(12_345.678)
    for (let i = 0; i < 1000; i++) wheel.schedule(recorder.timer(), 12_345.678 + i * 20_000)
    advance(10_000_000)
    expect([...recorder.fired].sort((a, b) => a - b)).toEqual(Array.from({ length: 501 }, (_, i) => i))
    expect(wheel.size).toBe(499)
    advance(9_980_000)
    expect(wheel.size).toBe(0)
  })

  test("a clock that steps back fires nothing and loses nothing", () => {
    const { wheel, recorder } = setUp(100_000)
    wheel.schedule(recorder.timer(), 100_500)
    wheel.advance(50_000)
    wheel.advance(100_499)
    expect(recorder.fired).toEqual([])
    wheel.advance(100_500)
    expect(recorder.fired).toEqual([0])
  })

  test("a deadline in the past fires at the next call", () => {
    const { wheel, recorder, advance } = setUp(5000)
    const timer = recorder.timer()
    wheel.schedule(timer, 10)
    expect(recorder.fired).toEqual([])
    advance(0)
    expect(recorder.fired).toEqual([0])
  })

  test("a callback may renew its own timer, even for now: no endless loop", () => {
    const { clock, wheel, recorder, advance } = setUp()
    const timer = recorder.timer()
    recorder.then = () => wheel.schedule(timer, clock.now())
    wheel.schedule(timer, 100)
    advance(100)
    expect(recorder.fired).toEqual([0])
    advance(0)
    advance(0)
    expect(recorder.fired).toEqual([0, 0, 0])
  })

  test("a callback may cancel and move others that are due at the same time", () => {
    const { clock, wheel, recorder, advance } = setUp()
    const [first, cancelled, later, earlier] = [recorder.timer(), recorder.timer(), recorder.timer(), recorder.timer()]
    recorder.then = index => {
      if (index !== 0) return
      wheel.cancel(cancelled!)
      wheel.schedule(later!, 5000)
      wheel.schedule(earlier!, clock.now() + 50)
    }
    for (const timer of [first, cancelled, later]) wheel.schedule(timer!, 1000)
    wheel.schedule(earlier!, 90_000)
    advance(1000)
    expect(recorder.fired).toEqual([0])
    advance(50)
    expect(recorder.fired).toEqual([0, 3])
    advance(3950)
    expect(recorder.fired).toEqual([0, 3, 2])
    expect(wheel.size).toBe(0)
  })

  test("advance inside a callback is ignored", () => {
    const { wheel, recorder, advance } = setUp()
    recorder.then = () => wheel.advance(99_999)
    wheel.schedule(recorder.timer(), 100)
    wheel.schedule(recorder.timer(), 50_000)
    advance(100)
    expect(recorder.fired).toEqual([0])
    advance(49_900)
    expect(recorder.fired).toEqual([0, 1])
  })

  test("a callback that throws does not take the others with it", () => {
    const { wheel, recorder, advance } = setUp()
    recorder.then = index => {
      if (index === 0) throw new Error("broken owner")
    }
    wheel.schedule(recorder.timer(), 100)
    wheel.schedule(recorder.timer(), 100)
    expect(() => advance(100)).toThrow("broken owner")
    advance(0)
    expect(recorder.fired).toEqual([0, 1])
  })
})

type Step = { kind: "schedule"; timer: number; inMs: number } | { kind: "cancel"; timer: number } | { kind: "advance"; byMs: number }

const timerCount = 6
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("schedule" as const),
    timer: fc.nat(timerCount - 1),
    inMs: fc.oneof(fc.integer({ min: -500, max: 2000 }), fc.integer({ min: 0, max: 200_000 }), fc.double({ min: 0, max: 300, noNaN: true })),
  }),
  fc.record({ kind: fc.constant("cancel" as const), timer: fc.nat(timerCount - 1) }),
  fc.record({
    kind: fc.constant("advance" as const),
    byMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40_000 }), fc.constant(7_200_000)),
  }),
)

describe("TimerWheel against a list of deadlines", () => {
  test("fires exactly what is due, whatever is done with it", () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 60 }), fc.double({ min: 0, max: 1e9, noNaN: true }), (steps, startMs) => {
        const clock = new FakeClock(startMs)
        const wheel = new TimerWheel(startMs, 50, 64)
        const recorder = new Recorder()
        const model = new Map<number, number>()
        for (let i = 0; i < timerCount; i++) recorder.timer()
        for (const step of steps) {
          if (step.kind === "schedule") {
            model.set(step.timer, clock.now() + step.inMs)
            wheel.schedule(recorder.timers[step.timer]!, clock.now() + step.inMs)
          } else if (step.kind === "cancel") {
            model.delete(step.timer)
            wheel.cancel(recorder.timers[step.timer]!)
          } else {
            clock.advance(step.byMs)
            recorder.fired.length = 0
            wheel.advance(clock.now())
            const due = [...model].filter(([, deadline]) => deadline <= clock.now()).map(([timer]) => timer)
            for (const timer of due) model.delete(timer)
            expect([...recorder.fired].sort()).toEqual(due.sort())
          }
          expect(wheel.size).toBe(model.size)
        }
      }),
      { seed: 20_260_101, numRuns: 600 },
    )
  })
})

describe("startWheel", () => {
  test("drives the wheel until it is stopped", async () => {
    const wheel = new TimerWheel(systemClock.now(), 10)
    const recorder = new Recorder()
    const stop = startWheel(wheel, systemClock)
    const start = systemClock.now()
    let firedAt = 0
    recorder.then = () => {
      firedAt ||= systemClock.now()
    }
    wheel.schedule(recorder.timer(), start + 30)
    for (let i = 0; i < 200 && firedAt === 0; i++) await sleep(5)
    expect(firedAt - start).toBeGreaterThanOrEqual(30)
    stop()
    wheel.schedule(recorder.timer(), systemClock.now())
    await sleep(40)
    expect(recorder.fired).toEqual([0])
  })
})
