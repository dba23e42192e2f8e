import type { MessagePort } from "node:worker_threads"
import type { Log } from "../../base/index.ts"
import { createDiskStore, type DiskStore } from "../../cache/index.ts"
import type { ToWorker } from "../protocol.ts"
import type { SharedCaches } from "./shared-caches.ts"

export interface DiskSpec {
  readonly name: string
  readonly path: string
  /** Octets. */
  readonly size: number
}

export interface LiveDisk {
  readonly id: number
  readonly path: string
  readonly size: number
  readonly store: DiskStore
}

interface StagedDisks {
  readonly problem: string
  commit(): void
  undo(): void
}

let lastId = 0
const LEAVE_LOOK_MS = 50

/** The disks of all caches: one store for each folder, as long as a config names it. */
export class LiveDisks {
  private readonly byPath = new Map<string, LiveDisk>()
  private readonly workers: number
  private readonly keySeed: number
  private readonly log: Log
  /** What each life of each worker has been given: `disk worker life`. */
  private readonly given = new Set<string>()

  constructor(workers: number, keySeed: number, log: Log) {
    this.workers = workers
    this.keySeed = keySeed
    this.log = log
  }

  at(path: string): LiveDisk | undefined {
    return this.byPath.get(path)
  }

  /** Opens the folders that no cache has open. */
  async stage(specs: readonly DiskSpec[]): Promise<StagedDisks> {
    const opened: LiveDisk[] = []
    const undo = (): void => {
      for (const disk of opened) this.drop(disk)
    }
    const seen = new Map<string, string>()
    for (const { name, path, size } of specs) {
      const other = seen.get(path)
      if (other !== undefined) return { problem: `caches.${name}.disk: the folder is that of cache "${other}" already`, commit() {}, undo() {} }
      seen.set(path, name)
      const known = this.byPath.get(path)
      if (known !== undefined && known.size !== size) this.log.warn("another size of a cache's disk takes effect at the next start", { cache: name })
      if (known !== undefined) continue
      try {
        const store = await createDiskStore({ path, bytes: size, keySeed: this.keySeed, workersMax: this.workers })
        const disk = { id: ++lastId, path, size, store }
        this.byPath.set(path, disk)
        opened.push(disk)
      } catch (error) {
        undo()
        return { problem: `caches.${name}.disk: ${(error as Error).message}`, commit() {}, undo() {} }
      }
    }
    return { problem: "", undo, commit: () => this.keep(new Set(seen.keys())) }
  }

  private keep(paths: ReadonlySet<string>): void {
    for (const disk of [...this.byPath.values()]) if (!paths.has(disk.path)) this.drop(disk)
  }

  private drop(disk: LiveDisk): void {
    this.byPath.delete(disk.path)
    void disk.store.close()
  }

  /** The ends that this life of a worker does not have yet, to be posted before the config that uses them. */
  before(worker: number, life: number, caches: SharedCaches): { message: ToWorker; transfer: readonly MessagePort[] }[] {
    const wanted = new Set(Object.values(caches.byName).map(({ disk }) => disk))
    return [...this.byPath.values()].flatMap(({ id, store }) => {
      const key = `${id} ${worker} ${life}`
      if (!wanted.has(id) || this.given.has(key)) return []
      this.given.add(key)
      const attachment = store.attachment(worker)
      return [{ message: { type: "disk" as const, id, attachment }, transfer: [attachment.port] }]
    })
  }

  /** Folders that are open. */
  get paths(): string[] {
    return [...this.byPath.keys()]
  }

  /** Closes them when nothing is being written any more, or after `limitMs`. What is being read goes on. */
  async leave(limitMs: number): Promise<void> {
    const disks = [...this.byPath.values()]
    for (const { store } of disks) store.endWrites()
    const until = performance.now() + limitMs
    // Not at once: a writer that has just begun does not count yet.
    if (disks.length > 0) await Bun.sleep(LEAVE_LOOK_MS)
    while (disks.some(({ store }) => store.stats().writers > 0) && performance.now() < until) await Bun.sleep(LEAVE_LOOK_MS)
    await this.close()
  }

  forgetWorker(worker: number): void {
    for (const { store } of this.byPath.values()) store.workerLost(worker)
  }

  async close(): Promise<void> {
    await Promise.all([...this.byPath.values()].map(({ store }) => store.close()))
    this.byPath.clear()
  }
}
