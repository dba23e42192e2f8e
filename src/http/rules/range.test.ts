import { expect, test } from "bun:test"
import fc from "fast-check"
import { type ByteRange, type ContentRange, parseContentRange, parseRange, rangesMax } from "./range.ts"

/** "0-499 500-999", "unsatisfiable" or "whole". */
function asked(value: string, length: number): string {
  const found = parseRange(value, length)
  if (found === null) return "whole"
  return typeof found === "string" ? found : found.map(({ first, last }: ByteRange) => `${first}-${last}`).join(" ")
}

test("ranges of 10000 octets (RFC 9110 section 14.1.2)", () => {
  const cases: readonly [string, string][] = [
    ["bytes=0-499", "0-499"],
    ["bytes=500-999", "500-999"],
    ["bytes=-500", "9500-9999"],
    ["bytes=9500-", "9500-9999"],
    ["bytes=0-0,-1", "0-0 9999-9999"],
    ["bytes= 0-999, 4500-5499, -1000", "0-999 4500-5499 9000-9999"],
    ["bytes=500-600,601-999", "500-600 601-999"],
    ["bytes=0-", "0-9999"],
    ["BYTES=0-0", "0-0"],
    ["bytes=9999-99999", "9999-9999"],
    ["bytes=-99999", "0-9999"],
    ["bytes=5-0005", "5-5"],
    ["bytes=,0-1,,", "0-1"],
    ["bytes=0-99999999999999999999999999", "0-9999"],
    ["bytes=-99999999999999999999999999", "0-9999"],
    ["bytes=7-8,1-2", "7-8 1-2"],
    // Of several those count that can be satisfied.
    ["bytes=20000-,0-1", "0-1"],
    ["bytes=-0,0-1", "0-1"],
    ["bytes=10000-", "unsatisfiable"],
    ["bytes=99999999999999999999999999-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=10000-20000,-0", "unsatisfiable"],
    // Another unit, not valid, or dearer than the whole.
    ["", "whole"],
    ["lines=0-1", "whole"],
    ["bytes", "whole"],
    ["bytes=", "whole"],
    ["bytes=,", "whole"],
    ["bytes=5", "whole"],
    ["bytes=a-b", "whole"],
    ["bytes=2-1", "whole"],
    ["bytes=0-1,2-1", "whole"],
    ["bytes=--1", "whole"],
    ["bytes=1--2", "whole"],
    ["bytes=-", "whole"],
    ["bytes=0 - 1", "whole"],
    ["bytes =0-1", "whole"],
    ["bytes=+0-1", "whole"],
    ["bytes=0-1;x", "whole"],
    ["bytes=0x0-1", "whole"],
    ["bytes=0-5,5-6", "whole"],
    ["bytes=0-,-1", "whole"],
    ["bytes=0-1,0-1", "whole"],
    ["bytes=0-1,x", "whole"],
  ]
  for (const [value, expected] of cases) expect(`${value}: ${asked(value, 10_000)}`).toBe(`${value}: ${expected}`)
})

test("nothing to cut: no octets, or nobody knows how many", () => {
  expect(asked("bytes=0-1", 0)).toBe("whole")
  expect(asked("bytes=-1", 0)).toBe("whole")
  expect(asked("bytes=0-1", -1)).toBe("whole")
})

test("so many ranges, and no more", () => {
  const many = (count: number): string => `bytes=${Array.from({ length: count }, (_, i) => `${i * 10}-${i * 10}`).join()}`
  expect(asked(many(rangesMax), 1000).split(" ")).toHaveLength(rangesMax)
  expect(asked(many(rangesMax + 1), 1000)).toBe("whole")
  expect(asked(`${many(rangesMax)},5000-`, 1000)).toBe("whole")
})

test("what is served lies inside and never twice", () => {
  const spec = fc.tuple(fc.option(fc.nat(120)), fc.option(fc.nat(120))).map(([a, b]) => `${a ?? ""}-${b ?? ""}`)
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 10 }), fc.integer({ min: 1, max: 100 }), (specs, length) => {
      const ranges = parseRange(`bytes=${specs.join()}`, length)
      if (ranges === null || typeof ranges === "string") return
      const served = new Set<number>()
      for (const { first, last } of ranges) {
        expect(first >= 0 && first <= last && last < length).toBe(true)
        for (let at = first; at <= last; at++) {
          expect(served.has(at)).toBe(false)
          served.add(at)
        }
      }
    }),
    { numRuns: 1500, seed: 1412 },
  )
})

test("Content-Range (RFC 9110 section 14.4)", () => {
  const range = (first: number, last: number, length: number): ContentRange => ({ first, last, length })
  expect(parseContentRange("bytes 42-1233/1234")).toEqual(range(42, 1233, 1234))
  expect(parseContentRange("bytes 42-1233/*")).toEqual(range(42, 1233, -1))
  expect(parseContentRange("Bytes 0-0/1")).toEqual(range(0, 0, 1))
  for (const value of [
    "",
    "bytes",
    "bytes */1234",
    "bytes 0-9",
    "bytes 0-9/",
    "bytes 9-0/10",
    "bytes 0-9/9",
    "bytes 0-10/10",
    "bytes=0-9/10",
    "lines 0-9/10",
    "bytes  0-9/10",
    "bytes 0-9/10, bytes 0-9/10",
    "bytes 0-9/**",
    "bytes -9/10",
    "bytes 0-/10",
    "bytes 0 -9/10",
    "bytes 0-9/10 ",
    "bytes 0-99999999999999999999/*",
    "0-9/10",
    "bytes a-b/c",
    "/-",
    "bytes /0-1",
  ]) {
    expect({ value, is: parseContentRange(value) }).toEqual({ value, is: null })
  }
})
