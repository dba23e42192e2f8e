import { resolve } from "node:path"
import { armRequest } from "../../flow/index.ts"
import type { Filter, FilterDefinition, FilterDeps } from "../../plugin/index.ts"
import { filters } from "../features.gen.ts"
import type { FilterUse } from "../schema/route.ts"
import type { CompileDeps } from "./compile-deps.ts"

/** The cache is written among the filters and is none: it has steps of its own (`compileCache`). */
const CACHE = "cache"

/** A built filter with its name in the config. */
export interface NamedFilter {
  readonly name: string
  readonly filter: Filter
}

export type FilterPhase = Exclude<keyof Filter, "describe">

/** Builds the filters of a route, or of a listener, in the order of the config. `nextSlot` numbers their state slots. */
export function buildFilters(uses: readonly FilterUse[], deps: CompileDeps, nextSlot: { value: number }): NamedFilter[] {
  const out: NamedFilter[] = []
  for (const use of uses) {
    if (use.inline !== null) out.push({ name: use.name, filter: use.inline })
    else if (use.name !== CACHE) out.push({ name: use.name, filter: definitionOf(use.name).build(use.options, filterDeps(deps, nextSlot)) })
  }
  return out
}

export function definitionOf(name: string): FilterDefinition<unknown> {
  const definition = filters.find(filter => filter.name === name)
  if (definition === undefined) throw new Error(`there is no filter "${name}"; expected one of ${filters.map(filter => filter.name).join(", ")}`)
  return definition
}

function filterDeps(deps: CompileDeps, nextSlot: { value: number }): FilterDeps {
  return {
    slot: () => nextSlot.value++,
    counter: (name, _help) => {
      const block = deps.layout?.blocks.find(entry => entry.shape === "counter" && entry.name === name)
      return { add: n => block !== undefined && deps.metrics?.add(block.offset, n) }
    },
    limit: (x, ms) => armRequest(x, deps.time, ms),
    path: name => resolve(deps.baseDir, name),
    watchFile: (path, changed) => deps.watchFile(path, changed),
  }
}
