import { expect, test } from "bun:test"
import { FakeClock } from "../../base/index.ts"
import { WallTime } from "./wall-time.ts"

test("ISO time with milliseconds, over the borders of seconds and days", () => {
  const clock = new FakeClock(0, Date.UTC(2026, 1, 28, 23, 59, 59, 7))
  const time = new WallTime(clock)
  for (const ms of [0, 0, 80, 900, 13, 86_400_000 * 366]) {
    clock.advance(ms)
    expect(time.iso()).toBe(new Date(clock.wall()).toISOString())
  }
})

test("the clock may be set back", () => {
  const clock = new FakeClock(0, Date.UTC(2026, 0, 2))
  const time = new WallTime(clock)
  time.iso()
  clock.setWall(Date.UTC(2025, 0, 1, 1, 2, 3, 4))
  expect(time.iso()).toBe("2025-01-01T01:02:03.004Z")
})

test("common log time in the machine's zone", () => {
  const zone = process.env["TZ"]
  const at = (tz: string) => {
    process.env["TZ"] = tz
    return new WallTime(new FakeClock(0, Date.UTC(2026, 10, 26, 1, 7, 46))).commonLog()
  }
  try {
    expect(at("UTC")).toBe("26/Nov/2026:01:07:46 +0000")
    expect(at("Asia/Kolkata")).toBe("26/Nov/2026:06:37:46 +0530")
    expect(at("America/St_Johns")).toBe("25/Nov/2026:21:37:46 -0330")
  } finally {
    process.env["TZ"] = zone ?? "UTC"
  }
})
