import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { filters } from "./features.gen.ts"
import { parseConfig } from "./load.ts"
import type { Problem } from "./problem.ts"

const good = "listeners: { web: { bind: ':8080' } }\nclusters: { shop: { peers: ['127.0.0.1:9001'] } }\nroutes: [ { to: { cluster: shop } } ]\n"

interface Case {
  readonly name: string
  readonly text: string
  readonly expected: readonly string[]
}

function readCases(file: string): Case[] {
  const [, ...blocks] = readFileSync(join(import.meta.dirname, file), "utf8").split(/^=== /m)
  return blocks.map(block => {
    const [name, ...lines] = block.trimEnd().split("\n")
    const text = lines.filter(line => !line.startsWith("=> "))
    return { name: name!, text: `${text.join("\n")}\n`, expected: lines.filter(line => line.startsWith("=> ")).map(line => line.slice(3)) }
  })
}

/** `line:column path: message [suggestion]`, with "warning" before the path when it is one. */
function said({ line, column, severity, path, message, suggestion }: Problem): string {
  const tone = severity === "warning" ? "warning " : ""
  return `${line}:${column} ${tone}${path === "" ? "" : `${path}: `}${message}${suggestion === undefined ? "" : ` [${suggestion}]`}`
}

function problemsOf(text: string): readonly Problem[] {
  const result = parseConfig(text, "/conf/bothways.yaml")
  return result.ok ? result.warnings : result.problems
}

const cases = readCases("problem-cases.txt")

describe("what is said about", () => {
  test("the file has its cases", () => expect(cases.length).toBeGreaterThan(100))

  test.each(cases.map((entry): [string, Case] => [entry.name, entry]))("%s", (name, { text, expected }) => {
    expect(expected.length).toBeGreaterThan(0)
    expect(problemsOf(text).map(said)).toEqual([...expected])
    expect(parseConfig(text).ok).toBe(name.startsWith("warn:"))
  })

  test("nothing, for a good config", () => expect(problemsOf(good)).toEqual([]))

  test("tabs", () => {
    expect(problemsOf('listeners:\n\tweb: { bind: ":80" }\n').map(said)).toEqual(["2:1 YAML is not indented with tabs; use two spaces"])
  })

  test("carriage returns and a byte order mark do not shift positions", () => {
    expect(problemsOf(`${good}liteners: {}\r\nworkers: x\r\n`).map(said)).toEqual([
      '4:1 liteners: unknown key "liteners"; did you mean "listeners"? [listeners]',
      '5:10 workers: expected "auto" or a whole number, got "x"',
    ])
    expect(problemsOf(`\ufeff${good}workers: x\n`).map(said)).toEqual(['4:10 workers: expected "auto" or a whole number, got "x"'])
  })

  test("an empty text", () => {
    const empty = ["1:1 the config is empty; it needs at least listeners and routes"]
    for (const text of ["", "\n\n", "# nothing\n", "~", "null\n"]) expect(problemsOf(text).map(said)).toEqual(empty)
  })

  test("features by their own words", () => {
    const word = `${filters[0]?.name ?? "cache"}s`
    const [problem] = problemsOf(good.replace("{ to:", `{ filters: [ { ${word}: {} } ], to:`))
    expect(problem).toMatchObject({ line: 3, column: 26, path: `routes[0].filters[0].${word}`, suggestion: word.slice(0, -1) })
    expect(problem!.message).toStartWith(`unknown filter "${word}"; did you mean "${word.slice(0, -1)}"?`)
    const health = problemsOf(good.replace("peers:", "health: { htpp: {} }, peers:"))
    expect(health.map(said)).toEqual(['2:31 clusters.shop.health.htpp: unknown health check "htpp"; did you mean "http"? [http]'])
  })

  test("everything at once, in the order of the file", () => {
    const text = `${good.replace("9001", "0")}workers: x\nobserve: { accessLog: { to: nowhere } }\nadmin: { bind: "0.0.0.0:1" }\nfoo: 1\n`
    expect(problemsOf(text).map(problem => problem.line)).toEqual([2, 4, 5, 6, 7])
  })

  test("a secret never shows", () => {
    for (const token of ["hunter2 with blanks", "[hunter2]", "{ hunter2: 1 }"]) {
      expect(JSON.stringify(problemsOf(`${good}admin: { token: ${token} }\n`))).not.toContain("hunter2")
    }
  })
})
