import { FAULT } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import { BODY_LENGTH, BODY_NONE, type ContentRange, NAME } from "../http/index.ts"
import { copyBody, copyEntry } from "./copy-body.ts"
import { DiskCopy, freshenOnDisk } from "./disk-copy.ts"
import { DiskHandle } from "./disk-handle.ts"
import type { EntrySource } from "./entry-source.ts"
import type { Fetch } from "./fetch.ts"
import type { HeldEntry } from "./held-entry.ts"
import { type Judged, judgeAnswer, keptLines, partLines } from "./judge-answer.ts"
import { fieldValue } from "./key-parts.ts"
import { labelsOf } from "./labels.ts"
import { leaveVaryRule } from "./vary-rule.ts"
import { type Joined, joinParts, partKey, rangeText } from "./parts.ts"
import { FieldLines } from "./rules/field-lines.ts"
import type { StoringVerdict } from "./rules/storing.ts"
import { selects304, updatedFields } from "./rules/update.ts"
import { variantKey } from "./rules/vary.ts"
import { ENTRY_PENDING, type MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"
import { plainKey, variantUnder } from "./variants.ts"
import { encodePassRule, encodeResponse, StoredResponse } from "./stored.ts"

/** How long those who waited for an answer that cannot be stored, and whoever comes with them, go upstream without waiting for each other. */
const LET_GO_MS = 1000

/** Puts one answer into the store while it comes, and tells this thread's readers. */
export class Keeper {
  readonly fetch: Fetch
  private entry: MemoryEntry | null = null
  private judged: Judged | null = null
  /** A response that is served without being stored anew. */
  private spare: HeldEntry | null = null
  readonly readers = new Set<EntrySource>()
  readonly watchers = new Set<() => void>()
  /** The store has no more room: what comes goes to the readers that are there, one chunk after the other. */
  spills = false
  private disk: DiskCopy | null = null
  private joined: Joined | null = null
  private spilled: Uint8Array | null = null
  private spilledFrom = 0
  private entryKey: Key | null = null
  private place = -1
  private generation = -1
  over = false
  broken = false
  /** Nothing was stored because a purge meant it. */
  purged = false
  /** The upstream's connection has its turn: what readers take leaves at the end of that, head and first octets in one write. */
  inTurn = false
  private drainDue = false
  /** Octets of the body. */
  private came = 0

  constructor(fetch: Fetch) {
    this.fetch = fetch
  }

  fills(entry: MemoryEntry): boolean {
    return entry.place === this.place && entry.generation === this.generation
  }

  /** What the rules say of an answer (RFC 9111 section 3). */
  judge(f: Exchange): StoringVerdict {
    const { asked, part, cache } = this.fetch
    const lines = FieldLines.parse(f.response.render())
    this.judged = judgeAnswer(cache, { ...asked, hasPart: part !== null || asked.hasPart === true }, { status: f.status, lines })
    return this.judged.verdict
  }

  /** What a 206 has just brought. */
  get fresh(): ContentRange | null {
    return this.joined?.fresh ?? null
  }

  /** Fields that are not stored: they are for the one who asked (RFC 9111 sections 5.2.2.4, 5.2.2.7). */
  get ownLines(): string {
    const { f } = this.fetch
    // What is stored does not take the cookie of a 304.
    if (f.status === 304) return f.response.has(NAME.setCookie) ? cookieLines(FieldLines.parse(f.response.render())) : ""
    const { lines, verdict } = this.judged!
    if (verdict.withoutFields.length === 0) return ""
    return lines.without(new Set(lines.names.filter(name => !verdict.withoutFields.includes(name)))).render()
  }

  /** Whether a 206 is all that was missing. */
  completes(f: Exchange): boolean {
    const { part, cache } = this.fetch
    return joinParts(part, FieldLines.parse(f.response.render()), cache.time.clock.wall())?.isWhole === true
  }

  /** Begins to store what was judged; `writer` is the entry that others wait for. null = there is no room. */
  begin(writer: MemoryEntry | null): StoredResponse | null {
    const { fetch } = this
    const { names, lines, facts, verdict } = this.judged!
    const plain = plainKey(fetch.key)
    const target =
      names.length === 0
        ? plain
        : variantUnder(
            plain,
            names,
            variantKey(names, name => fieldValue(fetch.asked.fields, name)),
          )
    const { f } = fetch
    let kept = keptLines(lines, verdict.withoutFields)
    let length = f.responseBody === BODY_LENGTH ? f.responseLength : f.responseBody === BODY_NONE ? 0 : -1
    let { status } = facts
    this.joined = facts.status === 206 ? joinParts(fetch.part, lines, facts.responseMs) : null
    if (this.joined !== null) {
      const { run, isWhole } = this.joined
      length = run.last - run.first + 1
      kept = partLines(kept, isWhole ? "" : rangeText(run), length)
      if (isWhole) status = 200
    }
    const place = this.joined === null || this.joined.isWhole ? target : partKey(target)
    const own = place.text === fetch.key.text ? writer : null
    const entry = own ?? fetch.cache.store.memory.begin(place, true)
    if (entry === null) return null
    this.purged = own === null && fetch.isPurged
    if (this.purged) {
      entry.release()
      return null
    }
    const said = { ...facts, status }
    const head = encodeResponse(said, kept)
    const labels = labelsOf(lines)
    const isAllNew = this.joined === null || (this.joined.isWhole && fetch.part === null)
    if (isAllNew) this.disk = DiskCopy.begin(this.fetch, place, { head, length, labels })
    // A purge that came between the two has doomed the first only.
    if (!entry.live) this.dropDisk()
    if (entry.setHead(head, length, labels) && this.copyStart(entry)) this.take(entry, place)
    else if (this.disk !== null) this.keepOnDisk(entry, labels)
    else {
      if (own === null) entry.release()
      return null
    }
    if (names.length > 0 && target.text !== fetch.key.text) leaveVaryRule(this, plain, names, writer)
    else if (writer !== null && own === null) this.letGo(writer, "", false)
    return new StoredResponse(said, kept)
  }

  /** What of a stored part goes before what comes. */
  private copyStart(entry: MemoryEntry): boolean {
    const before = this.joined?.before ?? 0
    return before === 0 || copyBody(this.fetch.part!.entry, entry, 0, before)
  }

  /** And behind it. */
  private copyRest(entry: MemoryEntry): boolean {
    const after = this.joined?.after ?? -1
    return after < 0 || copyBody(this.fetch.part!.entry, entry, after, this.fetch.part!.entry.bodyLength)
  }

  private dropDisk(): void {
    this.disk?.abort()
    this.disk = null
  }

  /** Too large for memory: it goes to the disk alone, and memory says so. */
  private keepOnDisk(entry: MemoryEntry, labels: readonly string[]): void {
    this.disk!.beOnly(entry, labels)
    this.fetch.cache.store.fetchEnds(entry.place, this.fetch)
    entry.release()
    this.entry = null
  }

  get onDisk(): boolean {
    return this.disk?.isOnly === true
  }

  /** For a reader that has come to the end of what is in memory. */
  tail(): DiskHandle | null {
    return this.disk === null ? null : this.disk.reader()
  }

  private take(entry: MemoryEntry, key: Key): void {
    this.inTurn = true
    this.entry = entry
    this.entryKey = key
    this.place = entry.place
    this.generation = entry.generation
    this.fetch.cache.store.fetchBegins(entry.place, this.fetch)
  }

  /** A handle to what is served. */
  reader(): HeldEntry | null {
    const { spare } = this
    this.spare = null
    if (spare !== null) return spare
    if (this.onDisk) return this.disk!.reader()
    return this.entry === null ? null : this.fetch.cache.store.memory.share(this.entry)
  }

  /** Whoever waits for this entry goes on: with a rule that says why there is none, or to look again. */
  letGo(writer: MemoryEntry, reason: string, remember: boolean): void {
    const { cache } = this.fetch
    // Without a memory of it whoever waits now would go one after the other.
    const ms = remember && cache.policy.passMs > 0 ? cache.policy.passMs : LET_GO_MS
    // What was said to one user's credentials (a refresh behind his back) is said to nobody else.
    const isOwn = this.fetch.asked.fields.has(NAME.authorization)
    const rule = reason === "" || isOwn || (this.fetch.revalidates && !remember) ? null : encodePassRule(reason, cache.time.clock.wall() + ms)
    if (rule !== null && writer.state === ENTRY_PENDING && writer.setHead(rule, 0, [])) writer.complete()
    else writer.fail()
    cache.store.fetchEnds(writer.place, this.fetch)
    writer.release()
  }

  /** A 304: what is stored holds, with these fields (RFC 9111 section 4.3.4). null = it is about another response. */
  freshen(f: Exchange, of: { writer: MemoryEntry | null; old: HeldEntry; stored: StoredResponse }): StoredResponse | null {
    const { old, stored, writer } = of
    const answer = FieldLines.parse(f.response.render())
    const validators = { etag: answer.get("etag"), lastModified: answer.get("last-modified"), date: answer.get("date"), status: 304 }
    if (!selects304(stored, validators)) return null
    const lines = updatedFields(FieldLines.parse(stored.lines), answer, [])
    const { verdict, facts } = judgeAnswer(this.fetch.cache, this.fetch.asked, { status: stored.status, lines })
    const kept = keptLines(lines, verdict.withoutFields)
    const fresh = new StoredResponse(facts, kept)
    if (verdict.store) freshenOnDisk(this.fetch, stored, encodeResponse(facts, kept), labelsOf(lines))
    if (old instanceof DiskHandle) {
      this.spare = old
      this.over = true
      if (writer !== null) this.letGo(writer, "", false)
      return fresh
    }
    if (verdict.store && writer !== null && this.copyOver(writer, old as MemoryEntry, encodeResponse(facts, kept), labelsOf(lines))) return fresh
    this.spare = this.fetch.cache.store.memory.share(old as MemoryEntry)
    if (writer !== null) this.letGo(writer, verdict.reason, !verdict.store && verdict.remember)
    this.over = true
    return fresh
  }

  private copyOver(writer: MemoryEntry, old: MemoryEntry, head: Buffer, labels: readonly string[]): boolean {
    if (!copyEntry(old, writer, head, labels)) return false
    this.place = writer.place
    this.generation = writer.generation
    this.over = true
    this.spare = this.fetch.cache.store.memory.share(writer)
    this.fetch.cache.store.fetchEnds(writer.place, this.fetch)
    writer.release()
    return true
  }

  // ---- the body

  /** False = hold the upstream back. */
  push(chunk: Uint8Array): boolean {
    const { entry } = this
    this.inTurn = true
    const isWritten = this.disk === null || this.disk.write(chunk)
    this.came += chunk.length
    if (this.onDisk) return isWritten
    if (entry === null) return true
    if (this.spills) return this.spill(chunk)
    const before = entry.filled
    // What did not say how long it is.
    const isTooLarge = before + chunk.length > this.fetch.cache.policy.storing.bodyBytesMax
    if (isTooLarge) this.dropDisk()
    if (!isTooLarge && entry.append(chunk)) {
      this.notify()
      return true
    }
    this.beginSpilling(entry)
    return this.onDisk ? isWritten : this.spill(chunk.subarray(entry.filled - before))
  }

  private beginSpilling(entry: MemoryEntry): void {
    this.spills = true
    this.spilledFrom = entry.filled
    const { memory } = this.fetch.cache.store
    if (this.disk !== null && !this.disk.failed) this.disk.beOnly(entry, [])
    else {
      this.dropDisk()
      const rule = memory.supersede(entry, this.entryKey!)
      if (rule !== null) this.letGo(rule, "too-large", true)
    }
    entry.fail()
    this.notify()
  }

  private spill(chunk: Uint8Array): boolean {
    if (this.readers.size === 0) {
      this.giveUp()
      return true
    }
    // What came in one read comes at once, however many chunks that are.
    this.spilled = this.spilled === null ? Buffer.from(chunk) : Buffer.concat([this.spilled, chunk])
    this.notify()
    this.checkTaken()
    this.drainDue = this.spilled !== null
    return !this.drainDue
  }

  spilledAt(at: number): Uint8Array | null {
    const { spilled, spilledFrom } = this
    if (spilled === null || at < spilledFrom) return null
    if (at < spilledFrom + spilled.length) return spilled.subarray(at - spilledFrom)
    queueMicrotask(() => this.checkTaken())
    return null
  }

  /** There was no room for what is there, and who reads has had it. */
  hasLost(at: number): boolean {
    return this.spills && at < this.spilledFrom
  }

  /** Goes on when every reader has what is there. */
  private checkTaken(): void {
    const { spilled } = this
    if (spilled === null) return
    const end = this.spilledFrom + spilled.length
    for (const reader of this.readers) if (reader.at < end) return
    this.spilled = null
    this.spilledFrom = end
    if (!this.drainDue) return
    this.drainDue = false
    this.fetch.f.onDownDrain()
  }

  readerLeft(source: EntrySource): void {
    this.readers.delete(source)
    if (!this.spills || this.over) return
    if (this.readers.size === 0) this.giveUp()
    else queueMicrotask(() => this.checkTaken())
  }

  /** There is no room for it, and nobody reads it any more. */
  giveUp(): void {
    this.fail()
    this.fetch.f.onClientGone(FAULT.aborted)
  }

  complete(): void {
    this.over = true
    this.inTurn = false
    const { entry } = this
    // Who reads it from there has it all; nobody else is to.
    if (this.onDisk && this.came > this.fetch.cache.policy.storing.bodyBytesMax) this.disk!.commitAndRemove()
    else this.disk?.commit()
    if (entry !== null && !this.spills) {
      if (this.copyRest(entry)) entry.complete()
      else entry.fail()
    }
    this.close()
  }

  fail(): void {
    this.over = true
    this.inTurn = false
    this.broken = true
    this.disk?.abort()
    if (this.entry !== null && !this.spills) this.entry.fail()
    this.close()
  }

  private close(): void {
    const { entry } = this
    this.entry = null
    this.fetch.dropPart()
    this.notify()
    if (entry === null) return
    this.fetch.cache.store.fetchEnds(entry.place, this.fetch)
    entry.release()
  }

  private notify(): void {
    if (this.watchers.size === 0) return
    const all = [...this.watchers]
    this.watchers.clear()
    for (const changed of all) changed()
  }

  flush(): void {
    this.inTurn = false
    this.notify()
  }
}

function cookieLines(lines: FieldLines): string {
  return lines.without(new Set(lines.names.filter(name => name !== "set-cookie"))).render()
}
