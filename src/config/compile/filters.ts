import { resolve } from "node:path"
import { armRequest, type Exchange } from "../../flow/index.ts"
import type { AnswerDefinition, AnswerDeps, ClusterHandle, Filter, FilterDefinition, FilterDeps } from "../../plugin/index.ts"
import { answers, filters } from "../features.gen.ts"
import type { FilterUse } from "../schema/route.ts"
import type { CompileDeps } from "./compile-deps.ts"
import { compileMatch } from "./match.ts"

/** The cache is written among the filters and is none: it has steps of its own (`compileCache`). */
const CACHE = "cache"

/** A built filter with its name in the config. */
export interface NamedFilter {
  readonly name: string
  readonly filter: Filter
}

export type FilterPhase = Exclude<keyof Filter, "describe" | "explain">

/** What the filters of one route, or of one listener, are built in. */
export interface FilterPlace {
  /** `routes/shop`, `listeners/web`. */
  readonly owner: string
  /** Numbers the state slots of its filters. */
  readonly nextSlot: { value: number }
  /** Throws when there is none of this name. */
  readonly cluster: (name: string) => ClusterHandle
  /** Whether somebody looks into the tunnel that a request asks for. Default: never. */
  readonly opens?: (x: Exchange) => boolean
  /** Which ones are built. Default: all. */
  readonly takes?: (use: FilterUse) => boolean
}

/** Where the filter stands that is written at `index`: its `place` in the control thread's dry build and in each worker. One of all routes has one place, and so one memory. */
export function placeOf({ name, everywhere }: Pick<FilterUse, "name" | "everywhere">, owner: string, index: number): string {
  return everywhere === true ? `filters/${name}#${index}` : `${owner}/${name}#${index}`
}

/** Builds the filters of a route, or of a listener, in the order of the config. */
export function buildFilters(uses: readonly FilterUse[], deps: CompileDeps, place: FilterPlace): NamedFilter[] {
  const out: NamedFilter[] = []
  for (const [index, use] of uses.entries()) {
    if (place.takes?.(use) === false) continue
    if (use.inline !== null) out.push({ name: use.name, filter: use.inline })
    else if (use.name !== CACHE) {
      const own = filterDeps(deps, place, placeOf(use, place.owner, index))
      out.push({ name: use.name, filter: definitionOf(use.name).build(use.options, own) })
    }
  }
  return out
}

export function definitionOf(name: string): FilterDefinition<unknown> {
  const definition = filters.find(filter => filter.name === name)
  if (definition === undefined) throw new Error(`there is no filter "${name}"; expected one of ${filters.map(filter => filter.name).join(", ")}`)
  return definition
}

/** A destination that answers by itself. */
export function answerOf(name: string): AnswerDefinition<unknown> {
  const definition = answers.find(answer => answer.name === name)
  if (definition === undefined) throw new Error(`there is no destination "${name}"`)
  return definition
}

function filterDeps(deps: CompileDeps, { nextSlot, cluster, opens }: FilterPlace, place: string): FilterDeps {
  return {
    ...answerDeps(deps, place),
    slot: () => nextSlot.value++,
    shared: sharedOf(deps),
    cluster,
    match: use => compileMatch(use, deps),
    ...(opens === undefined ? {} : { opens }),
    ...(deps.worker === undefined ? {} : { worker: deps.worker }),
    ...(deps.reading === undefined ? {} : { reading: deps.reading }),
    ...(deps.lists === undefined ? {} : { lists: deps.lists }),
    ...(deps.lines === undefined ? {} : { lines: deps.lines }),
    limit: (x, ms) => armRequest(x, deps.time, ms),
  }
}

/** Memory of all workers, or of this thread alone where there are no others. */
export function sharedOf(deps: CompileDeps): FilterDeps["shared"] {
  return (key, bytes) => deps.shared?.(key, bytes) ?? new SharedArrayBuffer(bytes)
}

/** What destinations that answer by themselves are built with. */
export function answerDeps(deps: CompileDeps, place: string): AnswerDeps {
  return {
    place,
    counter: (name, _help) => {
      const block = deps.layout?.blocks.find(entry => entry.shape === "counter" && entry.name === name)
      return { add: n => block !== undefined && deps.metrics?.add(block.offset, n) }
    },
    path: name => resolve(deps.baseDir, name),
    watchFile: (path, changed) => deps.watchFile(path, changed),
    time: deps.time,
  }
}
