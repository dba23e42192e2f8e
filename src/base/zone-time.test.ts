import { describe, expect, test } from "bun:test"
import { ZoneTime, zoneTrouble } from "./zone-time.ts"

const at = (text: string): number => Date.parse(text)
const iso = (ms: number): string => new Date(ms).toISOString()

describe("zone time", () => {
  test("shows the zone's calendar, in summer and in winter", () => {
    const berlin = new ZoneTime("Europe/Berlin")
    berlin.read(at("2026-07-01T22:30:00Z"))
    expect([berlin.year, berlin.month, berlin.dayOfMonth, berlin.minuteOfDay]).toEqual([2026, 7, 2, 30])
    berlin.read(at("2026-12-31T23:59:59Z"))
    expect([berlin.year, berlin.month, berlin.dayOfMonth, berlin.minuteOfDay]).toEqual([2027, 1, 1, 59])
    const nepal = new ZoneTime("Asia/Kathmandu")
    nepal.read(at("2026-01-01T00:00:00Z"))
    expect(nepal.minuteOfDay).toBe(5 * 60 + 45)
  })

  test("periods begin and end by the zone's clock", () => {
    const berlin = new ZoneTime("Europe/Berlin")
    const now = at("2026-11-26T13:00:00Z")
    expect(iso(berlin.periodEnd("hour", now))).toBe("2026-11-26T14:00:00.000Z")
    expect(iso(berlin.periodEnd("day", now))).toBe("2026-11-26T23:00:00.000Z")
    // A Thursday: the week ends with Sunday.
    expect(iso(berlin.periodEnd("week", now))).toBe("2026-11-29T23:00:00.000Z")
    expect(iso(berlin.periodEnd("month", now))).toBe("2026-11-30T23:00:00.000Z")
  })

  test("days on which clocks are set are longer or shorter", () => {
    const berlin = new ZoneTime("Europe/Berlin")
    expect(iso(berlin.periodEnd("day", at("2026-03-28T23:30:00Z")))).toBe("2026-03-29T22:00:00.000Z")
    expect(iso(berlin.periodEnd("day", at("2026-10-24T22:30:00Z")))).toBe("2026-10-25T23:00:00.000Z")
  })

  test("each period has a number of its own, the same to its end", () => {
    for (const zone of ["UTC", "Europe/Berlin", "America/Los_Angeles"]) {
      const time = new ZoneTime(zone)
      for (const period of ["hour", "day", "week", "month"] as const) {
        const now = at("2026-05-13T13:20:00Z")
        const end = time.periodEnd(period, now)
        expect(time.periodNumber(period, end - 1)).toBe(time.periodNumber(period, now))
        expect(time.periodNumber(period, end)).toBe(time.periodNumber(period, now) + 1)
      }
    }
  })

  test("names of zones are checked", () => {
    expect([zoneTrouble("UTC"), zoneTrouble("Europe/Berlin")]).toEqual(["", ""])
    expect(zoneTrouble("Europe/Bärlin")).toContain("there is no time zone")
  })
})
