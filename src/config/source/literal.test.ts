import { describe, expect, test } from "bun:test"
import { members } from "./literal.ts"

function keys(text: string): (string | null)[] {
  return members(text, 0).map(member => member.key)
}

function values(text: string): string[] {
  return members(text, 0).map(member => text.slice(member.valueAt, member.valueAt + 3))
}

describe("members of a literal", () => {
  test("of an object", () => {
    expect(keys(`{ a: 1, "b c": 2, 'd': 3, short, f(x) { return 1 }, é: 4, }`)).toEqual(["a", "b c", "d", "short", "f", "é"])
    expect(values(`{ a: 111, "b c" : 222, d }`)).toEqual(["111", "222", "d }"])
  })

  test("of an array", () => {
    expect(values("[ 111, { a: [1, 2] }, [3], ]")).toEqual(["111", "{ a", "[3]"])
    expect(keys("[1]")).toEqual([null])
  })

  test("strings, templates and comments hide what is in them", () => {
    expect(keys('{ /* x: 1, */ a: \'},\', // y: 2\n b: `}${1}`, "c\\"": "}" }')).toEqual(["a", "b", 'c\\"'])
  })

  test("calls and brackets are stepped over", () => expect(keys("{ a: f(1, { x: 2 }), b: (1, 2), c: y[0, 1] }")).toEqual(["a", "b", "c"]))

  test("what is no literal has none, and what does not end does not hang", () => {
    expect(members("shop", 0)).toEqual([])
    expect(keys("{ a: 1, b: '")).toEqual(["a", "b"])
    expect(keys("{ a: {")).toEqual(["a"])
    expect(keys("{ ...other, a: 1 }")).toEqual(["", "a"])
  })
})
