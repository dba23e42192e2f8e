import { describe, expect, test } from "bun:test"
import { setTimeout as sleep } from "node:timers/promises"
import { FakeClock, systemClock } from "./clock.ts"

describe("systemClock", () => {
  test("now never goes back and keeps pace with sleeping", async () => {
    const start = systemClock.now()
    let last = start
    for (let i = 0; i < 1000; i++) {
      const now = systemClock.now()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
    await sleep(20)
    expect(systemClock.now() - start).toBeGreaterThanOrEqual(19)
  })

  test("wall is the epoch in milliseconds", () => {
    expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(1000)
  })
})

describe("FakeClock", () => {
  test("moves only when told, and never back", () => {
    const clock = new FakeClock(10, 5000)
    expect([clock.now(), clock.wall()]).toEqual([10, 5000])
    clock.advance(2.5)
    clock.advance(-100)
    expect([clock.now(), clock.wall()]).toEqual([12.5, 5002.5])
  })

  test("the wall clock can be set without moving the other", () => {
    const clock = new FakeClock(10, 5000)
    clock.setWall(1)
    expect([clock.now(), clock.wall()]).toEqual([10, 1])
  })
})
