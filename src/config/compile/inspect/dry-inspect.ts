import type { Config } from "../../schema.ts"
import { authorityFiles, readAuthority } from "./authority-files.ts"
import { inspectCounters } from "./compile-inspect.ts"
import { pinnedMemory } from "./pinned-sites.ts"

interface Needs {
  counter(name: string, help: string): void
  shared(key: string, bytes: number): void
}

/** What the listeners of a config need that look into tunnels; calls back with what is wrong with one, before a worker hears of it. */
export function dryInspect(config: Config, needs: Needs, wrong: (where: string, message: string) => void): void {
  for (const [name, { forward }] of Object.entries(config.listeners)) {
    const inspect = forward?.inspect ?? null
    if (inspect === null) continue
    for (const counter of Object.values(inspectCounters)) needs.counter(counter.name, counter.help)
    if (inspect.pinned !== null) {
      const { key, bytes } = pinnedMemory(name, inspect.pinned)
      needs.shared(key, bytes)
    }
    try {
      readAuthority(authorityFiles(inspect, config.acme.directory))
    } catch (error) {
      wrong(`listeners.${name}.forward.inspect.ca`, (error as Error).message)
    }
  }
}
