import { expect, test } from "bun:test"
import { diffConfig, formatDiff } from "./diff.ts"
import { parseConfig } from "./load.ts"
import type { Config } from "./schema.ts"

function config(text: string): Config {
  const result = parseConfig(text)
  if (!result.ok) throw new Error(result.problems.map(problem => problem.message).join("\n"))
  return result.config
}

const old = `
listeners: { web: { bind: ":80" }, old: { bind: ":81" } }
clusters: { shop: { peers: ["a.test:1"] }, blog: { peers: ["b.test:1"] } }
routes:
  - { name: a, match: { path: /a }, to: { cluster: shop } }
  - { name: b, match: { path: /b }, to: { cluster: blog } }
  - { name: c, to: { respond: {} } }
`

test("nothing changed", () => {
  const diff = diffConfig(config(old), config(`# a comment\n${old.replace('":80"', '":80", via: true')}`))
  expect(diff.same).toBe(true)
  expect(formatDiff(diff)).toBe("nothing changed")
})

test("added, removed and changed", () => {
  const next = old
    .replace('old: { bind: ":81" }', 'new: { bind: ":82" }')
    .replace('"a.test:1"', '"a.test:1", "a.test:2"')
    .replace("respond: {}", "respond: { status: 404 }")
  const diff = diffConfig(config(old), config(`${next}workers: 2\nadmin: { bind: "127.0.0.1:1" }\n`))
  expect(diff).toEqual({
    listeners: { added: ["new"], removed: ["old"], changed: [] },
    clusters: { added: [], removed: [], changed: ["shop"] },
    caches: { added: [], removed: [], changed: [] },
    routes: { added: [], removed: [], changed: ["c"] },
    sections: ["workers", "admin"],
    same: false,
  })
  expect(formatDiff(diff)).toBe("listeners: +new -old; clusters: ~shop; routes: ~c; workers; admin")
})

test("the order of routes counts", () => {
  const lines = old.split("\n")
  const swapped = [...lines.slice(0, 4), lines[5], lines[4], ...lines.slice(6)].join("\n")
  expect(diffConfig(config(old), config(swapped)).routes).toEqual({ added: [], removed: [], changed: ["b", "a"] })
})

test("a name that every object has is just a name", () => {
  const next = old.replace('old: { bind: ":81" }', 'constructor: { bind: ":81" }')
  expect(diffConfig(config(old), config(next)).listeners).toEqual({ added: ["constructor"], removed: ["old"], changed: [] })
})
