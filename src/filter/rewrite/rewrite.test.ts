import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { FAULT } from "../../base/index.ts"
import { Exchange, FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { Fields, rulePath, rulePathResult } from "../../http/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import { cutPrefix } from "./cut-prefix.ts"
import rewrite from "./rewrite.ts"

function exchange(target: string): Exchange {
  const x = new Exchange()
  const [path = "", query = ""] = target.split("?")
  x.rulePath = rulePath(path)
  x.path = rulePathResult.dotSegments ? rulePathResult.forwardPath : path
  x.query = query === "" ? "" : `?${query}`
  x.host = "a.test"
  x.authority = "a.test:8080"
  x.request = Fields.of([])
  return x
}

/** The target that goes on, and the prefix that is told. */
function send(options: unknown, target: string): string {
  const x = exchange(target)
  const verdict = rewrite.build(rewrite.options.parse(options), new FakeDeps()).request!(x)
  if (verdict === FAULT_VERDICT) return x.fault!.code
  expect(verdict).toBe(NEXT)
  const told = /X-Forwarded-Prefix: (.*)\r\n/.exec(x.request.extra)?.[1]
  return x.path + x.query + (told === undefined ? "" : ` ${told}`)
}

describe("rewrite", () => {
  test.each([
    ["/api/users?x=1", "/users?x=1 /api"],
    ["/api", "/ /api"],
    ["/api/", "/ /api"],
    ["/apix/y", "/apix/y"],
    ["/%61p%69/u%2Fv", "/u%2Fv /api"],
    ["//api//u", "//u /api"],
    ["/other", "/other"],
  ])("strip /api: %s", (target, sent) => expect(send({ strip: "/api" }, target)).toBe(sent))

  test("of several prefixes the first that is there", () => {
    expect(send({ strip: ["/v1", "/v2"] }, "/v2/v1/x")).toBe("/v1/x /v2")
  })

  test("a prefix in front, the whole path, a pattern with groups and a query", () => {
    expect(send({ prefix: "/v2" }, "/x?q")).toBe("/v2/x?q")
    expect(send({ prefix: "/v2" }, "/")).toBe("/v2/")
    expect(send({ strip: "/a", prefix: "/v2" }, "/a/")).toBe("/v2/ /a")
    expect(send({ strip: "/a", prefix: "/v2" }, "/a")).toBe("/v2 /a")
    expect(send({ strip: "/a", prefix: "/v2" }, "/")).toBe("/v2/")
    expect(send({ path: "/all" }, "/x?q")).toBe("/all?q")
    const pattern = { match: "^/users/([0-9]+)$", to: "/profile?id=$1" }
    expect(send({ pattern }, "/users/7?old")).toBe("/profile?id=7")
    expect(send({ pattern }, "/users/x?old")).toBe("/users/x?old")
  })

  test("parameters: the others stay as they came", () => {
    const query = { set: { a: "$host" }, add: { b: "2" }, remove: ["c"] }
    expect(send({ query }, "/p?a=1&x=%2f&c=3&c&b=1")).toBe("/p?x=%2f&b=1&a=a.test&b=2")
    expect(send({ query: { remove: ["c"] } }, "/p?c=1&%63=2")).toBe("/p")
    expect(send({ query: { set: { "ü b": "ß&=" } } }, "/p")).toBe("/p?%C3%BC%20b=%C3%9F%26%3D")
  })

  test("what comes out must be plain", () => {
    expect(send({ pattern: { match: "^/x/(.*)$", to: "/$1" } }, "/x/%2Fy")).toBe("/%2Fy")
    expect(send({ pattern: { match: "^/d/(.*)$", to: "/a/..;/$1" } }, "/d/x")).toBe(FAULT.ambiguousPath.code)
  })

  test("the prefix comes back into Location, once, and on this host only", () => {
    const filter = rewrite.build(rewrite.options.parse({ strip: "/api" }), new FakeDeps())
    const location = (value: string): string => {
      const x = exchange("/api/x")
      filter.request!(x)
      x.response = Fields.of([["Location", value]])
      filter.response!(x)
      return /Location: (.*)\r\n/.exec(x.response.render())![1]!
    }
    expect(["/login", "/api/y", "http://a.test:8080/z?q", "https://other.test/z", "//other.test/", "rel", "/apix"].map(location)).toEqual([
      "/api/login",
      "/api/y",
      "http://a.test:8080/api/z?q",
      "https://other.test/z",
      "//other.test/",
      "rel",
      "/api/apix",
    ])
  })

  test.each([
    [{ strip: "api" }, "expected a path such as /api"],
    [{ strip: "/api/" }, "without a slash at its end"],
    [{ strip: "/%61" }, "the form that rules see"],
    [{ pattern: { match: "(?=x)", to: "/" } }, "look-around"],
    [{ pattern: { match: "^/a$", to: "/$1" } }, "$1 is not there"],
    [{ query: { set: { a: "$hots" } } }, "did you mean $host?"],
    [{ path: "x" }, "begins with /"],
  ])("refuses %j", (options, message) => {
    const result = rewrite.options.safeParse(options)
    expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
  })
})

test("what is cut off and what is left say the same as the whole, to rules", () => {
  const octet = fc.constantFrom("a", "p", "i", "%61", "%70", "%69", "/", "//", "%2e", ".", ";", "%3b", "%25", "x")
  fc.assert(
    fc.property(fc.array(octet, { maxLength: 10 }), pieces => {
      const path = `/${pieces.join("")}`
      const seen = rulePath(path)
      if (rulePathResult.refused) return
      const raw = rulePathResult.dotSegments ? rulePathResult.forwardPath : path
      const rest = cutPrefix(raw, "/api")
      if (rest === null) return
      expect(seen === "/api" || seen.startsWith("/api/") || seen.startsWith("/api;")).toBe(true)
      const after = rulePath(rest === "" ? "/" : rest)
      if (!rulePathResult.refused) expect(rulePath(seen.substring(4) || "/")).toBe(after)
    }),
    { numRuns: 3000 },
  )
})
