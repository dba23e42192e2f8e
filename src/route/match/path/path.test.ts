import { describe, expect, test } from "bun:test"
import { exchangeOf } from "../../exchange-of.fixture.ts"
import path from "./path.ts"

function matches(options: string | string[], asked: string): boolean {
  return path.compile(options)(exchangeOf({ path: asked }))
}

function trouble(options: unknown): string {
  return path.options.safeParse(options).error?.issues[0]?.message ?? ""
}

test("exact", () => {
  expect(matches("/a", "/a")).toBe(true)
  for (const asked of ["/", "/a/", "/a/b", "/ab", "/A"]) expect(matches("/a", asked)).toBe(false)
  expect(matches("/a/", "/a/")).toBe(true)
  expect(matches("/a/", "/a")).toBe(false)
})

test("prefix: the path itself and what is below its slash (FIELD-CASES O-19)", () => {
  for (const asked of ["/v1", "/v1/", "/v1/x", "/v1//x"]) expect(matches("/v1/*", asked)).toBe(true)
  for (const asked of ["/v1evil", "/", "/v", "/x/v1"]) expect(matches("/v1/*", asked)).toBe(false)
  for (const asked of ["/", "/x", "/x/y"]) expect(matches("/*", asked)).toBe(true)
})

test("nothing of the path: CONNECT and OPTIONS *", () => {
  for (const asked of ["", "*"]) for (const rule of ["/*", "/", "~^/"]) expect(matches(rule, asked)).toBe(false)
})

test("pattern: RE2, anchored by its writer", () => {
  expect(matches("~^/u/[0-9]+$", "/u/17")).toBe(true)
  for (const asked of ["/u/17/x", "/u/", "/v/u/17"]) expect(matches("~^/u/[0-9]+$", asked)).toBe(false)
  expect(matches("~\\.php", "/a.php/b")).toBe(true)
  expect(matches("~(?i)^/Admin", "/aDMIN/x")).toBe(true)
})

test("of a list one must match", () => {
  const list = ["/a", "/b/*", "~^/c[0-9]$"]
  for (const asked of ["/a", "/b/x", "/c7"]) expect(matches(list, asked)).toBe(true)
  for (const asked of ["/a/x", "/bx", "/c"]) expect(matches(list, asked)).toBe(false)
})

test("compares in the rule form, whichever spelling the config has", () => {
  expect(matches("/@admin", "/%40admin")).toBe(true)
  expect(matches("/%7Euser/*", "/~user/x")).toBe(true)
  expect(matches("/bücher/*", "/b%C3%BCcher/x")).toBe(true)
  expect(matches("/my file", "/my%20file")).toBe(true)
  expect(matches("/a%2fb", "/a%2Fb")).toBe(true)
  expect(matches("/a%2Ab", "/a*b")).toBe(true)
})

describe("a path that can never match is refused with what was expected", () => {
  const cases: [unknown, RegExp][] = [
    ["", /does not start with a slash; expected "\/a" for that path alone/],
    ["a", /does not start with a slash/],
    ["/a*", /star that is not a whole last segment/],
    ["/a/*/b", /star that is not a whole last segment/],
    ["/a/**", /star that is not a whole last segment/],
    ["/a?b=1", /has a query; .*`query` for the query/],
    ["/a/../b", /dot segments, which rules never see/],
    ["/a/%2e%2e/*", /dot segments, which rules never see/],
    ["/a;v=1", /parameters, which rules never see/],
    ["//a", /an empty segment, which rules never see/],
    ["/a//*", /an empty segment, which rules never see/],
    ["/a\\b", /always refused: a backslash/],
    ["/a%00", /always refused: it holds a control octet/],
    ["~", /pattern behind "~" is empty/],
    ["~^/(a", /is not an RE2 pattern: missing closing \): `\^\/\(a`$/],
    ["~^/(a)\\1", /is not an RE2 pattern: .*back-references/],
    ["~^/a(?=b)", /is not an RE2 pattern: .*look-around/],
    ["~^/ü", /no ASCII; rules see them as %XX/],
    [[], /list is empty; expected at least one path/],
    [["/a", 7], /expected path such as/],
  ]
  for (const [value, message] of cases) test(JSON.stringify(value), () => expect(trouble(value)).toMatch(message))
})

test("a pattern that blows up elsewhere takes linear time", () => {
  const x = exchangeOf({ path: `/${"a".repeat(15_000)}!` })
  const match = path.compile("~^/(a+)+$")
  const started = performance.now()
  expect(match(x)).toBe(false)
  expect(performance.now() - started).toBeLessThan(500)
})

test("says why it did not match", () => {
  expect(path.describe(["/a", "/b/*"], exchangeOf({ path: "/c" }))).toBe("path is /c, not /a or /b/*")
  expect(path.describe("/a", exchangeOf({ path: "" }))).toBe("path is missing, not /a")
})
