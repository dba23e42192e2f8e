import { closeSync } from "node:fs"
import type { DiskSettings } from "../disk-contract.ts"
import { nameOf, pathOf } from "../entry-name.ts"
import type { FromControl, FromWorker, ToControl } from "../messages.ts"
import { CLOSED, NO_LOOKUPS, NO_WRITES, SharedState } from "../shared-state.ts"
import { Budget } from "./budget.ts"
import { DiskStoreError } from "./folder.ts"
import { FolderLife, type FolderOwner } from "./folder-life.ts"
import { HeadDesk } from "./head-desk.ts"
import type { KeeperContext } from "./keeper-context.ts"
import type { KeeperFiles } from "./keeper-files.ts"
import type { OpenFolder } from "./open-folder.ts"
import { AwayError, PurgeDesk } from "./purge-desk.ts"
import { WorkerPorts } from "./worker-ports.ts"
import { WriterBook } from "./writer-book.ts"
import { WriterDesk } from "./writer-desk.ts"

/** Rows of entries are settled so long after their files have their names. */
const SETTLE_MS = 200
/** What a dead worker had begun may still happen to its files. */
const LATE_MS = 2000

/**
 * The keeper: the one that knows the index, gives room to writers and takes it back, removes, and looks after the folder. It has a thread to itself and may wait
 * for the disk. All that changes names in the folder happens here, one after the other.
 */
export class DiskKeeper implements KeeperContext, FolderOwner {
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: KeeperFiles
  readonly budget: Budget
  readonly book = new WriterBook()
  readonly ports: WorkerPorts
  private readonly tell: (message: ToControl) => void
  private readonly writers: WriterDesk
  private readonly purges: PurgeDesk
  private readonly heads: HeadDesk
  private readonly life: FolderLife

  constructor(settings: DiskSettings, shared: SharedArrayBuffer, tell: (message: ToControl) => void, files: KeeperFiles) {
    this.settings = settings
    this.shared = new SharedState(settings, shared)
    this.files = files
    this.tell = tell
    this.budget = new Budget(settings.bytes, settings.entriesMax)
    this.ports = new WorkerPorts(this.shared, this.book, (self, message) => this.hearWorker(self, message))
    this.writers = new WriterDesk(this)
    this.purges = new PurgeDesk(this)
    this.heads = new HeadDesk(this, this.writers)
    this.life = new FolderLife(this, this)
  }

  get folder(): OpenFolder | null {
    return this.life.folder
  }

  start(): void {
    try {
      this.life.open()
    } catch (error) {
      if (error instanceof DiskStoreError) return this.tell({ type: "failed", message: error.message })
      this.life.goAway(error)
    }
    this.budget.publish(this.shared)
    this.tell({ type: "opened" })
  }

  hearControl(message: FromControl): void {
    switch (message.type) {
      case "attach":
        return this.ports.attach(message.self, message.port)
      case "lost":
        return this.workerLost(message.self, message.open)
      case "purge": {
        const { call, target, epoch, mark } = message
        return this.answer(call, this.purges.purge(target, epoch, mark), count => ({ type: "purged", call, count }))
      }
      case "list": {
        const { call, filter, limit } = message
        return this.answer(call, this.purges.list(filter, limit), entries => ({ type: "listed", call, entries }))
      }
      case "close":
        return this.close()
    }
  }

  hideUnknown(): void {
    this.life.hideUnknown()
  }

  get owes(): boolean {
    return this.purges.owes
  }

  payOwed(folder: OpenFolder): Promise<void> {
    return this.purges.payOwed(folder)
  }

  away(): void {
    this.writers.refuseAll()
  }

  isWriting(ticket: number): boolean {
    return this.book.get(ticket) !== undefined
  }

  private hearWorker(self: number, message: FromWorker): void {
    try {
      this.serve(self, message)
    } catch (error) {
      this.caught(error)
    }
    this.budget.publish(this.shared)
  }

