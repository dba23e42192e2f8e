import { expect, test } from "bun:test"
import { UploadRate } from "./upload-rate.ts"

test("a rate counts after ten seconds, on average, and without the time that we held the client back", () => {
  const rate = new UploadRate(1000)
  expect(rate.tooSlow(1, 100, 10_900)).toBe(false)
  expect(rate.tooSlow(1, 100, 11_100)).toBe(true)
  expect(rate.tooSlow(2000, 100, 11_100)).toBe(false)
  rate.pause(11_100)
  rate.pause(15_000)
  rate.resume(100_000)
  rate.resume(101_000)
  expect(rate.tooSlow(0, 100, 101_000)).toBe(false)
  expect(rate.tooSlow(0, 100, 112_000)).toBe(true)
})
