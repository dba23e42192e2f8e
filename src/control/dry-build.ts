import { resolve } from "node:path"
import { FakeClock, readDataFile, TimerWheel } from "../base/index.ts"
import { answers, type Config, dryInspect, filters, placeOf, quietLists, SplitZone, standInMemory, unknownCluster } from "../config/index.ts"
import type { FilterDeps } from "../plugin/index.ts"
import { stickyMemory } from "../upstream/index.ts"
import { OWN_DIALS_BYTES } from "../net/index.ts"
import { hasTransparent, OWN_DIALS_KEY } from "./worker/open-transparent.ts"
import type { ReloadProblem } from "./protocol.ts"

/** Told of what filters ask for that has to be there before workers build them. */
export interface DryBuildNeeds {
  counter(name: string, help: string): void
  /** Memory that workers share. */
  shared(key: string, bytes: number): void
  /** How many workers there are. */
  readonly workers?: number
}

/**
 * Builds every filter of a config once and throws it away: to learn its counters before workers get their frozen layout, and to hear its
 * complaints (a password file that cannot be read, a pattern that is none) before a worker does.
 */
export function dryBuild(config: Config, baseDir: string, needs: DryBuildNeeds = { counter() {}, shared() {} }): ReloadProblem[] {
  const deps = quietDeps(config, baseDir, needs)
  const problems: ReloadProblem[] = []
  const build = (where: string, name: string, place: string, options: unknown) => {
    try {
      filters.find(filter => filter.name === name)?.build(options, { ...deps, place })
    } catch (error) {
      problems.push({ where, message: error instanceof Error ? error.message : String(error), expected: "" })
    }
  }
  const dryAnswer = ({ name, options }: { name: string; options: unknown }, where: string) => {
    try {
      answers.find(answer => answer.name === name)?.build(options, { ...deps, place: where })
    } catch (error) {
      problems.push({ where, message: error instanceof Error ? error.message : String(error), expected: "" })
    }
  }
  for (const [name, listener] of Object.entries(config.listeners)) {
    if (listener.forward?.auth)
      build(`listeners.${name}.forward.auth`, "proxy-auth", placeOf({ name: "proxy-auth" }, `listeners/${name}`, 0), listener.forward.auth)
  }
  dryInspect(config, needs, (where, message) => problems.push({ where, message, expected: "" }))
  for (const [name, listener] of Object.entries(config.listeners)) {
    const memory = standInMemory(name, listener)
    if (memory !== null) needs.shared(memory.key, memory.bytes)
  }
  if (hasTransparent(config)) needs.shared(OWN_DIALS_KEY, OWN_DIALS_BYTES)
  for (const [i, route] of config.routes.entries()) {
    for (const [j, use] of route.filters.entries())
      if (use.inline === null) build(whereOf(use, i, j, config), use.name, placeOf(use, `routes/${route.name}`, j), use.options)
    if (route.to.kind === "split") {
      const { key, bytes } = SplitZone.memoryOf(route.name, route.to.split)
      needs.shared(key, bytes)
    }
    if (route.to.kind === "answer") dryAnswer(route.to, `routes[${i}].to.${route.to.name}`)
  }
  for (const [name, { sticky }] of Object.entries(config.clusters)) {
    const memory = sticky === null ? null : stickyMemory(name, sticky)
    if (memory !== null) needs.shared(memory.key, memory.bytes)
  }
  return problems
}

/** The place in the file. */
function whereOf({ name, everywhere }: { name: string; everywhere?: boolean }, route: number, index: number, { filters: shared }: Config): string {
  return everywhere === true ? `filters[${index}].${name}` : `routes[${route}].filters[${index - shared.length}].${name}`
}

/** Large memory is used again for all that ask for as much: what is thrown away is written anew when it is given out again, and then takes real memory. */
class Scratch {
  readonly #bySize = new Map<number, SharedArrayBuffer>()

  of(bytes: number): SharedArrayBuffer {
    const known = this.#bySize.get(bytes)
    if (known !== undefined) return known
    const memory = new SharedArrayBuffer(bytes)
    if (bytes >= SCRATCH_BYTES_MIN) this.#bySize.set(bytes, memory)
    return memory
  }
}

const SCRATCH_BYTES_MIN = 1024 * 1024

function quietDeps(config: Config, baseDir: string, needs: DryBuildNeeds): FilterDeps {
  let slots = 0
  const sizes = new Map<string, number>()
  const clock = new FakeClock()
  const scratch = new Scratch()
  return {
    place: "",
    time: { clock, wheel: new TimerWheel(clock.now()) },
    shared: (key, bytes) => {
      const before = sizes.get(key) ?? bytes
      if (before !== bytes) throw new Error(`two filters share ${key} with different settings`)
      sizes.set(key, bytes)
      needs.shared(key, bytes)
      return scratch.of(bytes)
    },
    worker: { index: 0, count: needs.workers ?? 1 },
    // The check of the config has seen whether there is one.
    reading: name => ({ name, text: "", read: () => 0 }),
    cluster: name => {
      if (!Object.hasOwn(config.clusters, name)) throw new Error(unknownCluster(name, Object.keys(config.clusters)))
      return { name, send: () => ({ cancel() {} }) }
    },
    // Nobody asks it: what cannot be compiled is told when the config is staged.
    match: ({ rules }) => ({
      names: rules.map(rule => rule.name),
      holds: () => false,
      holdsInOne: () => false,
      holdsInAll: () => false,
      failure: () => "",
    }),
    slot: () => slots++,
    counter: (name, help) => {
      needs.counter(name, help)
      return { add() {} }
    },
    lists: quietLists(config),
    limit() {},
    path: name => resolve(baseDir, name),
    watchFile: readDataFile,
  }
}
