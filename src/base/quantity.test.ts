import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { duration, formatDuration, formatSize, parseDuration, parseRatio, parseSize, ratio, size } from "./quantity.ts"

describe("durations", () => {
  test.each([
    ["250ms", 250],
    ["5s", 5000],
    ["1m", 60_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
    ["1.5s", 1500],
    ["0.3s", 300],
    ["0", 0],
    [0, 0],
    [" 5s ", 5000],
  ])("%p is %p ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(["5 sec", "5", 5, "-1s", "1e3s", "", "s", "0.4ms", "1m30s", "Infinity", "99999999999999999s"])("%p is none", text => {
    expect(parseDuration(text)).toBeNull()
  })

  test("the message says what was expected and what was there", () => {
    expect(duration().safeParse("5 sec").error?.issues[0]?.message).toBe('expected a duration such as 250ms, 5s, 1m, got "5 sec"')
    expect(duration().safeParse([1]).error?.issues[0]?.message).toBe("expected a duration such as 250ms, 5s, 1m, got a list")
    expect(duration({ min: 100 }).safeParse("5ms").error?.issues[0]?.message).toBe('expected at least 100ms, got "5ms"')
    expect(duration().safeParse("25d").error?.issues[0]?.message).toBe('expected at most 2147483647ms, got "25d"')
  })
})

describe("sizes", () => {
  test.each([
    ["64KB", 65_536],
    ["10MB", 10_485_760],
    ["1GB", 1_073_741_824],
    ["512B", 512],
    ["1.5KB", 1536],
    [4096, 4096],
    ["4096", 4096],
    [0, 0],
  ])("%p is %p octets", (text, octets) => {
    expect(parseSize(text)).toBe(octets)
  })

  test.each(["64kb", "64 KB", "64K", -1, 1.5, "1.0001KB", "", "KB"])("%p is none", text => {
    expect(parseSize(text)).toBeNull()
  })

  test("bounds", () => {
    expect(size({ min: 1024 }).safeParse("1B").error?.issues[0]?.message).toBe('expected at least 1KB, got "1B"')
    expect(size({ max: 1024 }).safeParse(1025).error?.issues[0]?.message).toBe("expected at most 1KB, got 1025")
  })
})

describe("ratios", () => {
  test.each([
    ["20%", 0.2],
    [0.2, 0.2],
    [0, 0],
    [1, 1],
    ["100%", 1],
    ["0.5%", 0.005],
  ])("%p is %p", (text, value) => {
    expect(parseRatio(text)).toBe(value)
  })

  test.each(["0.2", 1.1, -0.1, "101%", "%", Number.NaN])("%p is none", text => {
    expect(parseRatio(text)).toBeNull()
  })

  test("bounds", () => {
    expect(ratio({ max: 0.5 }).safeParse("60%").error?.issues[0]?.message).toBe('expected at most 0.5, got "60%"')
  })
})

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), ms => parseDuration(formatDuration(ms)) === ms),
    { seed: 11 },
  )
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), octets => parseSize(formatSize(octets)) === octets),
    { seed: 12 },
  )
})
