import type { PurgeTarget, StoredFacts } from "../../contract.ts"
import { nameOf, pathOf } from "../entry-name.ts"
import type { EntryRow } from "./entry-database.ts"
import { type KeeperContext, nextTurn } from "./keeper-context.ts"
import type { OpenFolder } from "./open-folder.ts"
import { type DoomTarget, isMeant } from "./writer-book.ts"

const SLICE = 256
const LIST_MAX = 10_000
/** When more purges wait for the disk to come back, it is emptied then. */
const OWED_MAX = 10_000

/** The disk is left alone for now. */
export class AwayError extends Error {
  constructor(path: string, then: string) {
    super(`${path}: the disk store cannot be reached now; ${then}`)
  }
}

interface OwedPurge {
  readonly target: DoomTarget
  readonly mark: boolean
}

/** Where entries are removed, marked and listed. */
export class PurgeDesk {
  private readonly keeper: KeeperContext
  private owed: OwedPurge[] = []

  constructor(keeper: KeeperContext) {
    this.keeper = keeper
  }

  /** Purges that nobody has done yet; before that, nothing may be looked up. */
  get owes(): boolean {
    return this.owed.length > 0
  }

  /** Rejects when the disk is left alone, or gets so meanwhile: then it is done as soon as it is back. */
  async purge(target: DoomTarget, epoch: number, mark: boolean): Promise<number> {
    const { folder } = this.keeper
    this.keeper.book.doom(target, epoch)
    this.keeper.ports.pingSoon()
    try {
      if (folder === null) throw new AwayError(this.keeper.settings.path, "the purge is done when it can be")
      return await this.carryOut(folder, target, mark)
    } catch (error) {
      this.owe({ target, mark })
      throw error
    }
  }

  /** What was asked for while the disk was left alone. */
  async payOwed(folder: OpenFolder): Promise<void> {
    while (this.owed.length > 0 && folder === this.keeper.folder) {
      const { target, mark } = this.owed[0]!
      await this.carryOut(folder, target, mark)
      this.owed.shift()
    }
  }

  private owe(purge: OwedPurge): void {
    this.owed.push(purge)
    if (this.owed.length > OWED_MAX) this.owed = [{ target: { by: "all" }, mark: false }]
  }

  private async carryOut(folder: OpenFolder, target: DoomTarget, mark: boolean): Promise<number> {
    if (!folder.scanned) this.hideUnknown(folder, target, mark)
    let count = 0
    const treat = (rows: EntryRow[]): boolean =>
      folder.shelf.database.transact(() => {
        for (const row of rows) if (mark ? folder.shelf.mark(row) : this.drop(folder, row)) count++
        return true
      })
    if (target.by === "key" || target.by === "group") treat(this.fewRows(folder, target))
    else await this.eachSlice(folder, target, treat)
    this.keeper.shared.count("purged", count)
    while (!folder.loaded) {
      await nextTurn()
      if (folder !== this.keeper.folder) throw new AwayError(folder.root, "the purge is done when it can be")
    }
    return count
  }

  /** Files that the index does not know: the scan will treat them alike, and until then nobody sees them. */
  private hideUnknown(folder: OpenFolder, target: DoomTarget, mark: boolean): void {
    if (target.by === "key") {
      const name = nameOf(target.key)
      if (!mark && folder.shelf.database.find(name) === null) folder.files.unlink(pathOf(folder.root, name))
      return
    }
    folder.rules.add(target, mark)
    this.keeper.hideUnknown()
  }

  private drop(folder: OpenFolder, row: EntryRow): boolean {
    folder.shelf.drop(row)
    return true
  }

  private fewRows(folder: OpenFolder, target: Extract<DoomTarget, { by: "key" | "group" }>): EntryRow[] {
    const { database } = folder.shelf
    if (target.by === "group") return database.ofGroup(target.group)
    const row = database.find(nameOf(target.key))
    return row !== null && row.key === target.key ? [row] : []
  }

  /** All rows that are there now and are meant, some at a time. Those that come meanwhile are younger than the purge. False from `act` ends it. */
  private async eachSlice(folder: OpenFolder, target: PurgeTarget, act: (rows: EntryRow[]) => boolean | undefined): Promise<void> {
    const { database } = folder.shelf
    const last = database.lastId()
    for (let after = 0; ; ) {
      if (folder !== this.keeper.folder) throw new AwayError(folder.root, "it is done when it can be")
      const rows = target.by === "label" ? database.sliceOfLabel(target.label, after, last, SLICE) : database.slice(after, last, SLICE)
      if (rows.length === 0) return
      after = rows.at(-1)!.id
      const meant = target.by === "label" ? rows : rows.filter(row => isMeant(target, { ...row, labels: [] }))
      if (!act(meant)) return
      await nextTurn()
    }
  }

  async list(filter: PurgeTarget, limit: number): Promise<StoredFacts[]> {
    const { folder } = this.keeper
    if (folder === null) throw new AwayError(this.keeper.settings.path, "ask again")
    const found: StoredFacts[] = []
    const max = Math.min(limit, LIST_MAX)
    const take = (rows: EntryRow[]): boolean => {
      for (const row of rows) if (found.length < max) this.describe(folder, row, found)
      return found.length < max
    }
    if (max <= 0) return found
    if (filter.by === "group") take(this.fewRows(folder, filter))
    else await this.eachSlice(folder, filter, take)
    return found
  }

  private describe(folder: OpenFolder, row: EntryRow, found: StoredFacts[]): void {
    const content = folder.shelf.inspect(row.name)
    if (content === null) return
    const { facts, slot, marked } = content
    const group = facts.key.slice(0, facts.groupLength)
    found.push({ key: facts.key, group, head: Uint8Array.from(slot.head), bodyLength: facts.bodyLength, marked, tier: "disk" })
  }
}
