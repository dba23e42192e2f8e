import { describe, expect, test } from "bun:test"
import { AcceptedCodings } from "./accepted-codings.ts"

const all: readonly string[] = ["br", "zstd", "gzip"]

function wanted(value: string, codings = all): string {
  return new AcceptedCodings(codings)
    .of(value)
    .map(i => codings[i])
    .join(" ")
}

describe("what a client takes (RFC 9110 section 12.5.3)", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", ""],
    ["gzip", "gzip"],
    ["gzip, deflate, br, zstd", "br zstd gzip"],
    ["GZIP, X-GZIP , Br", "br gzip"],
    ["x-gzip", "gzip"],
    ["deflate, compress", ""],
    ["*", "br zstd gzip"],
    ["gzip, *;q=0", "gzip"],
    ["br;q=0, *", "zstd gzip"],
    ["br;q=0.5, gzip;q=0.8, zstd;q=0.8", "zstd gzip br"],
    ["br;q=0.001, gzip;q=0", "br"],
    ["identity", ""],
    ["identity;q=0", ""],
    ["identity;q=0, gzip", "gzip"],
    ["*;q=0", ""],
    ["identity;q=0, *", "br zstd gzip"],
    ["identity, gzip;q=0.9", ""],
    ["identity;q=0.9, gzip;q=0.9", "gzip"],
    ["identity;q=0.5, br;q=0.4, gzip;q=0.6", "gzip"],
    ["gzip ; q = 0.5", ""],
    ["gzip;Q=0.5,br; q=0.25", "gzip br"],
    ["gzip;q=1.001, br;q=2, zstd;q=0.1234", ""],
    ["gzip;q=, br;q=x", ""],
    ["gzip;level=9", ""],
    ["gzip;q=1., br;q=1.000", "br gzip"],
    ["gzip, gzip;q=0", ""],
    ["gzip;q=0, gzip", ""],
    [",, gzip,,", "gzip"],
    ['"gzip", br', "br"],
    ["gzip\tbr", ""],
  ]
  for (const [value, expected] of cases) {
    test(`"${value}" → ${expected || "none"}`, () => {
      expect(wanted(value)).toBe(expected)
    })
  }
})

describe("the order at equal weight is the config's", () => {
  test("gzip before br", () => {
    expect(wanted("br, gzip", ["gzip", "br"])).toBe("gzip br")
    expect(wanted("br, gzip;q=0.9", ["gzip", "br"])).toBe("br gzip")
  })
})

test("a value with more members than anybody sends counts as none", () => {
  expect(wanted(Array.from({ length: 16 }, (_, i) => (i === 3 ? "gzip" : `c${i}`)).join(","))).toBe("gzip")
  expect(wanted(Array.from({ length: 17 }, (_, i) => (i === 3 ? "gzip" : `c${i}`)).join(","))).toBe("")
})

test("what is kept ready is right after many others, and long values are not kept", () => {
  const accepted = new AcceptedCodings(all)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1000; i++) expect(accepted.of(`c${i}, gzip`)).toEqual([2])
    expect(accepted.of(`br;q=0.1, gzip, ${"x".repeat(300)}`)).toEqual([2, 0])
  }
})
