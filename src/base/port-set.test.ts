import { describe, expect, test } from "bun:test"
import { PortSet } from "./port-set.ts"

describe("PortSet", () => {
  test("holds single ports and ranges, both ends included", () => {
    const ports = PortSet.parse(["80", 443, "1025-65535"])
    const held = [1, 79, 80, 81, 442, 443, 444, 1024, 1025, 30_000, 65_535].filter(port => ports.has(port))
    expect(held).toEqual([80, 443, 1025, 30_000, 65_535])
    expect(String(ports)).toBe("80, 443, 1025-65535")
  })

  test("what is no port is never in it", () => {
    const all = PortSet.parse(["1-65535"])
    for (const port of [0, -1, 65_536, 1.5e9, Number.NaN]) expect(all.has(port)).toBe(false)
    expect(PortSet.parse([]).has(80)).toBe(false)
  })

  for (const text of ["0", "65536", "90-80", "80-", "-80", "http", "80,443", "", "1e3", 0, 1.5]) {
    test(`refuses ${JSON.stringify(text)}`, () =>
      expect(() => PortSet.parse([text])).toThrow('expected a number from 1 to 65535 or a range such as "1025-65535"'))
  }
})
