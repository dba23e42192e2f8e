// HOT
import type { Fault } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { Time } from "../http/index.ts"
import { Note } from "./note.ts"
import { PassedUrls } from "./passed-urls.ts"
import type { Fetch } from "./fetch.ts"
import type { MemoryEntry, MemoryStore } from "./store/contract.ts"
import type { AttachedDiskStore } from "./store/disk/disk-contract.ts"
import type { Key } from "./store/key.ts"
import type { StoredHead } from "./stored.ts"

/** Notes that a thread keeps of entries, so that it reads their heads once. */
const NOTES_MAX = 8192
const ENDINGS_MAX = 1024
const USES_MAX = 65_536

/** How a fetch ended that others waited for and got nothing from. */
interface Ending {
  /** null = with an answer that cannot be stored. */
  readonly fault: Fault | null
  readonly at: number
}

/** One cache of the config in one thread: the stores that all threads share, and what this thread knows of them. */
export class CacheStore {
  readonly name: string
  readonly memory: MemoryStore
  /** Second level; null = none. */
  readonly disk: AttachedDiskStore | null
  /** What goes upstream most, and why. */
  readonly passed = new PassedUrls()
  readonly notes = new Map<string, Note>()
  private readonly time: Time
  private readonly fetches = new Map<number, Fetch>()
  private readonly endings = new Map<string, Ending>()
  private readonly uses = new Map<number, number>()

  constructor(name: string, memory: MemoryStore, disk: AttachedDiskStore | null, time: Time) {
    this.name = name
    this.memory = memory
    this.disk = disk
    this.time = time
  }

  note(key: Key, entry: MemoryEntry, stored: StoredHead): void {
    if (this.notes.size >= NOTES_MAX) this.notes.clear()
    this.notes.set(key.text, new Note(key, entry.place, entry.generation, stored))
  }

  // ---- fetches of this thread, by the place of the entry that they fill

  fetchBegins(place: number, fetch: Fetch): void {
    this.fetches.set(place, fetch)
  }

  fetchEnds(place: number, fetch: Fetch): void {
    if (this.fetches.get(place) === fetch) this.fetches.delete(place)
  }

  fetchOf(entry: MemoryEntry): Fetch | null {
    const fetch = this.fetches.get(entry.place)
    return fetch?.fills(entry) ? fetch : null
  }

  isFetchedHere(entry: MemoryEntry): boolean {
    return this.fetchOf(entry) !== null
  }

  // ---- fetches that gave nothing lately: who waited for one does not try again behind all the others

  /** A fetch for this key ended with a fault, or (null) with an answer that nobody else may have. */
  endedEmpty(key: Key, fault: Fault | null): void {
    if (this.endings.size >= ENDINGS_MAX) this.endings.clear()
    this.endings.set(key.text, { fault, at: this.time.clock.now() })
  }

  /** How a fetch for this key ended after this request came, or null. */
  endingSince(key: Key, x: Exchange): Ending | null {
    const ending = this.endings.get(key.text)
    return ending === undefined || ending.at < x.startedAt || x.startedAt === 0 ? null : ending
  }

  endedWell(key: Key): void {
    if (this.endings.size > 0) this.endings.delete(key.text)
  }

  /** Counts a request for what is not stored; true from the n-th on. */
  usedOften(key: Key, n: number): boolean {
    if (n <= 1) return true
    const uses = (this.uses.get(key.hash) ?? 0) + 1
    if (this.uses.size >= USES_MAX) this.uses.clear()
    this.uses.set(key.hash, uses)
    return uses >= n
  }
}
