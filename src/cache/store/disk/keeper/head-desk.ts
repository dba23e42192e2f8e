import { nameOf, pathOf, temporaryPathOf } from "../entry-name.ts"
import { bodyStart, type EntryFacts, encodeHeader, encodeLabels, encodeSlot, fitsSlot, MARK_AT, slotBytesFor, slotsStart } from "../file-layout.ts"
import type { FromWorker } from "../messages.ts"
import { NO_WRITES } from "../shared-state.ts"
import type { EntryRow } from "./entry-database.ts"
import type { FileContent } from "./entry-shelf.ts"
import { type KeeperContext, nextTurn } from "./keeper-context.ts"
import type { OpenFolder } from "./open-folder.ts"
import type { WriterDesk } from "./writer-desk.ts"

const COPY_BYTES = 1_048_576
/** Entries copied at a time for the sake of a longer head. */
const COPIES_MAX = 8

type HeadMessage = Extract<FromWorker, { type: "head" }>

/** Where entries get a new head: into the spare slot of the file, or, when it is too long for that, into a copy. */
export class HeadDesk {
  private readonly keeper: KeeperContext
  private readonly writers: WriterDesk
  private copies = 0
  /** The keeper's own writers count downwards. */
  private lastTicket = 0

  constructor(keeper: KeeperContext, writers: WriterDesk) {
    this.keeper = keeper
    this.writers = writers
  }

  async update(message: HeadMessage): Promise<boolean> {
    const { folder, shared } = this.keeper
    if (folder === null || (shared.flags() & NO_WRITES) !== 0) return false
    const row = folder.shelf.database.find(nameOf(message.key))
    if (row === null || this.isPurged(row, message)) return false
    const content = folder.shelf.inspect(row.name)
    if (content === null || content.facts.version !== message.version) return false
    const labels = encodeLabels(message.labels)
    if (!fitsSlot(content.facts, labels, message.head)) return this.copy(folder, row, { content, message, labels })
    const path = pathOf(folder.root, row.name)
    const place = content.slot.place === 0 ? 1 : 0
    const octets = encodeSlot(content.facts, place, content.slot.number + 1, labels, message.head)
    folder.files.writeAt(path, octets, slotsStart(content.facts) + place * content.facts.slotBytes)
    // Then the mark: if it ends here, the entry is checked once too often.
    if (content.marked) folder.files.writeAt(path, new Uint8Array([0]), MARK_AT)
    if (content.slot.labels.join("\n") !== message.labels.join("\n"))
      folder.shelf.database.transact(() => folder.shelf.database.setLabels(row, message.labels))
    return true
  }

  private isPurged({ groupLength, key }: EntryRow, { epoch, labels }: HeadMessage): boolean {
    return this.keeper.book.isPurgedSince({ key, groupLength, labels }, epoch)
  }

  /** A writer like others, so that purges, limits and the end of the process treat it alike. */
  private async copy(folder: OpenFolder, row: EntryRow, update: { content: FileContent; message: HeadMessage; labels: Buffer }): Promise<boolean> {
    const { content, message } = update
    const facts: EntryFacts = { ...content.facts, slotBytes: slotBytesFor(update.labels, message.head) }
    const size = content.size - bodyStart(content.facts) + bodyStart(facts)
    if (this.copies >= COPIES_MAX || size > this.keeper.settings.entryBytesMax) return false
    const ticket = --this.lastTicket
    const { key, groupLength } = row
    const record = { ticket, self: -1, epoch: message.epoch, key, groupLength, labels: message.labels, reserved: 0, doomed: false }
    if (!this.writers.admit(record, size)) return false
    this.copies++
    try {
      if (await this.writeCopy(folder, row, { ...update, facts, ticket })) return this.writers.store(ticket, size)
    } finally {
      this.copies--
      if (folder === this.keeper.folder) this.writers.abort(ticket)
    }
    return false
  }

  private async writeCopy(
    folder: OpenFolder,
    row: EntryRow,
    { content, message, labels, facts, ticket }: { content: FileContent; message: HeadMessage; labels: Buffer; facts: EntryFacts; ticket: number },
  ): Promise<boolean> {
    const { files } = folder
    const from = pathOf(folder.root, row.name)
    const to = temporaryPathOf(folder.root, ticket)
    files.append(to, encodeHeader(facts))
    files.append(to, encodeSlot(facts, 0, 1, labels, message.head))
    files.append(to, new Uint8Array(facts.slotBytes))
    for (let at = bodyStart(content.facts); at < content.size; at += COPY_BYTES) {
      // Replaced or removed meanwhile: the rest would be that of another body.
      if (folder !== this.keeper.folder || folder.shelf.database.find(row.name)?.id !== row.id) return false
      // The checksums of the body hold for the same version: they move with it.
      files.append(to, files.read(from, at, Math.min(COPY_BYTES, content.size - at)))
      await nextTurn()
    }
    return folder === this.keeper.folder && folder.shelf.database.find(row.name)?.id === row.id
  }
}
