import { resolve } from "node:path"
import { readDataFile } from "../base/index.ts"
import { type Config, filters } from "../config/index.ts"
import type { FilterDeps } from "../plugin/index.ts"
import type { ReloadProblem } from "./protocol.ts"

/** Told of each counter that a filter asks for. */
export type PlaceCounter = (name: string, help: string) => void

/**
 * Builds every filter of a config once and throws it away: to learn its counters before workers get their frozen layout, and to hear its
 * complaints (a password file that cannot be read, a pattern that is none) before a worker does.
 */
export function dryBuild(config: Config, baseDir: string, placeCounter: PlaceCounter = () => {}): ReloadProblem[] {
  const deps = quietDeps(baseDir, placeCounter)
  const problems: ReloadProblem[] = []
  const build = (where: string, name: string, options: unknown) => {
    try {
      filters.find(filter => filter.name === name)?.build(options, deps)
    } catch (error) {
      problems.push({ where, message: error instanceof Error ? error.message : String(error), expected: "" })
    }
  }
  for (const [name, listener] of Object.entries(config.listeners)) {
    if (listener.forward?.auth) build(`listeners.${name}.forward.auth`, "proxy-auth", listener.forward.auth)
  }
  for (const [i, route] of config.routes.entries()) {
    for (const [j, use] of route.filters.entries()) if (use.inline === null) build(`routes[${i}].filters[${j}].${use.name}`, use.name, use.options)
  }
  return problems
}

function quietDeps(baseDir: string, placeCounter: PlaceCounter): FilterDeps {
  let slots = 0
  return {
    slot: () => slots++,
    counter: (name, help) => {
      placeCounter(name, help)
      return { add() {} }
    },
    limit() {},
    path: name => resolve(baseDir, name),
    watchFile: readDataFile,
  }
}
