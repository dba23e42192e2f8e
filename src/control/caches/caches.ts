import { randomBytes } from "node:crypto"
import {
  attachMemoryStore,
  createMemoryStore,
  describeEntry,
  type EntryFacts,
  MemoryStoreSupervisor,
  type PurgeTarget,
  setKeySeed,
  type SharedMemoryStore,
} from "../../cache/index.ts"
import type { Config } from "../../config/index.ts"
import type { SharedCaches } from "./shared-caches.ts"

/** One cache as the control thread has it. */
export interface LiveCache {
  readonly id: number
  readonly bytes: number
  readonly memory: SharedMemoryStore
  readonly supervisor: MemoryStoreSupervisor
}

export interface StagedCaches {
  readonly shared: SharedCaches
  commit(): void
}

export interface Purged {
  readonly purged: number
  readonly caches: Readonly<Record<string, { readonly memory: number; readonly disk: number }>>
}

let lastId = 0

/** The caches of the live config: makes their memory, and does on it what concerns all threads. */
export class Caches {
  private readonly seed = randomBytes(4).readUInt32LE()
  private readonly threads: number
  private live = new Map<string, LiveCache>()

  /** `workers` threads and this one will use them. */
  constructor(workers: number) {
    this.threads = workers + 1
    setKeySeed(this.seed)
  }

  /** What is stored goes on over a reload unless its size changes. */
  stage(config: Config): StagedCaches {
    const next = new Map<string, LiveCache>()
    for (const [name, { memory: bytes }] of Object.entries(config.caches)) next.set(name, this.keptOrMade(name, bytes))
    const byName = Object.fromEntries([...next].map(([name, { id, memory }]) => [name, { id, memory }]))
    return {
      shared: { seed: this.seed, byName },
      commit: () => {
        this.live = next
      },
    }
  }

  private keptOrMade(name: string, bytes: number): LiveCache {
    const known = this.live.get(name)
    if (known !== undefined && known.bytes === bytes && !known.supervisor.stats().retired) return known
    const memory = createMemoryStore({ bytes, threadsMax: this.threads })
    return { id: ++lastId, bytes, memory, supervisor: new MemoryStoreSupervisor(attachMemoryStore(memory, 0)) }
  }

  get names(): string[] {
    return [...this.live.keys()]
  }

  get(name: string): LiveCache | undefined {
    return this.live.get(name)
  }

  /** Removes, or with `soft` marks as stale, what the targets name; over when it answers, for all workers. `name` null = all caches. */
  async purge(name: string | null, targets: readonly PurgeTarget[], soft: boolean): Promise<Purged> {
    const caches: Record<string, { memory: number; disk: number }> = {}
    let purged = 0
    for (const [known, cache] of this.live) {
      if (name !== null && name !== known) continue
      let memory = 0
      for (const target of targets) memory += cache.supervisor.purge(target, soft)
      caches[known] = { memory, disk: 0 }
      purged += memory
    }
    return { purged, caches }
  }

  /** Entries that the targets name, at most `limit`, and whether there are more. */
  list(name: string | null, targets: readonly PurgeTarget[], limit: number): { entries: (EntryFacts & { cache: string })[]; more: boolean } {
    const nowMs = Date.now()
    const found: (EntryFacts & { cache: string })[] = []
    for (const [known, cache] of this.live) {
      if (name !== null && name !== known) continue
      for (const target of targets) {
        for (const facts of cache.supervisor.list(target, limit + 1)) {
          const entry = describeEntry(facts, nowMs)
          if (entry !== null) found.push({ cache: known, ...entry })
        }
      }
    }
    return { entries: found.slice(0, limit), more: found.length > limit }
  }

  /** A worker is gone: what it filled fails, what it held is free. True = a store went with it, and the config has to be given out again. */
  forgetWorker(index: number): boolean {
    let retired = false
    for (const { supervisor } of this.live.values()) {
      supervisor.workerLost(index + 1)
      retired ||= supervisor.stats().retired
    }
    return retired
  }
}
