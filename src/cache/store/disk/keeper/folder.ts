import { DatabaseSync } from "node:sqlite"
import { ENTRIES, TEMPORARY } from "../entry-name.ts"
import type { KeeperFiles } from "./keeper-files.ts"

/** The folder cannot be used, and waiting does not help: for the operator. */
export class DiskStoreError extends Error {
  override name = "DiskStoreError"
}

const LOCK = "lock"
/** The index, and what SQLite puts beside it. */
export const INDEX = "index."
/** Ours, and what a new file system brings along. */
const HARMLESS = new Set([ENTRIES, TEMPORARY, LOCK, "lost+found"])
const hopeless = new Set(["EACCES", "EPERM", "ENOTDIR", "EEXIST", "ENAMETOOLONG", "ELOOP", "EROFS"])

/** Makes the folder, for the owner alone. Refuses one that holds other things: what is in it will be removed one day. */
export function prepareFolder(files: KeeperFiles, path: string): void {
  try {
    files.mkdir(path)
    const names = files.list(path)
    const foreign = names.find(name => !HARMLESS.has(name) && !name.startsWith(INDEX))
    if (foreign !== undefined && !names.includes(LOCK)) {
      throw new DiskStoreError(`${path}: the folder holds other things ("${foreign}"); the disk store needs one to itself`)
    }
    files.chmod(path, 0o700)
    files.mkdir(`${path}/${ENTRIES}`)
    files.mkdir(`${path}/${TEMPORARY}`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && hopeless.has(code)) throw new DiskStoreError(`${path}: the folder cannot be used: ${(error as Error).message}`)
    throw error
  }
}

/**
 * Keeps others out for as long as it is held. It is SQLite's lock on an empty file, which is the kernel's: it is gone with the process, however that ends.
 * Nothing else may open the file: closing any descriptor of it would let the lock go.
 */
export class FolderLock {
  private readonly database: DatabaseSync

  constructor(files: KeeperFiles, path: string) {
    const file = `${path}/${LOCK}`
    this.database = new DatabaseSync(file)
    try {
      files.chmod(file, 0o600)
      this.database.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE")
    } catch (error) {
      this.database.close()
      const { errcode, message } = error as { errcode?: number; message: string }
      if (errcode === SQLITE_BUSY) throw new DiskStoreError(`${path}: another process uses this folder`)
      if (errcode === SQLITE_NOTADB) throw new DiskStoreError(`${file}: it is no lock file of a disk store; take it away`)
      throw new Error(`${file}: ${message}`)
    }
  }

  release(): void {
    this.database.close()
  }
}

const SQLITE_BUSY = 5
const SQLITE_NOTADB = 26
