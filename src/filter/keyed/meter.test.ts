import { describe, expect, test } from "bun:test"
import { KeyedTable, KIND_METER, Random } from "../../base/index.ts"
import { FixedWindow, type Meter, OVER, SlidingWindow, TokenBucket } from "./meter.ts"

const shape = { keysMax: 10, valueWords: 16, kind: KIND_METER }
const START = 1_790_000_000_000

class Run {
  readonly table = new KeyedTable(new SharedArrayBuffer(KeyedTable.bytes(shape)), shape)
  readonly meter: Meter
  now = START
  readonly passed: number[] = []

  constructor(make: (table: KeyedTable) => Meter) {
    this.meter = make(this.table)
  }

  ask(amount = 1, now = this.now): number {
    const base = this.table.enter("k")
    const verdict = this.meter.take(base, now, amount)
    this.table.leave()
    if (verdict !== OVER) this.passed.push(now)
    return verdict
  }

  /** Asks every `everyMs` for `ms`. */
  load(everyMs: number, ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += everyMs) this.ask()
  }

  between(from: number, to: number): number {
    return this.passed.filter(at => at >= START + from && at < START + to).length
  }
}

const sliding = () => new Run(table => new SlidingWindow(table, 100, 1000))
const bucket = (capacity: number, delayMs = 0) => new Run(table => new TokenBucket(table, { amount: 100, perMs: 1000, capacity, delayMs }))
const fixed = () => new Run(table => new FixedWindow(table, 100, 1000))

describe("sliding window", () => {
  test("lets 100 a second through under four times as much, the first second too", () => {
    const run = sliding()
    run.load(2.5, 10_000)
    for (let second = 0; second < 10; second++) expect(run.between(second * 1000, second * 1000 + 1000)).toBeWithin(99, 102)
  })

  test("no window has more than what is allowed and what fell into a tenth, whenever they come", () => {
    for (let seed = 1; seed < 20; seed++) {
      const run = sliding()
      const random = new Random(seed)
      for (let i = 0; i < 3000; i++) {
        run.now += random.below(10) === 0 ? random.float() * 400 : random.float() * 2
        run.ask()
      }
      for (const at of run.passed) expect(run.passed.filter(other => other >= at && other < at + 900).length).toBeLessThanOrEqual(100)
    }
  })

  test("says when the next one may come", () => {
    const run = sliding()
    run.load(1, 250)
    run.ask()
    const { retryMs } = run.meter
    expect(run.meter.remaining).toBe(0)
    expect(run.ask(1, run.now + retryMs - 3)).toBe(OVER)
    expect(run.ask(1, run.now + retryMs + 1)).toBe(0)
  })

  test("what is given back was never taken", () => {
    const run = sliding()
    for (let i = 0; i < 100; i++) run.ask()
    run.meter.giveBack(run.table.enter("k"), 10)
    run.table.leave()
    expect(run.ask(10)).toBe(0)
    expect(run.ask()).toBe(OVER)
  })

  test("a clock of another thread that is a little behind, and one that is set back by an hour", () => {
    const run = sliding()
    for (let i = 0; i < 50; i++) run.ask()
    for (let i = 0; i < 50; i++) run.ask(1, run.now - 60)
    expect(run.ask()).toBe(OVER)
    run.now -= 3_600_000
    expect(run.ask()).toBe(OVER)
    run.now += 1200
    expect(run.ask()).toBe(0)
  })
})

describe("token bucket", () => {
  test("so many at once, then evenly", () => {
    const run = bucket(20)
    run.load(2.5, 5000)
    expect(run.between(0, 40)).toBeWithin(16, 25)
    for (let second = 1; second < 5; second++) expect(run.between(second * 1000, second * 1000 + 1000)).toBeWithin(99, 102)
    expect(run.passed.length).toBeWithin(518, 522)
  })

  test("full again after a rest, not fuller", () => {
    const run = bucket(20)
    for (let i = 0; i < 20; i++) expect(run.ask()).toBe(0)
    expect(run.ask()).toBe(OVER)
    expect(run.meter.retryMs).toBeCloseTo(10, 1)
    run.now += 60_000
    for (let i = 0; i < 20; i++) expect(run.ask()).toBe(0)
    expect(run.ask()).toBe(OVER)
  })

  test("delay: each waits for its turn, up to a limit", () => {
    const run = bucket(1, 100)
    expect(Array.from({ length: 12 }, () => Math.round(run.ask()))).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, OVER])
  })

  test("a clock that is set back refuses nobody for long", () => {
    const run = bucket(20)
    run.load(2.5, 1000)
    run.now -= 3_600_000
    expect(run.ask()).toBe(0)
  })

  test("charge takes in any case and tells how far ahead of the rate that is", () => {
    const { table } = bucket(1)
    const meter = new TokenBucket(table, { amount: 1000, perMs: 1000, capacity: 100, delayMs: 0 })
    const base = table.enter("c")
    expect(meter.charge(base, START, 100)).toBe(0)
    expect(meter.charge(base, START, 500)).toBeCloseTo(500, 1)
    expect(meter.charge(base, START + 500, 1)).toBeCloseTo(1, 1)
    table.leave()
  })
})

test("fixed window: anew at each multiple of the period", () => {
  const run = fixed()
  run.now = START + 500
  run.load(1, 2000)
  expect([run.between(0, 1000), run.between(1000, 2000), run.between(2000, 3000)]).toEqual([100, 100, 100])
  const late = fixed()
  late.load(1, 150)
  late.ask()
  expect(late.meter.retryMs).toBeCloseTo(850, 0)
})
