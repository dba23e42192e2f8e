import { expect, test } from "bun:test"
import { formatProblems } from "./format-problems.ts"
import { parseConfig } from "./load.ts"

function formatted(text: string, colour = false): string {
  const result = parseConfig(text, "b.yaml")
  return formatProblems(result.ok ? result.warnings : result.problems, { colour, textOf: () => text })
}

const good = "listeners: { web: { bind: ':8080' } }\nroutes: [ { to: { respond: {} } } ]\n"

test("position, path, sentence, line and caret", () => {
  expect(formatted(`${good}wrokers: 1\n`)).toBe(`b.yaml:3:1: error: wrokers: unknown key "wrokers"; did you mean "workers"?
     3 | wrokers: 1
       | ^
`)
})

test("in colour", () => {
  const text = formatted(`${good}workers: x\n`, true)
  expect(text).toContain("\x1b[1mb.yaml:3:10:\x1b[0m \x1b[31merror:\x1b[0m workers: ")
  expect(text).toContain("         \x1b[31m^\x1b[0m")
  expect(formatted(`${good}caches: { a: {} }\n`, true)).toContain("\x1b[33mwarning:\x1b[0m")
})

test("a long line is cut around the caret", () => {
  const text = formatted(`${good}drain: { ${" ".repeat(300)}timeuot: 1s }\n`)
  const [, line, caret] = text.split("\n")
  expect(line!.length).toBeLessThan(140)
  expect(line!.indexOf("timeuot")).toBe(caret!.indexOf("^"))
})

test("a secret on the line is hidden, the caret stays", () => {
  const text = formatted(`${good}admin: { token: "hunter2", bind: "0.0.0.0:1x", hosts: [] }\n`)
  expect(text).not.toContain("hunter2")
  const [, line, caret] = text.split("\n")
  expect(line!.indexOf('"0.0.0.0:1x"')).toBe(caret!.indexOf("^"))
})

test("without the text there are only sentences", () => {
  const result = parseConfig("", "/nowhere/b.yaml")
  expect(result.ok ? "" : formatProblems(result.problems)).toBe(
    "/nowhere/b.yaml:1:1: error: the config is empty; it needs at least listeners and routes\n",
  )
})
