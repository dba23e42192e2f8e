import { NameSet } from "../../base/index.ts"
import { type ListConfig, ListError, type LoadedList, loadListSlowly } from "../../config/index.ts"
import { listKey, type SharedList } from "./shared-list.ts"
import { WatchedPaths } from "./watched-paths.ts"

/** Below this a list is written by hand, and any change of it is meant. */
const SHRINK_ENTRIES_MIN = 1000

const FIRST_TRIES = 5
const FIRST_PAUSE_MS = 300

/** What came of a look at a list's files. */
export type Look = "same" | "replaced" | "refused" | "back"

/** One list of a config: the version that is live, and what became of its files since. */
export class KeptList {
  readonly name: string
  readonly config: ListConfig
  readonly key: string
  loaded: LoadedList
  set: NameSet
  version = 1
  /** Milliseconds since 1970 UTC. */
  loadedAt = Date.now()
  tookMs: number
  /** Versions that were refused since the start. */
  failures = 0
  /** Why what the files hold now is not what is live; "" = it is. */
  error = ""
  errorAt = 0
  /** Memory of a former version that nobody looks into any more, for the next one. */
  spare: SharedArrayBuffer | null = null
  private readonly watched: WatchedPaths

  private constructor(name: string, config: ListConfig, read: { loaded: LoadedList; tookMs: number; watched: WatchedPaths }) {
    this.name = name
    this.config = config
    this.key = listKey(name, config)
    this.loaded = read.loaded
    this.tookMs = read.tookMs
    this.set = new NameSet(read.loaded.memory)
    this.watched = read.watched
  }

  /** Reads it for the first time. Rejects with ListError. */
  static async load(name: string, config: ListConfig): Promise<KeptList> {
    // In this order: what changes while it is read shows as a change afterwards.
    const watched = new WatchedPaths(config.files ?? [])
    const from = performance.now()
    const loaded = await loadFirst(config)
    return new KeptList(name, config, { loaded, tookMs: Math.round(performance.now() - from), watched })
  }

  get shared(): SharedList {
    return { key: this.key, version: this.version, memory: this.loaded.memory }
  }

  /** Reads the files again where they have changed. `forced`: somebody asked, and also takes a version that has lost many names. */
  async look(forced: boolean): Promise<Look> {
    if (this.config.files === null) return "same"
    if (!this.watched.look(forced)) return this.unread()
    const from = performance.now()
    try {
      const loaded = await loadListSlowly(this.config, this.spare)
      const shrunk = forced ? "" : this.shrinkTrouble(loaded)
      if (shrunk !== "") return this.refuse(shrunk)
      return this.take(loaded, Math.round(performance.now() - from))
    } catch (error) {
      if (!(error instanceof ListError)) throw error
      if (error.passing) return "same"
      return this.refuse(error.message)
    }
  }

  /** There is nothing to read: a file is gone, or what is there is what is in force. */
  private unread(): Look {
    if (this.watched.justGone) return this.refuse("a file of the list is gone")
    if (this.error === "" || !this.watched.isTaken) return "same"
    this.error = ""
    this.errorAt = 0
    return "back"
  }

  private take(loaded: LoadedList, tookMs: number): Look {
    this.watched.take()
    if (loaded.memory === this.spare) this.spare = null
    this.loaded = loaded
    this.set = new NameSet(loaded.memory)
    this.version++
    this.loadedAt = Date.now()
    this.tookMs = tookMs
    this.error = ""
    this.errorAt = 0
    return "replaced"
  }

  private refuse(reason: string): Look {
    this.watched.refuse()
    this.failures++
    this.error = reason
    this.errorAt = Date.now()
    return "refused"
  }

  private shrinkTrouble({ entries }: LoadedList): string {
    const before = this.loaded.entries
    const { shrinkMax } = this.config
    if (before < SHRINK_ENTRIES_MIN || entries >= before * (1 - shrinkMax)) return ""
    return `it has ${entries} names where it had ${before}; shrinkMax is ${Math.round(shrinkMax * 100)}% (bothways reload takes it)`
  }
}

/** A file that is being replaced just now is whole in a moment. */
async function loadFirst(config: ListConfig): Promise<LoadedList> {
  for (let left = FIRST_TRIES; ; left--) {
    try {
      return await loadListSlowly(config)
    } catch (error) {
      if (left <= 1 || !(error instanceof ListError) || !error.passing) throw error
      await new Promise(resolve => setTimeout(resolve, FIRST_PAUSE_MS))
    }
  }
}
