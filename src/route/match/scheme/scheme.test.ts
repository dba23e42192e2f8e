import { expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import scheme from "./scheme.ts"

const held = (options: unknown, of: { method?: string; scheme?: string }): boolean =>
  scheme.compile(scheme.options.parse(options))(Object.assign(exchangeOf({}), of))

test("a tunnel is connect, whatever its scheme is", () => {
  expect([held("connect", { method: "CONNECT" }), held("http", { method: "CONNECT", scheme: "http" })]).toEqual([true, false])
  expect([held(["http", "https"], { scheme: "https" }), held("http", { scheme: "https" }), held(["http", "connect"], { scheme: "http" })]).toEqual([
    true,
    false,
    true,
  ])
})

test("says what is there", () => {
  expect(scheme.options.safeParse("ftp").success).toBe(false)
  expect(scheme.describe(["http", "connect"], Object.assign(exchangeOf({}), { scheme: "https" }))).toBe("scheme is https, not http or connect")
})
