import { describe, expect, test } from "bun:test"
import { filters, healthChecks, matchers } from "./features.gen.ts"
import { configJsonSchema } from "./json-schema.ts"
import { writeReference } from "./reference.ts"

interface Node {
  readonly [key: string]: Node | undefined
}

const schema = configJsonSchema() as unknown as Node

/** Walks into properties, items and entries of named maps. */
function at(...path: string[]): Node {
  let node = schema
  for (const step of path) {
    const next = node.properties?.[step] ?? node[step] ?? node.additionalProperties?.properties?.[step]
    if (next === undefined) throw new Error(`the schema has no ${path.join(".")}`)
    node = next
  }
  return node
}

describe("the JSON Schema", () => {
  test("describes every key, with its default as it is written", () => {
    expect(at("drain", "timeout").default).toBe("30s" as never)
    const missing: string[] = []
    const walk = (node: Node, path: string) => {
      for (const [key, value] of Object.entries(node.properties ?? {})) {
        if (!value!.description) missing.push(`${path}.${key}`)
        walk(value!, `${path}.${key}`)
      }
      for (const inner of [node.items, node.additionalProperties, ...((node.anyOf as unknown as Node[]) ?? [])])
        if (typeof inner === "object") walk(inner, `${path}[]`)
    }
    walk(schema, "")
    // Which fields a feature describes is its own room's business.
    expect(missing.filter(path => !/\.(?:match|filters\[\]\[\]|balance\[\]|health|format\[\])\./.test(path))).toEqual([])
  })

  test("knows what is required and refuses unknown keys", () => {
    const route = at("routes", "items")
    expect(route.required).toEqual(["to"] as never)
    expect(at("listeners", "additionalProperties").required).toEqual(["bind"] as never)
    for (const node of [schema, route, at("clusters", "additionalProperties"), route.properties!.match!])
      expect(node.additionalProperties).toBe(false as never)
  })

  test("holds the options of every feature", () => {
    const route = at("routes", "items")
    expect(Object.keys(route.properties!.match!.properties!).sort()).toEqual(matchers.map(matcher => matcher.name).sort())
    const text = JSON.stringify(route.properties!.filters)
    for (const filter of filters) expect(text).toContain(`"${filter.name}":{`)
    for (const check of healthChecks) {
      expect(Object.keys(at("clusters", "additionalProperties", "health", check.name).properties!)).toContain("every")
    }
    expect(route.properties!.to).toMatchObject({ minProperties: 1, maxProperties: 1 })
  })

  test("is plain JSON", () => {
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema)
  })
})

describe("the reference page", () => {
  const page = writeReference()

  test("has a section for each section of the config", () => {
    for (const key of Object.keys(schema.properties!)) expect(page).toContain(`| \`${key}\` |`)
    for (const heading of ["`listeners.NAME.limits`", "`clusters.NAME.retry`", "`routes[].to.redirect`", "`observe.accessLog`"])
      expect(page).toContain(`# ${heading}\n`)
    expect(page).toContain("| `headBytesMax` | size | `64KB` | Request line and header fields together. |")
  })

  test("has whole tables", () => {
    for (const line of page.split("\n").filter(line => line.startsWith("|"))) expect(line.split(/(?<!\\)\|/)).toHaveLength(6)
  })
})
