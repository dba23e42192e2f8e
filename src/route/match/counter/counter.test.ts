import { describe, expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import counter from "./counter.ts"

const values: Record<string, number> = { errors: 5.25, requests: 100 }
const deps = { reading: (name: string) => ({ name, text: `${name} by client in 1m`, read: () => values[name]! }) }

function holds(options: unknown): boolean {
  return counter.compile(counter.options.parse(options), deps)(exchangeOf({}))
}

function problemsOf(options: unknown): string {
  const result = counter.options.safeParse(options)
  return result.success ? "" : JSON.stringify(result.error.issues)
}

describe("counter", () => {
  test("bounds", () => {
    expect([holds({ name: "errors", over: 5 }), holds({ name: "errors", over: 5.25 }), holds({ name: "errors", below: 6 })]).toEqual([
      true,
      false,
      true,
    ])
    expect(holds({ name: "errors", over: 5, below: 5.1 })).toBe(false)
    expect(
      holds([
        { name: "errors", over: 5 },
        { name: "requests", over: 99 },
      ]),
    ).toBe(true)
    expect(
      holds([
        { name: "errors", over: 5 },
        { name: "requests", over: 100 },
      ]),
    ).toBe(false)
  })

  test("says why not", () => {
    const options = counter.options.parse([
      { name: "errors", over: 5 },
      { name: "requests", over: 100, below: 200 },
    ])
    expect(counter.describe(options, exchangeOf({}), deps)).toBe("counter requests by client in 1m is 100, not over 100 and below 200")
  })

  test("names what it reads, with its place", () => {
    expect(counter.readings!(counter.options.parse({ name: "a", over: 1 }))).toEqual([{ name: "a", at: ["name"] }])
    expect(
      counter.readings!(
        counter.options.parse([
          { name: "a", over: 1 },
          { name: "b", over: 1 },
        ]),
      )[1],
    ).toEqual({ name: "b", at: [1, "name"] })
  })

  test("is for routes", () => {
    expect(() => counter.compile(counter.options.parse({ name: "errors", over: 5 }))).toThrow("for the match of a route")
  })

  test.each([
    [{ name: "a" }, "expected a bound"],
    [{ over: 5 }, "name"],
    [{ name: "a", over: -1 }, "over"],
    [{ name: "a", ovr: 1 }, "ovr"],
  ])("refuses %j", (options, message) => expect(problemsOf(options)).toContain(message))
})
