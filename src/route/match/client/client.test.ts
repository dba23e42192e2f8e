import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import client from "./client.ts"

function matches(options: string | string[], address: string): boolean {
  return client.compile(options)(exchangeOf({ client: address }))
}

test("one range and a list, of both families", () => {
  expect(matches("10.0.0.0/8", "10.255.0.1")).toBe(true)
  expect(matches("10.0.0.0/8", "11.0.0.1")).toBe(false)
  const list = ["192.0.2.7", "2001:db8::/32"]
  for (const address of ["192.0.2.7", "2001:db8::1"]) expect(matches(list, address)).toBe(true)
  for (const address of ["192.0.2.8", "2001:db9::1", "", "unix"]) expect(matches(list, address)).toBe(false)
})

test("an IPv4 client that a dual-stack listener shows as IPv6", () => {
  expect(matches("10.0.0.0/8", "::ffff:10.0.0.1")).toBe(true)
})

test("says what it expected", () => {
  const trouble = (value: unknown) => client.options.safeParse(value).error?.issues[0]?.message ?? ""
  for (const value of ["10.0.0.0/33", "a.test", "", "10.0.0"]) expect(trouble(value)).toContain(JSON.stringify(value))
  expect(trouble(7)).toBe('expected address or range such as "10.0.0.0/8", or a list of them')
  expect(trouble([])).toMatch(/list is empty/)
  expect(client.describe(["10.0.0.0/8", "::1"], exchangeOf({ client: "192.0.2.1" }))).toBe("client is 192.0.2.1, not in 10.0.0.0/8 or ::1")
})
