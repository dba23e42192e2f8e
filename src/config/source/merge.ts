import { type ConfigPath, type ConfigSource, type Finding, locate, type Place, type Problem } from "../problem.ts"
import type { SourceResult } from "./yaml.ts"

/** Sections that fragments share: entries by name, or a list that is strung together. */
const named = new Set(["listeners", "clusters", "caches"])
const strung = new Set(["routes"])

/**
 * One config out of fragments, in the order given. Maps of named things are united, routes are strung together, every other
 * section belongs to one fragment. All or nothing: one broken fragment makes the whole config invalid.
 */
export function mergeSources(directory: string, results: readonly SourceResult[]): SourceResult {
  const problems = results.flatMap(result => result.problems)
  const sources = results.flatMap(result => (result.source ? [result.source] : []))
  if (sources.length < results.length) return { source: null, problems }
  const merged = new Merged(directory)
  for (const source of sources) problems.push(...merged.add(source))
  return { source: merged, problems }
}

class Merged implements ConfigSource {
  readonly file: string
  readonly text = ""
  readonly value: Record<string, unknown> = {}
  /** Which fragment has a section, or `section/name` of a shared one. */
  readonly #owners = new Map<string, ConfigSource>()
  /** For each route of the whole its fragment and its index there. */
  readonly #routes: { source: ConfigSource; index: number }[] = []
  #first: ConfigSource | null = null

  constructor(directory: string) {
    this.file = directory
  }

  add(source: ConfigSource): Problem[] {
    this.#first ??= source
    const { value } = source
    if (!isMap(value))
      return [locate(source, { severity: "error", path: [], part: "value", message: "expected a map with sections such as listeners and routes" })]
    return Object.entries(value).flatMap(([section, content]) => this.#addSection(source, section, content))
  }

  #addSection(source: ConfigSource, section: string, content: unknown): Problem[] {
    if (named.has(section) && isMap(content)) return this.#addNamed(source, section, content)
    if (strung.has(section) && Array.isArray(content)) return this.#addStrung(source, section, content)
    const before = this.#owners.get(section)
    if (before) return [twice(source, [section], section, before)]
    this.#owners.set(section, source)
    put(this.value, section, content)
    return []
  }

  #addNamed(source: ConfigSource, section: string, content: Record<string, unknown>): Problem[] {
    const target = Object.hasOwn(this.value, section) ? this.value[section] : {}
    // Another fragment has written no map here; the schema says so.
    if (!isMap(target)) return []
    this.value[section] = target
    if (!this.#owners.has(section)) this.#owners.set(section, source)
    const problems: Problem[] = []
    for (const [name, entry] of Object.entries(content)) {
      const before = this.#owners.get(`${section}/${name}`)
      if (before) problems.push(twice(source, [section, name], name, before))
      else {
        this.#owners.set(`${section}/${name}`, source)
        put(target, name, entry)
      }
    }
    return problems
  }

  #addStrung(source: ConfigSource, section: string, content: readonly unknown[]): Problem[] {
    const target = Object.hasOwn(this.value, section) ? this.value[section] : []
    if (!Array.isArray(target)) return []
    this.value[section] = target
    if (!this.#owners.has(section)) this.#owners.set(section, source)
    for (const [index, route] of content.entries()) {
      target.push(route)
      this.#routes.push({ source, index })
    }
    return []
  }

  place(path: ConfigPath, part: "key" | "value"): Place {
    const [section, step, ...rest] = path
    if (section === undefined) return this.#first!.place([], part)
    if (strung.has(String(section)) && typeof step === "number") {
      const route = this.#routes[step]
      if (route) return route.source.place([section, route.index, ...rest], part)
    }
    const owner = this.#owners.get(`${section}/${step}`) ?? this.#owners.get(String(section)) ?? this.#first!
    return owner.place(path, part)
  }
}

function twice(source: ConfigSource, path: ConfigPath, name: string, before: ConfigSource): Problem {
  const first = before.place(path, "key")
  const finding: Finding = { severity: "error", path, part: "key", message: `${JSON.stringify(name)} is already in ${first.file}:${first.line}` }
  return locate(source, finding)
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** Sets an own property whatever its name, `__proto__` included. */
function put(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}
