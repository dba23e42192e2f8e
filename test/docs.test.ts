import { expect, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { parseConfig } from "../src/config/index.ts"

// Every example of a config in a README or a page of docs/ is one that the program takes.
const root = join(import.meta.dirname, "..")
type Model = Record<string, unknown>

for (const page of pages()) {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/^```yaml\n(.*?)^```/gms)].map(match => match[1]!)
  blocks.forEach((block, i) => {
    test(`${page}, example ${i + 1}`, () => {
      const result = parseConfig(JSON.stringify(completed(parse(block)), null, 2), join(root, "example.yaml"))
      expect(result.ok ? [] : result.problems.filter(problem => problem.severity === "error" && !isAboutFile(problem.message))).toEqual([])
    })
  })
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
  return ["match", "filters", "to"].some(key => key in model)
}

function namesIn(value: unknown): string[] {
  return [value ?? []].flat().map(String)
}

// The files that an example names are the reader's.
function isAboutFile(message: string): boolean {
  return /no such file|cannot be read|does not exist|cannot read/i.test(message)
}
