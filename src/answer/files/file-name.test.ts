import { expect, test } from "bun:test"
import { posix } from "node:path"
import fc from "fast-check"
import { rulePath, rulePathResult } from "../../http/index.ts"
import { fileName } from "./file-name.ts"

const open = { strip: "", hidden: false }

test.each([
  ["/", "/"],
  ["/a/b.txt", "/a/b.txt"],
  ["/a/", "/a/"],
  ["/%C3%A9", "/é"],
  ["/100%25", "/100%"],
  ["/..a", null],
  ["/.env", null],
  ["/a/.git/config", null],
  ["/a%2Fb", null],
  ["/%2e%2e/etc/passwd", null],
  ["/a%5C..%5Cb", null],
  ["/a%00.txt", null],
  ["/%FF", null],
  ["*", null],
])("%s is %p", (path, name) => expect(fileName(path, open)).toBe(name))

test("a prefix is taken off whole segments only", () => {
  const rules = { strip: "/assets", hidden: false }
  expect(["/assets", "/assets/", "/assets/a", "/assetsa", "/other"].map(path => fileName(path, rules))).toEqual(["/", "/", "/a", null, null])
})

test("hidden names when they are allowed, and never upwards", () => {
  const rules = { strip: "", hidden: true }
  expect(["/.env", "/a/.well-known/x", "/a/../b", "/a/.", "/...", "/.%2e/x"].map(path => fileName(path, rules))).toEqual([
    "/.env",
    "/a/.well-known/x",
    null,
    null,
    "/...",
    null,
  ])
})

test("whatever a client writes, the name stays below the root", () => {
  const piece = fc.constantFrom("/", "..", ".", "%2e", "%2E", "%2f", "%5c", "\\", "a", "%00", "%", "%25", "%252e", ";", "é", "%c0%ae", "~", "//")
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, hidden) => {
      const path = `/${pieces.join("")}`
      const seen = rulePath(path)
      for (const form of [path, ...(rulePathResult.refused ? [] : [seen])]) {
        const name = fileName(form, { strip: "", hidden })
        if (name === null) continue
        expect(name.startsWith("/")).toBe(true)
        expect(posix.join("/root", name).startsWith("/root/")).toBe(true)
        expect(name.includes("\0") || name.includes("\\")).toBe(false)
        if (!hidden) expect(name.includes("/.")).toBe(false)
      }
    }),
    { numRuns: 3000 },
  )
})
