import { describe, expect, test } from "bun:test"
import { valueAt } from "../problem.ts"
import { readYaml } from "./yaml.ts"

const text = `a:
  - one
  - b: { c: 3, "d e": [x, y] }
    empty:
anchored: &n { deep: { leaf: 1 } }
alias: *n
1: number key
`

function source(of: string) {
  const { source, problems } = readYaml(of, "t.yaml")
  if (source === null) throw new Error(JSON.stringify(problems))
  return source
}

describe("places", () => {
  const { place, value } = source(text)
  const at = (path: (string | number)[], part: "key" | "value" = "value") => {
    const { line, column } = place(path, part)
    return `${line}:${column}`
  }

  test("of values and keys", () => {
    expect([at([]), at(["a"]), at(["a"], "key"), at(["a", 0]), at(["a", 1, "b", "c"]), at(["a", 1, "b", "c"], "key")]).toEqual([
      "1:1",
      "2:3",
      "1:1",
      "2:5",
      "3:13",
      "3:10",
    ])
    expect([at(["a", 1, "b", "d e", 1]), at(["a", 1, "b", "d e"], "key"), at(["1"])]).toEqual(["3:27", "3:16", "7:4"])
  })

  test("of what is empty: its key", () => expect(at(["a", 1, "empty"])).toBe("4:5"))

  test("of what is missing: what should hold it", () => {
    expect([at(["a", 1, "b", "nope"]), at(["a", 1, "nope"]), at(["nope"]), at(["a", 9])]).toEqual(["3:5", "3:5", "1:1", "1:1"])
  })

  test("behind an alias lie in the anchor", () => {
    expect(at(["alias", "deep", "leaf"])).toBe("5:30")
    expect(valueAt(value, ["alias", "deep", "leaf"])).toBe(1)
  })
})

describe("what YAML may do and a config may not", () => {
  test("a hundred aliases pass, one more does not", () => {
    const many = (count: number) => readYaml(`a: &a 1\nb: [${"*a,".repeat(count)}]\n`, "t.yaml")
    expect(many(100).problems).toEqual([])
    expect(many(101)).toMatchObject({ source: null, problems: [{ line: 2, message: "more than 100 aliases; write the values out" }] })
  })

  test("aliases of aliases count by what they stand for", () => {
    const rows = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)
    const started = performance.now()
    expect(readYaml(`a0: &a0 x\n${rows.join("\n")}\n`, "t.yaml").source).toBeNull()
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test("loops do not end in one", () => {
    for (const loop of ["a: &a [*a]", "a: &a { b: &b { c: *a } }", "&a [ { b: *a } ]"]) {
      expect(readYaml(`${loop}\n`, "t.yaml")).toMatchObject({ source: null, problems: [{ message: "the alias *a contains itself" }] })
    }
  })

  test("depth has an end, and great depth does not overflow", () => {
    for (const depth of [65, 5000, 100_000]) {
      const { source, problems } = readYaml(`a: ${"[".repeat(depth)}${"]".repeat(depth)}\n`, "t.yaml")
      expect(source).toBeNull()
      expect(problems[0]!.message).toMatch(/nested more than 64 levels deep|cannot be read as YAML/)
    }
    expect(readYaml(`a: ${"[".repeat(60)}${"]".repeat(60)}\n`, "t.yaml").problems).toEqual([])
  })

  test("a prototype is only a key", () => {
    const { value } = source("__proto__: { polluted: true }\n")
    expect(Object.keys(value as object)).toEqual(["__proto__"])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

test("JSON is read as it is, tabs included", () => {
  expect(source('{\n\t"a": [\n\t\t1, 2.5, true, null, "\\u00e9\\t"\n\t]\n}\n').value).toEqual({ a: [1, 2.5, true, null, "é\t"] })
})
