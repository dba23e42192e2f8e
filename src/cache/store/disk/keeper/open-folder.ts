import { log } from "../../../../base/index.ts"
import type { DiskSettings } from "../disk-contract.ts"
import { ENTRIES, pathOf, TEMPORARY } from "../entry-name.ts"
import type { SharedState } from "../shared-state.ts"
import type { Budget } from "./budget.ts"
import { EntryDatabase, type EntryRow } from "./entry-database.ts"
import { EntryShelf } from "./entry-shelf.ts"
import { FolderLock, INDEX, prepareFolder } from "./folder.ts"
import type { KeeperFiles } from "./keeper-files.ts"
import { PurgeRules } from "./purge-rules.ts"

const DATABASE = `${INDEX}sqlite`
/** Where an index goes that cannot be used, for whoever wants to know why. The next one replaces it. */
const ASIDE = `${INDEX}broken`
const SUFFIXES = ["", "-wal", "-shm"]
const temporaryPattern = /^-?[0-9]+$/

export interface FolderPlace {
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: KeeperFiles
  readonly budget: Budget
}

/** The folder, locked and with its index open. Throws when it cannot be; `DiskStoreError` when waiting does not help. */
export class OpenFolder {
  readonly shelf: EntryShelf
  readonly rules: PurgeRules
  /** The index may not know all files: the room they take has to be found before anything is written. */
  readonly unsure: boolean
  /** All of the index stands in the table of keys. */
  loaded = false
  /** The scan was all over the files. */
  scanned = false
  readonly root: string
  readonly files: KeeperFiles
  private readonly lock: FolderLock
  private readonly database: EntryDatabase
  private readonly identity: string

  constructor(place: FolderPlace, distrusted: boolean) {
    this.root = place.settings.path
    this.files = place.files
    prepareFolder(this.files, this.root)
    this.lock = new FolderLock(this.files, this.root)
    let database: EntryDatabase | null = null
    try {
      this.clearTemporary(() => false)
      database = this.openDatabase(distrusted)
      if (isUnsure(this.files, database) && !database.fresh && !database.isSound()) {
        database.close()
        database = this.openDatabase(true)
      }
      this.database = database
      this.unsure = database.fresh ? this.files.list(`${this.root}/${ENTRIES}`).length > 0 : isUnsure(this.files, database)
      database.setFact("boot", bootOf(this.files))
      database.setFact("clean", "")
      const pending = database.pending()
      this.removeRows(pending)
      this.shelf = new EntryShelf({ ...place, root: this.root, keySeed: place.settings.keySeed }, database, place.budget)
      this.rules = new PurgeRules(database)
      for (const { name } of pending) {
        // No rules: the index knew it, and so did each purge.
        if (this.files.stat(pathOf(this.root, name)) !== null) this.shelf.adopt(name, null)
      }
      this.identity = this.identify()
    } catch (error) {
      database?.close()
      this.lock.release()
      throw error
    }
  }

  private removeRows(rows: readonly EntryRow[]): void {
    this.database.transact(() => {
      for (const row of rows) this.database.remove(row)
    })
  }

  /** Whether the folder that was opened is still the one under this name. */
  isThere(): boolean {
    return this.identify() === this.identity
  }

  /** Removes files of writers that are no more. */
  clearTemporary(keeps: (ticket: number) => boolean): void {
    for (const name of this.files.list(`${this.root}/${TEMPORARY}`)) {
      if (temporaryPattern.test(name) && !keeps(Number(name))) this.files.unlink(`${this.root}/${TEMPORARY}/${name}`)
    }
  }

  /** `clean`: the next start may believe the index, whatever happens to the machine meanwhile. */
  close(clean: boolean): void {
    try {
      if (clean) {
        this.database.settle()
        if (this.scanned || !this.unsure) this.database.setFact("clean", "yes")
      }
    } finally {
      this.closeDatabase()
      this.lock.release()
    }
  }

  private closeDatabase(): void {
    try {
      this.database.close()
    } catch (error) {
      log.warn("cache", "the disk store's index does not close", { path: this.root, error })
    }
  }

  private openDatabase(distrusted: boolean): EntryDatabase {
    const path = `${this.root}/${DATABASE}`
    if (distrusted) this.setAside("it is damaged")
    try {
      return this.tryDatabase(path)
    } catch (error) {
      if (!isOfTheFile(error)) throw error
      this.setAside((error as Error).message)
      return this.tryDatabase(path)
    }
  }

  private tryDatabase(path: string): EntryDatabase {
    const database = new EntryDatabase(path)
    for (const suffix of SUFFIXES) if (this.files.stat(path + suffix) !== null) this.files.chmod(path + suffix, 0o600)
    return database
  }

  private setAside(why: string): void {
    log.warn("cache", "the disk store's index cannot be used: it is set aside, and made anew from the files", {
      path: `${this.root}/${DATABASE}`,
      why,
    })
    for (const suffix of SUFFIXES) {
      this.files.unlink(`${this.root}/${ASIDE}${suffix}`)
      if (this.files.stat(`${this.root}/${DATABASE}${suffix}`) !== null) {
        this.files.rename(`${this.root}/${DATABASE}${suffix}`, `${this.root}/${ASIDE}${suffix}`)
      }
    }
  }

  private identify(): string {
    const folder = this.files.stat(this.root)
    const entries = this.files.stat(`${this.root}/${ENTRIES}`)
    const database = this.files.stat(`${this.root}/${DATABASE}`)
    return [folder, entries, database].map(each => (each === null ? "" : `${each.dev}:${each.ino}`)).join()
  }
}

/** SQLite's words for: damaged (11), not a database (26), locked by somebody (5, 6), of another form (no code). Others are the disk's. */
function isOfTheFile(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode === undefined || [5, 6, 11, 26].includes(errcode & 0xff)
}

/** Whether the machine ended before the store did: what a process wrote outlives the process, not the machine. */
function isUnsure(files: KeeperFiles, database: EntryDatabase): boolean {
  const boot = bootOf(files)
  return database.fact("clean") !== "yes" && (boot === "" || boot !== database.fact("boot"))
}

/** Differs with each start of the machine; "" = not known. */
function bootOf(files: KeeperFiles): string {
  try {
    return files.text("/proc/sys/kernel/random/boot_id").trim()
  } catch {
    return ""
  }
}
