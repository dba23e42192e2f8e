import { folderOf, nameOf, pathOf } from "../entry-name.ts"
import {
  bodyStart,
  bodyStartOf,
  decodeHeader,
  decodeSlots,
  type EntryFacts,
  FIXED,
  isMarked,
  MARK_AT,
  roundUp,
  type SlotContent,
  storedBytes,
} from "../file-layout.ts"
import { KeyIndex } from "../key-index.ts"
import type { SharedState } from "../shared-state.ts"
import type { Budget } from "./budget.ts"
import type { EntryDatabase, EntryRow } from "./entry-database.ts"
import { Ghosts } from "./ghosts.ts"
import type { KeeperFiles } from "./keeper-files.ts"
import type { PurgeRules } from "./purge-rules.ts"

const FIRST_READ = 4096
/** Entries that get another round before one is evicted all the same. */
const ROUNDS_MAX = 64
/** The share of the room that new entries have to themselves, and how many evicted ones are remembered for each that may be there. */
const NEW_SHARE = 0.1
const GHOSTS_SHARE = 0.5
const GHOSTS_MAX = 262_144

const unreadable = new Set(["EIO", "EACCES", "EPERM", "ELOOP", "ENOENT", "ENXIO"])

/** An entry's file as it says itself. */
export interface FileContent {
  readonly facts: EntryFacts
  readonly slot: SlotContent & { readonly place: 0 | 1 }
  readonly marked: boolean
  /** Of the file. */
  readonly size: number
}

/** What a writer leaves behind, to become an entry. */
export interface Delivery {
  readonly key: string
  readonly groupLength: number
  readonly labels: readonly string[]
  /** Its file, and the octets of it. */
  readonly path: string
  readonly size: number
}

/** The entries: files, index and table of keys, kept in step. All of it waits for the disk and throws what the disk throws. */
export class EntryShelf {
  readonly budget: Budget
  readonly database: EntryDatabase
  private readonly root: string
  private readonly files: KeeperFiles
  private readonly shared: SharedState
  private readonly keys: KeyIndex
  private readonly ghosts: Ghosts
  /** Rows of a former life stand in the table of keys up to this one … */
  private loadedTo = 0
  /** … and this is the last of them. */
  private readonly lastOld: number

  constructor(place: { root: string; files: KeeperFiles; shared: SharedState; keySeed: number }, database: EntryDatabase, budget: Budget) {
    this.root = place.root
    this.files = place.files
    this.shared = place.shared
    this.database = database
    this.budget = budget
    this.keys = new KeyIndex(place.shared.keyWords, place.keySeed)
    this.keys.clear()
    this.ghosts = new Ghosts(Math.min(GHOSTS_MAX, Math.ceil(budget.entriesMax * GHOSTS_SHARE)))
    const { entries, bytes } = database.totals()
    budget.clear()
    budget.entries = entries
    budget.bytes[0] = bytes[0]
    budget.bytes[1] = bytes[1]
    this.lastOld = database.lastId()
  }

  /** Puts more of the index into the table of keys. False = that was all. */
  loadMore(count: number): boolean {
    const rows = this.database.slice(this.loadedTo, this.lastOld, count)
    for (const row of rows) this.keys.add(row.key)
    this.loadedTo = rows.at(-1)?.id ?? this.lastOld
    return rows.length > 0
  }

  /** Makes room by evicting. False = there is none. */
  makeRoom(bytes: number, entries: number): boolean {
    if (!this.budget.couldFit(bytes, entries)) return false
    if (this.budget.fits(bytes, entries)) return true
    return this.database.transact(() => {
      while (!this.budget.fits(bytes, entries)) if (!this.evictOne()) return false
      return true
    })
  }

  /** S3-FIFO: new entries that nobody uses go first; used ones move on to the main queue, where each use is worth another round. */
  evictOne(): boolean {
    const { budget, database } = this
    for (let round = 0; ; round++) {
      const from = budget.bytes[0] > budget.used * NEW_SHARE ? 0 : 1
      const row = database.first(from) ?? database.first(from === 0 ? 1 : 0)
      if (row === null) return false
      if (row.uses > 0 && round < ROUNDS_MAX) {
        if (row.queue === 0) budget.move(row.bytes, 1)
        database.move(row, 1, row.queue === 0 ? 0 : row.uses - 1)
        continue
      }
      if (row.queue === 0) this.ghosts.add(row.name)
      this.drop(row)
      this.shared.count("evicted")
      return true
    }
  }

