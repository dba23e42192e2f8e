import type { DiskSettings } from "../disk-contract.ts"
import { codeOf } from "../disk-link.ts"
import { TEMPORARY } from "../entry-name.ts"
import { KEYS_KNOWN, NO_LOOKUPS, NO_WRITES, type SharedState } from "../shared-state.ts"
import type { Budget } from "./budget.ts"
import { SCAN_STEPS, scanStep } from "./folder-scan.ts"
import { nextTurn } from "./keeper-context.ts"
import type { KeeperFiles } from "./keeper-files.ts"
import { OpenFolder } from "./open-folder.ts"
import { TroubleLog } from "./trouble-log.ts"

const LOAD_SLICE = 500
const EVICT_SLICE = 64
/** Between two looks whether the folder is still there. */
const CHECK_MS = 2000
/** What is evicted when the disk is full though the limit is not reached: others need room, or there never was so much. */
const FULL_SHARE = 0.02
/** Files that cannot be read, within `retryMs`, until all look-ups are left alone. */
const READ_FAULTS_MAX = 10
const PROBE_BYTES = 4096

export interface FolderParts {
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: KeeperFiles
  readonly budget: Budget
}

/** What the folder's owner does when it comes and goes. */
export interface FolderOwner {
  /** Purges were asked for while it was away: nothing may be looked up before `payOwed`. */
  readonly owes: boolean
  payOwed(folder: OpenFolder): Promise<void>
  /** The disk is left alone from now on. */
  away(): void
  /** Whether a file of this writer may be there. */
  isWriting(ticket: number): boolean
}

/** Opens the folder, brings it up behind the first look-ups, leaves it alone for a while when there is trouble, and tries again. */
export class FolderLife {
  folder: OpenFolder | null = null
  private readonly parts: FolderParts
  private readonly owner: FolderOwner
  private readonly troubles: TroubleLog
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>()
  /** Why nothing is written, or looked up, for now. */
  private readonly noWrites = new Set<string>()
  private readonly noLookups = new Set<string>()
  private distrusted = false
  private closed = false
  private readFaults = 0

  constructor(parts: FolderParts, owner: FolderOwner) {
    this.parts = parts
    this.owner = owner
    this.troubles = new TroubleLog(parts.settings.path)
  }

  /** Throws what `OpenFolder` throws. */
  open(): void {
    const folder = new OpenFolder(this.parts, this.distrusted)
    this.distrusted = false
    this.folder = folder
    const { shared } = this.parts
    shared.setState("loading")
    // A file may be there that was purged, and that the index does not know.
    this.holdLookups("owed", this.owner.owes || folder.rules.any)
    this.holdLookups("away", false)
    this.holdWrites("room", folder.unsure || !this.parts.budget.fits(0, 0))
    this.holdWrites("away", false)
    this.later("check", CHECK_MS, this.check)
    this.bringUp(folder).catch((error: unknown) => {
      if (folder === this.folder) this.goAway(error)
    })
  }

  /** Something went wrong that should not: leave the disk alone for a while. */
  goAway(error: unknown): void {
    const { shared, settings, budget } = this.parts
    if (this.closed) return
    this.troubles.say("the disk store leaves the disk alone for a while", error)
    shared.count(sqliteCode(error) >= 0 ? "indexFaults" : "writeFaults")
    this.distrusted ||= [11, 26].includes(sqliteCode(error) & 0xff)
    this.holdLookups("away", true)
    this.holdWrites("away", true)
    shared.clearFlags(KEYS_KNOWN)
    shared.setState("away")
    this.owner.away()
    const { folder } = this
    this.folder = null
    this.cancelTimers()
    folder?.close(false)
    budget.clear()
    // A damaged index is made anew: nothing to wait for.
    this.later("retry", this.distrusted ? 0 : settings.retryMs, this.retry)
  }

  hideUnknown(): void {
    if (this.folder?.loaded === true) this.parts.shared.setFlags(KEYS_KNOWN)
  }

  /** A worker could not write. */
  cannotWrite(code: string): void {
    const { folder } = this
    if (folder === null) return
    this.troubles.say("the disk store cannot write; nothing is stored for a while", new Error(code))
    if (!folder.isThere()) return this.goAway(new Error("the folder is not what it was"))
    const { budget, settings } = this.parts
    const full = code === "ENOSPC" || code === "EDQUOT"
    // Once, however many writers met it.
    if (full && !this.noWrites.has("trouble")) folder.shelf.shrink(budget.used * (1 - FULL_SHARE))
    this.holdWrites("trouble", true)
    this.later("probe", settings.retryMs, this.probe)
  }

