import { describe, expect, test } from "bun:test"
import { dropPath, firstDifference, parseJsonPath } from "./json-path.ts"

describe("JSON paths", () => {
  test("what they lead to is taken out", () => {
    const value = () => ({
      a: { b: 1, c: 2 },
      list: [
        { id: 1, n: 1 },
        { id: 2, n: 2 },
      ],
      "odd key": 1,
      deep: { x: { etag: 1 }, etag: [{ etag: 2 }] },
    })
    const cases: [string, object][] = [
      ["$.a.b", { ...value(), a: { c: 2 } }],
      ["$.list[*].id", { ...value(), list: [{ n: 1 }, { n: 2 }] }],
      ["$.list[0].id", { ...value(), list: [{ n: 1 }, { id: 2, n: 2 }] }],
      ["$.list[0]", { ...value(), list: [null, { id: 2, n: 2 }] }],
      ["$.a.*", { ...value(), a: {} }],
      ['$["odd key"]', { a: value().a, list: value().list, deep: value().deep }],
      ["$..etag", { ...value(), deep: { x: {} } }],
      ["$.nothing.at.all", value()],
      ["$.a.b.c.d", value()],
    ]
    for (const [path, left] of cases) {
      const from: unknown = value()
      dropPath(from, parseJsonPath(path)!)
      expect([path, from]).toEqual([path, left])
    }
  })

  test("what is none", () => {
    for (const text of ["", "$", "a.b", "$a", "$.", "$.a[", "$.a[x]", "$.a..", "$.a b"]) expect([text, parseJsonPath(text)]).toEqual([text, null])
  })

  test("the first difference is named by its place", () => {
    const cases: [unknown, unknown, string][] = [
      [{ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }, ""],
      [{ a: [1, { c: 2 }] }, { a: [1, { c: 3 }] }, "$.a[1].c"],
      [{ a: 1 }, { a: 1, "odd key": 1 }, '$["odd key"]'],
      [[1], [1, 2], "$[1]"],
      [{ a: null }, { a: {} }, "$.a"],
      [[], {}, "$"],
      [1, "1", "$"],
    ]
    for (const [a, b, path] of cases) expect(firstDifference(a, b)).toBe(path)
  })
})
