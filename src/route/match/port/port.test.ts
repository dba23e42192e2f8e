import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import port from "./port.ts"

const held = (options: unknown, of: number): boolean => port.compile(port.options.parse(options))(Object.assign(exchangeOf({}), { port: of }))

test("ports and ranges", () => {
  expect([held(443, 443), held(443, 80), held("8000-8999", 8500), held([80, "8000-8999"], 80), held([80, "8000-8999"], 81)]).toEqual([
    true,
    false,
    true,
    true,
    false,
  ])
})

test("says what is wrong", () => {
  for (const bad of [0, 65_536, "80-70", "http", [], true]) expect(port.options.safeParse(bad).success).toBe(false)
  expect(port.describe([80, "8000-8999"], Object.assign(exchangeOf({}), { port: 81 }))).toBe("port is 81, not 80, 8000-8999")
})
