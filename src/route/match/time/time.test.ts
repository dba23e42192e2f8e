import { describe, expect, test } from "bun:test"
import { FakeClock, TimerWheel } from "../../../base/index.ts"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import time from "./time.ts"

const reading = () => ({ name: "", text: "", read: () => 0 })

function held(options: unknown, at: string): boolean {
  const clock = new FakeClock(0, Date.parse(at))
  return time.compile(time.options.parse(options), { reading, time: { clock, wheel: new TimerWheel(0) } })(exchangeOf({}))
}

const school = { days: "mon-fri", from: "08:00", to: "13:00", zone: "Europe/Berlin" }

describe("time", () => {
  // 2026-11-26 is a Thursday; Berlin is an hour ahead of UTC in winter and two in summer.
  test.each([
    [school, "2026-11-26T07:00:00Z", true],
    [school, "2026-11-26T06:59:59Z", false],
    [school, "2026-11-26T11:59:59Z", true],
    [school, "2026-11-26T12:00:00Z", false],
    [school, "2026-07-02T06:00:00Z", true],
    [school, "2026-11-28T09:00:00Z", false],
    [{ ...school, days: ["sat-mon"] }, "2026-11-29T09:00:00Z", true],
    [{ ...school, days: ["tue", "Thursday"] }, "2026-11-26T09:00:00Z", true],
    [{ ...school, except: "11-26" }, "2026-11-26T09:00:00Z", false],
    [{ ...school, dates: "2026-11-20..2026-11-30" }, "2026-11-26T09:00:00Z", true],
    [{ ...school, dates: "2026-11-20..2026-11-30" }, "2027-11-25T09:00:00Z", false],
    [{ ...school, dates: "12-23..01-06" }, "2027-01-06T09:00:00Z", true],
    [{ ...school, dates: "12-23..01-06" }, "2027-01-07T09:00:00Z", false],
    [{ zone: "UTC" }, "2026-11-26T09:00:00Z", true],
  ])("%j at %s: %p", (options, at, wanted) => expect(held(options, at)).toBe(wanted))

  const night = { days: "fri", from: "22:00", to: "06:00", zone: "UTC", except: "2026-11-20" }

  test.each([
    ["2026-11-27T22:00:00Z", true],
    ["2026-11-28T05:59:00Z", true],
    ["2026-11-28T06:00:00Z", false],
    ["2026-11-27T05:00:00Z", false],
    // The night that began on the day that is left out.
    ["2026-11-21T05:00:00Z", false],
    ["2026-11-28T22:30:00Z", false],
  ])("a span over midnight belongs to the day on which it began: %s", (at, wanted) => expect(held(night, at)).toBe(wanted))

  test("one of several spans is enough, and the answer follows the clock", () => {
    const clock = new FakeClock(0, Date.parse("2026-11-26T07:59:00Z"))
    const rules = time.options.parse([
      { from: "08:00", to: "09:00", zone: "UTC" },
      { from: "10:00", to: "11:00", zone: "UTC" },
    ])
    const match = time.compile(rules, { reading, time: { clock, wheel: new TimerWheel(0) } })
    const seen: boolean[] = []
    for (let i = 0; i < 4; i++) {
      seen.push(match(exchangeOf({})))
      clock.advance(60_000 * (i === 0 ? 1 : 60))
    }
    expect(seen).toEqual([false, true, false, true])
  })

  test.each([
    [{ days: "someday" }, "no weekday"],
    [{ days: "mon-fri-sun" }, "no weekday"],
    [{ from: "25:00" }, "no time of day"],
    [{ from: "8:60" }, "no time of day"],
    [{ from: "08:00", to: "08:00" }, "the same time"],
    [{ zone: "Mars/Olympus" }, "no time zone"],
    [{ dates: "02-30" }, "no day of a calendar"],
    [{ dates: "2026-12-24..2026-12-20" }, "ends before it begins"],
    [{ dates: "2026-12-24..12-26" }, "no day of a calendar"],
    [[], "1"],
  ])("refuses %j", (options, message) => {
    const result = time.options.safeParse(options)
    expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
  })

  test("29 February may be named", () => {
    expect(held({ dates: "02-29", zone: "UTC" }, "2028-02-29T12:00:00Z")).toBe(true)
  })

  test("says what the clock shows and what was wanted", () => {
    const clock = new FakeClock(0, Date.parse("2026-11-26T14:05:00Z"))
    const deps = { reading, time: { clock, wheel: new TimerWheel(0) } }
    expect(time.describe(time.options.parse({ ...school, except: "12-24" }), exchangeOf({}), deps)).toBe(
      "it is Thu 2026-11-26 15:05 in Europe/Berlin, not mon-fri 08:00-13:00 except 12-24",
    )
  })
})