  /** Evicts until the entries take no more than so much. */
  shrink(bytes: number): void {
    this.database.transact(() => {
      while (this.budget.used > bytes && this.evictOne());
    })
  }

  /** The file goes first: a row without a file is found at the next start, and takes no room. */
  drop(row: EntryRow): void {
    this.files.unlink(pathOf(this.root, row.name))
    this.forget(row)
  }

  /** The file is gone already. */
  forget(row: EntryRow): void {
    this.database.transact(() => this.database.remove(row))
    if (this.isLoaded(row)) this.keys.remove(row.key)
    this.budget.take(row.queue, row.bytes)
  }

  private isLoaded(row: EntryRow): boolean {
    return row.id <= this.loadedTo || row.id > this.lastOld
  }

  /** A soft purge; one octet, so that it is there or not. False = the file is gone, and so is the entry. */
  mark(row: EntryRow): boolean {
    try {
      this.files.writeAt(pathOf(this.root, row.name), new Uint8Array([1]), MARK_AT)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
      this.forget(row)
      return false
    }
  }

  /**
   * A written file becomes the entry of its key. Row, then rename: whatever ends this in between, the row is at least what is there, and pending: the next start
   * looks at the file. The writer's reservation covers the file until here; the caller gives it back before.
   */
  put(delivery: Delivery): void {
    const name = nameOf(delivery.key)
    const { key, groupLength, labels } = delivery
    const bytes = roundUp(delivery.size)
    const old = this.database.find(name)
    const queue = old !== null ? old.queue : this.ghosts.take(name) ? 1 : 0
    this.database.transact(() => {
      if (old !== null) this.database.remove(old)
      this.database.insert({ name, key, groupLength, bytes, queue, labels })
    })
    this.rename(delivery.path, name)
    if (old !== null) this.budget.take(old.queue, old.bytes)
    if (old === null || !this.isLoaded(old)) this.keys.add(key)
    this.budget.add(queue, bytes)
  }

  private rename(from: string, name: string): void {
    const to = pathOf(this.root, name)
    try {
      this.files.rename(from, to)
    } catch (error) {
      if (this.files.stat(from) === null) throw error
      this.files.mkdir(folderOf(this.root, name))
      // Somebody's folder may have the name of the file.
      if (this.files.stat(to)?.folder === true) this.files.unlink(to)
      this.files.rename(from, to)
    }
  }

  /** A file without a row becomes an entry again, when it is whole and there is room. Answers whether it did; if not, it is gone. */
  adopt(name: string, rules: PurgeRules | null): boolean {
    const path = pathOf(this.root, name)
    const content = this.inspect(name)
    const verdict = content === null ? "remove" : (rules?.fateOf({ ...content.facts, labels: content.slot.labels }) ?? "keep")
    if (content === null) this.shared.count("damageFaults")
    if (content === null || verdict === "remove" || !this.budget.fits(roundUp(content.size), 1)) {
      this.files.unlink(path)
      return false
    }
    if (verdict === "mark" && !content.marked) this.files.writeAt(path, new Uint8Array([1]), MARK_AT)
    const { facts, slot } = content
    const bytes = roundUp(content.size)
    this.database.transact(() => this.database.insert({ name, key: facts.key, groupLength: facts.groupLength, bytes, queue: 0, labels: slot.labels }))
    this.keys.add(facts.key)
    this.budget.add(0, bytes)
    return true
  }

  /** What the file of this name says, all but the body checked; null = damaged, or none. */
  inspect(name: string): FileContent | null {
    try {
      return this.readContent(name)
    } catch (error) {
      // One file that cannot be read is a damaged file; when it is the disk, the next call says so.
      if (unreadable.has((error as NodeJS.ErrnoException).code ?? "")) return null
      throw error
    }
  }

  private readContent(name: string): FileContent | null {
    const path = pathOf(this.root, name)
    const stat = this.files.stat(path)
    if (stat === null || !stat.plain) return null
    let octets = this.files.read(path, 0, FIRST_READ)
    const start = bodyStartOf(octets)
    if (octets.length < FIXED || start < 0 || start > stat.size) return null
    if (start > octets.length) octets = this.files.read(path, 0, start)
    const facts = decodeHeader(octets)
    const slot = facts === null ? null : decodeSlots(facts, octets)
    if (facts === null || slot === null || facts.bodyLength < 0 || nameOf(facts.key) !== name) return null
    if (stat.size !== bodyStart(facts) + storedBytes(facts.bodyLength)) return null
    return { facts, slot, marked: isMarked(octets), size: stat.size }
  }
}
