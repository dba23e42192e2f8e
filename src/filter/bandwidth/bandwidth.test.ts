import { describe, expect, test } from "bun:test"
import { FakeClock, KeyedTable, KIND_METER, SharedTime } from "../../base/index.ts"
import { Exchange, notesOf } from "../../flow/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import bandwidth from "./bandwidth.ts"
import { KeyGauge, OwnGauge, pieceOf } from "./gauges.ts"

const shape = { keysMax: 10, valueWords: 16, kind: KIND_METER }

describe("gauges", () => {
  test("what went has to be paid for before the next may go", () => {
    const clock = new FakeClock()
    const gauge = new OwnGauge(1000, new SharedTime(clock))
    expect(gauge.went(100)).toBeCloseTo(100, 1)
    expect(gauge.went(50)).toBeCloseTo(150, 1)
    clock.advance(150)
    expect(gauge.went(100)).toBeCloseTo(100, 1)
  })

  test("a timer that is late loses nothing, a long rest gives little", () => {
    const clock = new FakeClock()
    const gauge = new OwnGauge(1000, new SharedTime(clock))
    gauge.went(100)
    clock.advance(180)
    expect(gauge.went(100)).toBeCloseTo(20, 1)
    clock.advance(60_000)
    expect(gauge.went(200)).toBeCloseTo(0, 1)
    expect(gauge.went(100)).toBeCloseTo(100, 1)
  })

  test("those who share a key wait for each other", () => {
    const clock = new FakeClock()
    const time = new SharedTime(clock)
    const table = new KeyedTable(new SharedArrayBuffer(KeyedTable.bytes(shape)), shape)
    const gauges = [new KeyGauge(1000, time, table, "a"), new KeyGauge(1000, time, table, "a"), new KeyGauge(1000, time, table, "b")]
    expect(gauges.map(gauge => Math.round(gauge.went(100)))).toEqual([100, 200, 100])
    clock.setWall(clock.wall() - 3_600_000)
    clock.advance(1000)
    expect(gauges[0]!.went(100)).toBeLessThan(601_000)
  })

  test("pieces are a twentieth of a second, within bounds", () => expect([1000, 100_000, 1e9].map(pieceOf)).toEqual([512, 5000, 65_536]))
})

describe("bandwidth", () => {
  test("says what it does, and refuses what limits nothing", () => {
    const options = bandwidth.options.parse({ down: "1MB", up: "64KB", after: "10MB", key: "client", zone: "z" })
    expect(bandwidth.build(options, new FakeDeps()).describe!()).toBe("answers 1MB/s after 10MB, uploads 64KB/s by client in zone z")
    expect(bandwidth.options.safeParse({ key: "client" }).success).toBe(false)
    expect(bandwidth.options.safeParse({ down: "1MB", key: "conection" }).success).toBe(false)
    expect(bandwidth.options.safeParse({ down: 10 }).success).toBe(false)
  })

  test("members of groups have rates of their own, the first that is written", () => {
    const options = bandwidth.options.parse({ down: "1KB", groups: { staff: "unlimited", pupils: { down: "4KB" } }, key: "user" })
    const filter = bandwidth.build(options, new FakeDeps())
    const rateOf = (...groups: string[]): number => {
      const x = Object.assign(new Exchange(), { user: groups.join() || "nobody", down: { info: {} } })
      if (groups.length > 0) notesOf(x).groups = groups
      filter.access!(x)
      const gauge = x.pace?.down[0]
      return gauge === undefined ? 0 : Math.round(1_000_000 / gauge.went(1000))
    }
    expect([rateOf(), rateOf("other"), rateOf("pupils"), rateOf("pupils", "staff")]).toEqual([1024, 1024, 4096, 0])
    expect(filter.describe!()).toBe("answers 1KB/s; staff unlimited; pupils answers 4KB/s by user")
    expect(bandwidth.options.safeParse({ groups: { staff: "fast" } }).success).toBe(false)
  })
})
