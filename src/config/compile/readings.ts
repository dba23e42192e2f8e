import { nearest } from "../../base/index.ts"
import type { Reading, Readings } from "../../plugin/index.ts"
import { filters } from "../features.gen.ts"
import type { Config } from "../schema.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { sharedOf } from "./filters.ts"

/** Names of all readings that filters of the config offer, with the options that say what each is. */
export function readingNames(config: Pick<Config, "routes">): Map<string, { readonly filter: string; readonly options: unknown }> {
  const out = new Map<string, { filter: string; options: unknown }>()
  for (const use of config.routes.flatMap(route => route.filters)) {
    const definition = use.inline === null ? filters.find(filter => filter.name === use.name)?.reading : undefined
    const name = definition?.name(use.options) ?? ""
    if (name !== "" && !out.has(name)) out.set(name, { filter: use.name, options: use.options })
  }
  return out
}

/** What matchers and filters read of what filters count. Each is made when somebody asks for it. */
export function readingsOf(config: Config, deps: CompileDeps): Readings {
  const names = readingNames(config)
  const shared = sharedOf(deps)
  const built = new Map<string, Reading>()
  return name => {
    const known = built.get(name)
    if (known !== undefined) return known
    const found = names.get(name)
    if (found === undefined) throw new Error(unknownReading(name, [...names.keys()]))
    const definition = filters.find(filter => filter.name === found.filter)!.reading!
    const reading = definition.build(found.options, { time: deps.time, shared })
    built.set(name, reading)
    return reading
  }
}

export function unknownReading(name: string, names: readonly string[]): string {
  const near = nearest(name, names)
  if (near !== null) return `there is no counter ${JSON.stringify(name)}; did you mean ${JSON.stringify(near)}?`
  return `there is no counter ${JSON.stringify(name)}; ${names.length === 0 ? "no filter `count` has a name" : `there are ${names.join(", ")}`}`
}
