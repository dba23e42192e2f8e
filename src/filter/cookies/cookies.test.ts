import { describe, expect, test } from "bun:test"
import { Exchange, NEXT } from "../../flow/index.ts"
import { Fields } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import cookies from "./cookies.ts"

const build = (options: unknown) => cookies.build(cookies.options.parse(options), new FakeDeps())

function sent(options: unknown, fields: readonly (readonly [string, string])[]): string {
  const x = new Exchange()
  x.request = Fields.of(fields)
  x.host = "a.test"
  x.user = "Zoë;x"
  expect(build(options).request!(x)).toBe(NEXT)
  return x.request.render()
}

function answered(options: unknown, values: readonly string[], scheme = "http", extra = ""): string[] {
  const x = new Exchange()
  x.scheme = scheme
  x.response = Fields.of(values.map(value => ["Set-Cookie", value] as const))
  x.response.extra = extra
  expect(build({ response: options }).response!(x)).toBe(NEXT)
  return [...x.response.render().matchAll(/^Set-Cookie: (.*)\r$/gm)].map(found => found[1]!)
}

describe("cookies of the request", () => {
  test("one field with what stays and what is set", () => {
    const options = { request: { set: { tenant: "$host" }, remove: ["_ga"] } }
    expect(
      sent(options, [
        ["Cookie", "a=1; _ga=2; tenant=evil"],
        ["Cookie", "b=3"],
      ]),
    ).toBe("Cookie: a=1; b=3; tenant=a.test\r\n")
    expect(sent({ request: { remove: ["a"] } }, [["Cookie", "a=1"]])).toBe("")
  })

  test("a value cannot end its cookie", () => {
    expect(sent({ request: { set: { user: "$user" } } }, [])).toBe("Cookie: user=Zo%C3%83%C2%AB%3Bx\r\n")
  })
})

describe("cookies of the answer", () => {
  test("attributes are added once, taken off, replaced", () => {
    expect(answered({ secure: true, httpOnly: true, sameSite: "Lax" }, ["a=1; path=/; SECURE; samesite=None"])).toEqual([
      "a=1; path=/; Secure; HttpOnly; SameSite=Lax",
    ])
    expect(answered({ httpOnly: false }, ["a=1; HttpOnly; Path=/"])).toEqual(["a=1; Path=/"])
    expect(answered({ sameSite: "None" }, ["a=1"])).toEqual(["a=1; Secure; SameSite=None"])
  })

  test("auto: Secure where the client came over TLS", () => {
    expect(answered({ secure: "auto" }, ["a=1"], "https")).toEqual(["a=1; Secure"])
    expect(answered({ secure: "auto" }, ["a=1", "b=2; Secure"])).toEqual(["a=1", "b=2; Secure"])
  })

  test("paths by whole segments, domains by name", () => {
    const options = { path: { "/app": "/" }, domain: { "inner.test": "outer.test", "gone.test": "" } }
    expect(answered(options, ["a=1; Path=/app/x; Domain=.inner.test", "b=2; Path=/apple", "c=3; Domain=gone.test", "d=4; Path=/app"])).toEqual([
      "a=1; Path=/x; Domain=outer.test",
      "b=2; Path=/apple",
      "c=3",
      "d=4; Path=/",
    ])
  })

  test("only those that are named; some go", () => {
    expect(answered({ names: ["a"], secure: true, remove: ["x"] }, ["a=1", "b=2", "x=3"])).toEqual(["a=1; Secure", "b=2"])
  })

  test("what other filters have added, too", () => {
    expect(answered({ secure: true }, ["a=1"], "http", "X-A: 1\r\nSet-Cookie: b=2\r\n")).toEqual(["a=1; Secure", "b=2; Secure"])
  })
})

test("nothing to change costs no step", () => {
  const filter = build({ request: { set: { a: "1" } } })
  expect([filter.request === undefined, filter.response]).toEqual([false, undefined])
})
