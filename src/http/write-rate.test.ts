import { expect, test } from "bun:test"
import { WriteRate } from "./write-rate.ts"

test("counts what is taken while the socket is full, after ten seconds of that", () => {
  const rate = new WriteRate()
  expect(rate.tooSlow(5_000_000, 1000, 100)).toBe(false)
  expect(rate.tooSlow(5_000_001, 1000, 10_000)).toBe(false)
  expect(rate.tooSlow(5_000_001, 1000, 10_101)).toBe(true)
  expect(rate.tooSlow(5_020_000, 1000, 10_102)).toBe(false)
})

test("the time in which there was room is not the client's, nor is another answer's", () => {
  const rate = new WriteRate()
  rate.tooSlow(0, 1000, 0)
  rate.rest(6000)
  rate.rest(90_000)
  expect(rate.tooSlow(100, 1000, 100_000)).toBe(false)
  expect(rate.tooSlow(100, 1000, 104_001)).toBe(true)
  rate.reset()
  expect(rate.tooSlow(100, 1000, 104_002)).toBe(false)
})
