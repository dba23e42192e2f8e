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
import type { Log } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"
import { type LiveDisk, LiveDisks } from "./live-disks.ts"
import type { SharedCaches } from "./shared-caches.ts"

/** One cache as the control thread has it. */
export interface LiveCache {
  readonly id: number
  readonly bytes: number
  readonly memory: SharedMemoryStore
  readonly supervisor: MemoryStoreSupervisor
  readonly disk: LiveDisk | null
}

export interface StagedCaches {
  /** Why a disk cannot be used; nothing else is staged then. */
  readonly problem: string
  readonly shared: SharedCaches
  commit(): void
  undo(): void
}

export interface Purged {
  readonly purged: number
  readonly caches: Readonly<Record<string, { readonly memory: number; readonly disk: number }>>
}

let lastId = 0

/** The caches of the live config: makes their memory and opens their disks, and does on them what concerns all threads. */
export class Caches {
  readonly disks: LiveDisks
  private readonly seed = randomBytes(4).readUInt32LE()
  private readonly workers: number
  private live = new Map<string, LiveCache>()

  /** `workers` threads and this one will use them. */
  constructor(workers: number, log: Log) {
    this.workers = workers
    setKeySeed(this.seed)
    this.disks = new LiveDisks(workers, this.seed, log)
  }

  /** What is stored goes on over a reload unless its size or place changes. */
  async stage(config: Config): Promise<StagedCaches> {
    const next = new Map<string, LiveCache>()
    const opened = await this.disks.stage(Object.entries(config.caches).flatMap(([name, { disk }]) => (disk === null ? [] : [{ ...disk, name }])))
    if (opened.problem !== "") return { problem: opened.problem, shared: { seed: this.seed, byName: {} }, commit() {}, undo() {} }
    for (const [name, { memory, disk }] of Object.entries(config.caches))
      next.set(name, this.keptOrMade(name, memory, disk === null ? null : (this.disks.at(disk.path) ?? null)))
    const byName = Object.fromEntries([...next].map(([name, { id, memory, disk }]) => [name, { id, memory, disk: disk?.id ?? 0 }]))
    return {
      problem: "",
      shared: { seed: this.seed, byName },
      commit: () => {
        this.live = next
        opened.commit()
      },
      undo: () => opened.undo(),
    }
  }

  private keptOrMade(name: string, bytes: number, disk: LiveDisk | null): LiveCache {
    const known = this.live.get(name)
    if (known !== undefined && known.bytes === bytes && known.disk === disk && !known.supervisor.stats().retired) return known
    const memory = createMemoryStore({ bytes, threadsMax: this.workers + 1 })
    return { id: ++lastId, bytes, memory, supervisor: new MemoryStoreSupervisor(attachMemoryStore(memory, 0)), disk }
  }

  get names(): string[] {
    return [...this.live.keys()]
  }

  get(name: string): LiveCache | undefined {
    return this.live.get(name)
  }

  /**
   * Removes, or with `soft` marks as stale, what the targets name; over when it answers, for all workers. `name` null = all caches. Memory first, which dooms
   * the fills under way, then the disk, then memory again for what came up from the disk in between.
   */
  async purge(name: string | null, targets: readonly PurgeTarget[], soft: boolean): Promise<Purged> {
    const caches: Record<string, { memory: number; disk: number }> = {}
    let purged = 0
    for (const [known, cache] of this.live) {
      if (name !== null && name !== known) continue
      let memory = inMemory(cache, targets, soft)
      let disk = 0
      for (const target of cache.disk === null ? [] : targets) disk += await cache.disk!.store.purge(target, soft)
      if (cache.disk !== null) memory += inMemory(cache, targets, soft)
      caches[known] = { memory, disk }
      purged += memory + disk
    }
    return { purged, caches }
  }

  /** Entries that the targets name, at most `limit`, and whether there are more. */
  async list(
    name: string | null,
    targets: readonly PurgeTarget[],
    limit: number,
  ): Promise<{ entries: (EntryFacts & { cache: string })[]; more: boolean }> {
    const nowMs = Date.now()
    const found: (EntryFacts & { cache: string })[] = []
    for (const [known, { supervisor, disk }] of this.live) {
      if (name !== null && name !== known) continue
      for (const target of targets) {
        const onDisk = disk === null ? [] : await disk.store.list(target, limit + 1)
        for (const facts of [...supervisor.list(target, limit + 1), ...onDisk]) {
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
    this.disks.forgetWorker(index)
    return retired
  }

  close(): Promise<void> {
    return this.disks.close()
  }
}

function inMemory({ supervisor }: LiveCache, targets: readonly PurgeTarget[], soft: boolean): number {
  return targets.reduce((sum, target) => sum + supervisor.purge(target, soft), 0)
}
