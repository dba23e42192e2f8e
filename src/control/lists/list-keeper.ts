import type { Log } from "../../base/index.ts"
import { type Config, ListError } from "../../config/index.ts"
import type { ReloadProblem, ToWorker } from "../protocol.ts"
import { KeptList } from "./kept-list.ts"
import { listPlace } from "./list-place.ts"
import { listKey, type SharedList } from "./shared-list.ts"

const LOOK_EVERY_MS = 1000

/** From here on what reading a list leaves behind is collected at once: it is more than the list itself, and this thread makes little else to be collected for. */
const COLLECT_ENTRIES_MIN = 50_000

/** The workers, as far as lists go. */
export interface ListWorkers {
  broadcast(message: ToWorker): void
  /** Settles with whether every worker has done what it was told until now. */
  heard(): Promise<boolean>
}

/** The lists of a candidate, read; `problems` when one cannot be. */
export interface StagedLists {
  readonly problems: readonly ReloadProblem[]
  commit(): void
  undo(): void
}

/**
 * Reads the lists of the config, off the request path and in slices of this thread, gives them to the workers in memory that all share, and looks at their
 * files every second. A version that cannot be used leaves the last one in force.
 */
export class ListKeeper {
  #live: readonly KeptList[] = []
  #staged: readonly KeptList[] = []
  #looking: Promise<void> | null = null
  #forced = false
  readonly #log: Log
  readonly #workers: () => ListWorkers
  readonly #timer: ReturnType<typeof setInterval>

  constructor(log: Log, workers: () => ListWorkers) {
    this.#log = log
    this.#workers = workers
    this.#timer = setInterval(() => void this.look(false), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  get live(): readonly KeptList[] {
    return this.#live
  }

  /** What a worker needs before it prepares a config: the lists of the live one and of the one that is staged. */
  get shared(): SharedList[] {
    return [...new Set([...this.#live, ...this.#staged])].map(list => list.shared)
  }

  /** Reads the lists of a candidate; those that the live config has too stay as they are. */
  async stage({ lists }: Pick<Config, "lists">): Promise<StagedLists> {
    const problems: ReloadProblem[] = []
    const staged: KeptList[] = []
    for (const [name, config] of Object.entries(lists)) {
      const key = listKey(name, config)
      const known = this.#live.find(list => list.key === key)
      try {
        staged.push(known ?? (await KeptList.load(name, config)))
      } catch (error) {
        if (!(error instanceof ListError)) throw error
        problems.push({ where: listPlace(name, error), message: error.message, expected: "" })
      }
    }
    this.#staged = problems.length > 0 ? [] : staged
    collect(staged.filter(list => !this.#live.includes(list)))
    return {
      problems,
      commit: () => {
        this.#live = staged
        this.#staged = []
        // What only the former config had can go.
        this.#workers().broadcast({ type: "lists", lists: this.shared, whole: true })
      },
      undo: () => {
        this.#staged = []
      },
    }
  }

  /** Looks at the files of all lists. One look at a time; `forced` ones are not lost. */
  look(forced: boolean): Promise<void> {
    this.#forced ||= forced
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = null
      if (this.#forced) void this.look(true)
    })
    return this.#looking
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #lookAtAll(): Promise<void> {
    const forced = this.#forced
    this.#forced = false
    for (const list of this.#live) {
      try {
        await this.#lookAt(list, forced)
      } catch (error) {
        this.#log.error("a list cannot be looked at", { list: list.name, error })
      }
    }
  }

  async #lookAt(list: KeptList, forced: boolean): Promise<void> {
    const former = list.loaded.memory
    const look = await list.look(forced)
    if (look === "same") return
    const { name, loaded, error } = list
    const entries = loaded.entries
    if (look === "back") this.#log.info("the files of a list are what is in force again", { list: name, entries })
    else if (look === "replaced") {
      this.#workers().broadcast({ type: "lists", lists: [list.shared], whole: false })
      this.#log.info("a list was read again", { list: name, entries, version: list.version, tookMs: list.tookMs })
      // A worker that does not answer may still look into it: then it is the collector's.
      if (await this.#workers().heard()) list.spare = former
      collect([list])
    } else
      this.#log.warn("a list cannot be replaced; its last version stays", {
        list: name,
        reason: error,
        entries,
        loadedAt: new Date(list.loadedAt).toISOString(),
      })
  }
}

function collect(read: readonly KeptList[]): void {
  if (read.some(({ loaded }) => loaded.entries >= COLLECT_ENTRIES_MIN)) Bun.gc(true)
}