  private serve(self: number, message: FromWorker): void {
    switch (message.type) {
      case "begin":
        return this.writers.begin(self, message)
      case "grow":
        return this.writers.grow(self, message)
      case "commit":
        this.life.later("settle", SETTLE_MS, this.settle)
        return this.writers.commit(self, message)
      case "abort":
        return this.writers.abort(message.ticket)
      case "touch":
        return this.folder?.shelf.database.touch(message.names)
      case "remove":
        return this.answerWorker(self, message.call, this.purges.purge({ by: "key", key: message.key }, message.epoch, false))
      case "purge":
        return this.answerWorker(self, message.call, this.purges.purge(message.target, message.epoch, message.mark))
      case "head":
        return this.answerWorker(self, message.call, this.heads.update(message).then(Number))
      case "missing":
        return this.fileMissing(message.key)
      case "damaged":
        return this.fileDamaged(message.name, message.ino)
      case "trouble":
        return message.writing ? this.life.cannotWrite(message.code) : this.life.cannotRead(message.code)
      case "pong":
        return this.ports.pong(self, message.epoch)
      case "detach":
        this.writers.abortAll(self)
        return this.ports.detach(self)
    }
  }

  private answer<T>(call: number, work: Promise<T>, message: (value: T) => ToControl): void {
    work.then(
      value => {
        this.budget.publish(this.shared)
        this.tell(message(value))
      },
      (error: Error) => {
        this.caught(error)
        this.tell({ type: "refused", call, message: error.message })
      },
    )
  }

  private answerWorker(self: number, call: number, work: Promise<number>): void {
    work.then(
      value => {
        this.budget.publish(this.shared)
        this.ports.post(self, { type: "answer", call, value })
      },
      (error: Error) => {
        this.caught(error)
        this.ports.post(self, { type: "answer", call, value: 0 })
      },
    )
  }

  private caught(error: unknown): void {
    if (!(error instanceof AwayError)) this.life.goAway(error)
  }

  /** A look-up found no file. */
  private fileMissing(key: string): void {
    const { folder } = this
    const row = folder?.shelf.database.find(nameOf(key)) ?? null
    if (folder === null || row === null || this.files.stat(pathOf(folder.root, row.name)) !== null) return
    if (folder.isThere()) folder.shelf.forget(row)
    else this.life.goAway(new Error("the folder is not what it was"))
  }

  /** A look-up found a damaged file; by now it may be another one. */
  private fileDamaged(name: string, ino: number): void {
    const { folder } = this
    const stat = folder === null ? null : this.files.stat(pathOf(folder.root, name))
    if (folder === null || stat === null || (ino === -1 ? stat.plain : stat.ino !== ino)) return
    const row = folder.shelf.database.find(name)
    if (row !== null) folder.shelf.drop(row)
    else this.files.unlink(pathOf(folder.root, name))
  }

  private workerLost(self: number, open: readonly number[]): void {
    try {
      this.writers.abortAll(self)
    } catch (error) {
      this.caught(error)
    }
    this.ports.detach(self)
    this.budget.publish(this.shared)
    setTimeout(() => this.cleanUpAfter(open), LATE_MS)
  }

  /** Not before the calls are over that the thread had under way: their descriptors would be somebody else's. */
  private cleanUpAfter(open: readonly number[]): void {
    for (const fd of open) {
      try {
        closeSync(fd)
      } catch {
        // It was closed, and there was no time to say so.
      }
    }
    this.folder?.clearTemporary(ticket => this.isWriting(ticket))
  }

  private readonly settle = (): void => this.folder?.shelf.database.settle()

  private close(): void {
    this.shared.setFlags(CLOSED | NO_LOOKUPS | NO_WRITES)
    this.shared.setState("closed")
    try {
      for (const record of [...this.book.all()]) this.writers.abort(record.ticket)
      this.life.close()
    } catch {
      // It is over either way; the next start looks all files over.
    }
    this.ports.closeAll()
    this.tell({ type: "closed" })
  }
}
