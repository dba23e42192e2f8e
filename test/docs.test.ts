import { expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { isMap, parseDocument } from "yaml"
import { parseConfig } from "../src/config/load.ts"

// Every example of a config in a README or a page of docs/ is one that the program takes.
const root = join(import.meta.dirname, "..")
type Model = Record<string, unknown>

for (const page of pages()) {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/^```yaml\n(.*?)^```/gms)].map(match => match[1]!)
  for (const [i, example] of blocks.flatMap(examplesOf).entries()) {
    test(`${page}, example ${i + 1}`, () => {
      const result = parseConfig(JSON.stringify(completed(example), null, 2), join(root, "example.yaml"))
      expect(result.ok ? [] : result.problems.filter(problem => problem.severity === "error" && !isAboutFile(problem.message))).toEqual([])
    })
  }
}

/** A block may show several ways to write one key, one after the other: each is an example of its own. */
function examplesOf(block: string): unknown[] {
  const document = parseDocument(block, { uniqueKeys: false })
  if (document.errors.length > 0) return [`not YAML: ${document.errors[0]!.message}`]
  if (!isMap(document.contents)) return [document.toJS()]
  const examples: Model[] = [{}]
  for (const { key, value } of document.contents.items) {
    if (String(key) in examples.at(-1)!) examples.push({})
    examples.at(-1)![String(key)] = (value as { toJS(of: unknown): unknown }).toJS(document)
  }
  return examples
}

function pages(): string[] {
  const found = ["README.md", "ARCHITECTURE.md"].filter(name => existsSync(join(root, name)))
  for (const folder of ["src", "docs", "examples", "test"]) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }))
      if (name.endsWith(".md")) found.push(`${folder}/${name}`)
  }
  return found.sort()
}

/** An example shows what it is about; what any config needs besides is added: a listener, a route, and the clusters that routes name. */
function completed(example: unknown): Model {
  const model: Model = Array.isArray(example)
    ? { routes: example }
    : isRoute(example as Model)
      ? { routes: [{ match: {}, to: anywhere, ...(example as Model) }] }
      : (example as Model)
  const clusters = (model.clusters ?? {}) as Model
  const listeners = (model.listeners ?? {}) as Model
  const routes = (model.routes ?? [{ match: {}, to: Object.keys(clusters)[0] ? { cluster: Object.keys(clusters)[0] } : anywhere }]) as Model[]
  for (const route of routes) {
    for (const name of namesIn((route.match as Model | undefined)?.listener))
      listeners[name] ??= { bind: `127.0.0.1:${10_000 + Object.keys(listeners).length}`, forward: true }
    const cluster = (route.to as Model | undefined)?.cluster
    if (typeof cluster === "string") clusters[cluster] ??= { peers: ["127.0.0.1:9001"] }
  }
  if (Object.keys(listeners).length === 0) listeners.web = { bind: "127.0.0.1:8080" }
  return { ...model, clusters, listeners, routes }
}

const anywhere = { respond: { status: 204 } }

function isRoute(model: Model): boolean {
  return !("routes" in model) && ["match", "filters", "to"].some(key => key in model)
}

function namesIn(value: unknown): string[] {
  return [value ?? []].flat().map(String)
}

// The files that an example names are the reader's.
function isAboutFile(message: string): boolean {
  return /no such file|cannot be read|does not exist|cannot read/i.test(message)
}