  /** A worker could not read. */
  cannotRead(code: string): void {
    const { settings } = this.parts
    this.troubles.say("the disk store cannot read", new Error(code))
    this.readFaults++
    if (this.readFaults >= READ_FAULTS_MAX) this.holdLookups("trouble", true)
    this.later("read", settings.retryMs, this.readAgain)
  }

  close(): void {
    this.closed = true
    this.cancelTimers()
    const { folder } = this
    this.folder = null
    folder?.close(true)
  }

  /** Calls once, after so long; a call of the same name that waits stays as it is. */
  later(name: string, ms: number, act: () => void): void {
    if (this.timers.has(name) || this.closed) return
    const run = (): void => {
      this.timers.delete(name)
      try {
        act()
      } catch (error) {
        this.goAway(error)
      }
    }
    this.timers.set(name, setTimeout(run, ms))
  }

  private async bringUp(folder: OpenFolder): Promise<void> {
    const { shared } = this.parts
    while (folder === this.folder && folder.shelf.loadMore(LOAD_SLICE)) await nextTurn()
    if (folder !== this.folder) return
    folder.loaded = true
    if (!folder.unsure || this.owner.owes || folder.rules.any) shared.setFlags(KEYS_KNOWN)
    await this.owner.payOwed(folder)
    if (folder !== this.folder) return
    this.holdLookups("owed", false)
    if (!folder.unsure) await this.shrink(folder)
    shared.setState("scanning")
    await this.scan(folder)
    if (folder !== this.folder) return
    if (folder.unsure) await this.shrink(folder)
    shared.setFlags(KEYS_KNOWN)
    shared.setState("ready")
  }

  /** The limits may be lower than last time; until they hold nothing is written. */
  private async shrink(folder: OpenFolder): Promise<void> {
    const { budget } = this.parts
    while (folder === this.folder && !budget.fits(0, 0)) {
      for (let evicted = 0; evicted < EVICT_SLICE && !budget.fits(0, 0); evicted++) folder.shelf.evictOne()
      budget.publish(this.parts.shared)
      await nextTurn()
    }
    if (folder === this.folder) this.holdWrites("room", false)
  }

  private async scan(folder: OpenFolder): Promise<void> {
    const { shared, budget, settings } = this.parts
    for (let step = 0; step < SCAN_STEPS && folder === this.folder; step++) {
      scanStep(folder, step, shared)
      budget.publish(shared)
      if (folder.unsure || settings.scanPauseMs === 0) await nextTurn()
      else await new Promise(resolve => setTimeout(resolve, settings.scanPauseMs))
    }
    if (folder !== this.folder) return
    folder.scanned = true
    folder.rules.clear()
    folder.clearTemporary(ticket => this.owner.isWriting(ticket))
  }

  private holdWrites(why: string, held: boolean): void {
    hold(this.noWrites, why, held)
    if (this.noWrites.size > 0) this.parts.shared.setFlags(NO_WRITES)
    else this.parts.shared.clearFlags(NO_WRITES)
  }

  private holdLookups(why: string, held: boolean): void {
    hold(this.noLookups, why, held)
    if (this.noLookups.size > 0) this.parts.shared.setFlags(NO_LOOKUPS)
    else this.parts.shared.clearFlags(NO_LOOKUPS)
  }

  private cancelTimers(): void {
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
    this.holdWrites("trouble", false)
    this.holdLookups("trouble", false)
    this.readFaults = 0
  }

  private readonly retry = (): void => this.open()

  private readonly check = (): void => {
    if (this.folder?.isThere() === false) return this.goAway(new Error("the folder is not what it was"))
    this.later("check", CHECK_MS, this.check)
  }

  private readonly readAgain = (): void => {
    this.readFaults = 0
    this.holdLookups("trouble", false)
  }

  /** Whether the disk takes something again. */
  private readonly probe = (): void => {
    const { files, settings } = this.parts
    const path = `${settings.path}/${TEMPORARY}/0`
    try {
      files.append(path, new Uint8Array(PROBE_BYTES))
      this.holdWrites("trouble", false)
    } catch (error) {
      this.troubles.say("the disk store still cannot write", new Error(codeOf(error)))
      this.later("probe", settings.retryMs, this.probe)
    }
    files.unlink(path)
  }
}

function hold(reasons: Set<string>, why: string, held: boolean): void {
  if (held) reasons.add(why)
  else reasons.delete(why)
}

/** SQLite's number of an error, -1 = it is not SQLite's. */
function sqliteCode(error: unknown): number {
  return (error as { errcode?: number }).errcode ?? -1
}
