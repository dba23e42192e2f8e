import { expect, test } from "bun:test"
import { styleOf } from "../terminal.ts"
import { answersText, listsText } from "./lists-text.ts"

const style = styleOf({ isTTY: false, write: () => true }, {})
const list = {
  name: "ads",
  category: "ads",
  entries: 1_234_567,
  bytes: 13 * 1024 * 1024,
  skipped: 5,
  malformed: 1,
  loadedAt: 1000,
  tookMs: 400,
  version: 3,
  failures: 1,
  error: null,
  errorAt: null,
  files: [],
  skippedBy: { url: 3, options: 2 },
}

test("lists, what was left out of them, and what is not in force", () => {
  expect(listsText([list, { ...list, name: "b", category: null, error: "/x: no names", errorAt: 6000 }], style, 66_000)).toBe(
    `LIST  CATEGORY      NAMES   MEMORY  SKIPPED   READ  STATE
ads   ads       1,234,567  13.0 MB        6  1m 5s  current
b     -         1,234,567  13.0 MB        6  1m 5s  older version
ads: lines that are no entries: 3 url, 2 options, 1 malformed
b: lines that are no entries: 3 url, 2 options, 1 malformed
b: what the files hold is not in force since 1m: /x: no names
`,
  )
  expect(listsText([], style)).toBe("the config has no lists\n")
})

test("which lists hold a host, and why one does not", () => {
  const answers = [
    { list: "ads", category: "ads", holds: true, name: "a.test", exception: null },
    { list: "firm", category: null, holds: true, name: "a.test", exception: "ok.a.test" },
    { list: "out", category: null, holds: false, name: "a.test", exception: "ok.a.test" },
    { list: "other", category: null, holds: false, name: null, exception: null },
  ]
  expect(answersText("x.ok.a.test", answers, style)).toBe(
    `ads (ads) holds x.ok.a.test by a.test
firm holds x.ok.a.test by a.test, in spite of the exception ok.a.test
out does not hold x.ok.a.test: the exception ok.a.test takes it out
2 lists hold it
`,
  )
  expect(answersText("b.test", [], style)).toBe("no list holds b.test\n")
})
