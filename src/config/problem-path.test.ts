import { expect, test } from "bun:test"
import fc from "fast-check"
import { parsePath, pathText } from "./problem.ts"

test("a path is read back from its text", () => {
  const part = fc.oneof(fc.nat(100), fc.constantFrom("routes", "error-pages", "a.b", "5xx", 'say "x"', "", "ü", "a\\b"))
  fc.assert(fc.property(fc.array(part, { maxLength: 6 }), path => expect(parsePath(pathText(path))).toEqual(path)))
})
