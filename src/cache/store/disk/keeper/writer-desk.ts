import { temporaryPathOf } from "../entry-name.ts"
import { roundUp } from "../file-layout.ts"
import type { FromWorker } from "../messages.ts"
import { NO_WRITES } from "../shared-state.ts"
import type { KeeperContext } from "./keeper-context.ts"
import type { WriterRecord } from "./writer-book.ts"

type Message<Type extends FromWorker["type"]> = Extract<FromWorker, { type: Type }>

/** Where writers get their room, and become entries. */
export class WriterDesk {
  private readonly keeper: KeeperContext

  constructor(keeper: KeeperContext) {
    this.keeper = keeper
  }

  begin(self: number, { ticket, epoch, key, groupLength, labels, bytes }: Message<"begin">): void {
    const { shared, ports } = this.keeper
    const record = { ticket, self, epoch, key, groupLength, labels, reserved: 0, doomed: false }
    if ((shared.flags() & NO_WRITES) === 0 && this.admit(record, bytes)) return ports.post(self, { type: "granted", ticket, bytes: record.reserved })
    shared.count("refused")
    ports.post(self, { type: "refused", ticket })
  }

  /** Sets room aside for one more writer. */
  admit(record: WriterRecord, bytes: number): boolean {
    const { folder, budget, book } = this.keeper
    const reserved = roundUp(bytes)
    if (folder === null || !folder.shelf.makeRoom(reserved, 1)) return false
    record.reserved = reserved
    budget.reserved += reserved
    budget.writers++
    book.add(record)
    return true
  }

  grow(self: number, { ticket, bytes }: Message<"grow">): void {
    const { folder, budget, book, ports, shared } = this.keeper
    const record = book.get(ticket)
    const more = record === undefined ? 0 : Math.max(0, roundUp(bytes) - record.reserved)
    if (record === undefined || folder === null || !folder.shelf.makeRoom(more, 0)) {
      // What it has stays set aside until it says that it has stopped: something may be on its way to the file.
      shared.count("refused")
      return ports.post(self, { type: "refused", ticket })
    }
    record.reserved += more
    budget.reserved += more
    ports.post(self, { type: "granted", ticket, bytes: record.reserved })
  }

  commit(self: number, { ticket, bytes }: Message<"commit">): void {
    let stored = false
    try {
      stored = this.store(ticket, bytes)
    } finally {
      this.keeper.budget.publish(this.keeper.shared)
      this.keeper.ports.post(self, { type: "committed", ticket, stored })
    }
  }

  /** The writer is done: its file becomes an entry, or goes. */
  store(ticket: number, bytes: number): boolean {
    const { folder, files, settings, shared, book } = this.keeper
    const record = book.get(ticket)
    if (record === undefined || folder === null) return false
    this.letGo(record)
    const path = temporaryPathOf(settings.path, ticket)
    const fits = roundUp(bytes) <= record.reserved && files.stat(path)?.size === bytes
    if (record.doomed || !fits) {
      shared.count(record.doomed ? "doomed" : "writeFaults")
      files.unlink(path)
      return false
    }
    folder.shelf.put({ key: record.key, groupLength: record.groupLength, labels: record.labels, path, size: bytes })
    shared.count("stored")
    return true
  }

  abort(ticket: number): void {
    const record = this.keeper.book.get(ticket)
    if (record === undefined) return
    this.keeper.files.unlink(temporaryPathOf(this.keeper.settings.path, ticket))
    this.letGo(record)
  }

  /** The worker is gone, or wants no more. */
  abortAll(self: number): void {
    const { book, files, settings } = this.keeper
    for (const record of [...book.all()]) {
      if (record.self !== self) continue
      // A thread that is gone leaves its files open: take the octets out of them.
      files.empty(temporaryPathOf(settings.path, record.ticket))
      this.abort(record.ticket)
    }
  }

  /** The disk is left alone: all writers are over, whatever becomes of their files. */
  refuseAll(): void {
    const { book, ports } = this.keeper
    for (const record of [...book.all()]) {
      ports.post(record.self, { type: "refused", ticket: record.ticket })
      this.letGo(record)
    }
  }

  private letGo(record: WriterRecord): void {
    const { book, budget } = this.keeper
    book.remove(record.ticket)
    budget.reserved -= record.reserved
    budget.writers--
  }
}
