import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { parse } from "yaml"
import { formatProblems } from "./format-problems.ts"
import { type LoadResult, parseConfig } from "./load.ts"

const good = `
workers: 2
resolver: { servers: ["127.0.0.1:53"], timeout: 2s }
listeners:
  web: &web { bind: [":8080", "[::1]:8081"], trustedHops: [10.0.0.0/8], limits: { headBytesMax: 32KB } }
  egress:
    bind: 127.0.0.1:3128
    forward: { privateRanges: [10.0.0.0/8], connectPorts: [443], ports: [80, 1025-65535] }
clusters:
  shop:
    peers: ["127.0.0.1:9001", { address: a.test:1, weight: 2 }]
    balance: { consistent-hash: { key: "cookie:sid" } }
    health: { http: { path: /up, every: 2s }, passive: off }
    retry: { status: [502-504], budget: 20% }
routes:
  - name: api
    match: { listener: [web], host: "*.a.test", path: /api/*, method: [GET], header: { x-a: "~^b$" }, client: 10.0.0.0/8 }
    to: { cluster: shop }
    timeouts: { head: 5s }
  - match: { listener: egress }
    to: { origin: {} }
  - to: { respond: { status: 404, body: "no\\n", headers: { x: "1" } } }
observe: { accessLog: { format: { template: "$status" }, to: none }, metrics: off }
admin: { bind: "127.0.0.1:9900", token: "0123456789abcdef" }
drain: { timeout: 1m }
`

/** Every position lies in the text, every sentence says something, and formatting them works too. */
function expectSound(result: LoadResult, text: string): void {
  const problems = result.ok ? result.warnings : result.problems
  if (!result.ok && problems.every(problem => problem.severity === "warning")) throw new Error("refused without an error")
  const lines = text.split("\n")
  // expect() for each of the many thousand problems would take longer than the loading.
  for (const { line, column, message } of problems) {
    const inside = line >= 1 && line <= lines.length && column >= 1 && column <= lines[line - 1]!.length + 1
    if (!inside) throw new Error(`${line}:${column} is outside of the text: ${message}`)
    if (message === "" || /undefined|\[object|Invalid input|NaN/.test(message)) throw new Error(`an odd sentence at ${line}:${column}: ${message}`)
  }
  const formatted = formatProblems(problems, { textOf: () => text }).split("\n").length
  if (formatted <= problems.length) throw new Error("fewer lines than problems")
}

const lines = good.split("\n")
const word = fc.constantFrom(
  "x",
  "[]",
  "{}",
  "null",
  "~",
  "-1",
  "1e999",
  "true",
  '""',
  "*web",
  "&a",
  "<<",
  "__proto__",
  "constructor",
  "- ",
  ": ",
  "\t",
  "!!set",
  "'",
  '"',
  "#",
  "{",
  "]",
  "%",
  "@",
  "|",
  "\u2028",
  "\ud800",
  "9".repeat(30),
)

describe("random mutations of a good config", () => {
  test("it is good", () => {
    const result = parseConfig(good)
    expect(result).toMatchObject({ ok: true, warnings: [] })
  })

  test("characters put in, taken out and replaced", () => {
    const slip = fc.record({ at: fc.nat(good.length), cut: fc.nat(6), put: fc.oneof(word, fc.string({ maxLength: 3, unit: "binary" })) })
    const property = fc.property(fc.array(slip, { minLength: 1, maxLength: 4 }), slips => {
      const text = slips.reduce((text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut), good)
      expectSound(parseConfig(text), text)
    })
    fc.assert(property, { seed: 31, numRuns: 80 })
  })

  test("lines moved, doubled, dropped and indented", () => {
    const slip = fc.record({ from: fc.nat(lines.length - 1), to: fc.nat(lines.length - 1), how: fc.constantFrom("move", "double", "drop", "indent") })
    const property = fc.property(fc.array(slip, { minLength: 1, maxLength: 4 }), slips => {
      const changed = [...lines]
      for (const { from, to, how } of slips) {
        const line = changed[from] ?? ""
        if (how === "indent") changed[from] = `  ${line}`
        else if (how === "double") changed.splice(to, 0, line)
        else changed.splice(from, 1, ...(how === "move" ? [changed[to] ?? ""] : []))
      }
      const text = changed.join("\n")
      expectSound(parseConfig(text), text)
    })
    fc.assert(property, { seed: 32, numRuns: 80 })
  })

  test("values replaced by values of another kind, in the tree", () => {
    const tree = parseTree()
    const places = placesOf(tree)
    const value = fc.oneof(fc.constantFrom(null, true, -1, 1.5, "", "x", [], {}, [[]], { x: { y: 1 } }, "off"), fc.jsonValue({ maxDepth: 2 }))
    const property = fc.property(fc.nat(places.length - 1), value, (index, replacement) => {
      const text = JSON.stringify(replaced(tree, places[index]!, replacement), null, 1)
      expectSound(parseConfig(text, "a.json"), text)
    })
    fc.assert(property, { seed: 33, numRuns: 150 })
  })

  test("anything at all", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: fc.oneof(word, fc.constantFrom(..."abc:- \n{}[],")) }), text =>
        expectSound(parseConfig(text), text),
      ),
      { seed: 34, numRuns: 400 },
    )
  })
})

type Tree = Record<string, unknown>

/** The good config as plain data, long forms included. */
function parseTree(): Tree {
  return parse(good) as Tree
}

function placesOf(node: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof node !== "object" || node === null) return [path]
  return [...(path.length > 0 ? [path] : []), ...Object.entries(node).flatMap(([key, value]) => placesOf(value, [...path, key]))]
}

function replaced(node: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value
  const copy = Array.isArray(node) ? [...node] : { ...(node as Tree) }
  ;(copy as Tree)[step] = replaced((copy as Tree)[step], rest, value)
  return copy
}
