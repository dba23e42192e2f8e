import { assert } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"
import { BodySlabs } from "./body-slabs.ts"
import { type DiskTail, type DiskWriter, TAIL_FAILED, TAIL_GROWING, TAIL_WHOLE } from "./disk-contract.ts"
import { codeOf, type DiskLink } from "./disk-link.ts"
import { temporaryPathOf } from "./entry-name.ts"
import {
  bodyBytes,
  bodyStart,
  type EntryFacts,
  encodeHeader,
  encodeLabels,
  encodeSlot,
  newVersion,
  slotBytesFor,
  storedBytes,
} from "./file-layout.ts"
import { SharedFile } from "./shared-file.ts"
import { WriterTail } from "./writer-tail.ts"

/** Room is asked for in steps: what a small entry of unknown length may need, up to what is evicted in one go. */
const STEP_MIN = 65_536
const STEP_MAX = 4_194_304
/** Octets of one writer that may wait before it asks for a pause, and how few end the pause. */
const WAITING_SOFT = 524_288
const WAITING_LOW = 262_144

/** What a writer needs of its worker's end. */
export interface WriterHost extends DiskLink {
  /** Octets that wait, of all writers. */
  waiting: number
  /** The writer has let go of everything; its place is free. */
  writerOver(writer: EntryWriter): void
}

export class EntryWriter implements DiskWriter {
  readonly head: Uint8Array
  readonly place: number
  readonly ticket: number
  onDrain: (() => void) | null = null
  onFail: (() => void) | null = null
  failed = false
  written = 0
  state: 0 | 1 | 2 = TAIL_GROWING
  file: SharedFile | null = null
  private readonly host: WriterHost
  private facts: EntryFacts
  readonly start: number
  private readonly generation: number
  private readonly slabs: BodySlabs
  private readonly watchers = new Set<() => void>()
  /** A piece that was taken, and not written yet. */
  private next: Buffer | null = null
  private flushed = 0
  private granted = 0
  private asked: number
  private running = false
  private paused = false
  private ending = false
  private headerDue: boolean
  private committed = false
  private over = false
  private settle: ((stored: boolean) => void) | null = null

  constructor(host: WriterHost, place: number, key: CacheKey, head: Uint8Array, content: { bodyLength: number; labels: readonly string[] }) {
    const labels = encodeLabels(content.labels)
    const { bodyLength } = content
    const version = newVersion()
    this.host = host
    this.place = place
    this.head = head.slice()
    this.facts = { key: key.text, groupLength: key.group.length, version, bodyLength, slotBytes: slotBytesFor(labels, head) }
    this.start = bodyStart(this.facts)
    this.headerDue = bodyLength < 0
    this.generation = host.shared.beginProgress(place, version)
    this.ticket = this.generation * host.settings.workersMax * host.settings.writersMax + place
    this.slabs = new BodySlabs(version, bodyLength < 0 ? -1 : this.start + storedBytes(bodyLength))
    this.slabs.addPlain(encodeHeader(this.facts))
    this.slabs.addPlain(encodeSlot(this.facts, 0, 1, labels, this.head))
    this.slabs.addPlain(new Uint8Array(this.facts.slotBytes))
    this.host.waiting += this.slabs.fileLength
    this.asked = this.wanted()
    host.post({
      type: "begin",
      ticket: this.ticket,
      epoch: host.shared.epoch(),
      key: key.text,
      groupLength: key.group.length,
      labels: content.labels,
      bytes: this.asked,
    })
  }

  get version(): number {
    return this.facts.version
  }

  get bodyLength(): number {
    return this.state === TAIL_WHOLE ? this.slabs.bodyLength : this.facts.bodyLength
  }

  write(chunk: Uint8Array): boolean {
    if (this.failed || this.ending || this.over) return false
    if (chunk.length === 0) return true
    const { host, facts } = this
    const length = this.slabs.bodyLength + chunk.length
    const tooLong = facts.bodyLength >= 0 ? length > facts.bodyLength : this.start + storedBytes(length) > host.settings.entryBytesMax
    if (tooLong || host.waiting + chunk.length > host.settings.bytesWaitingMax) {
      host.shared.count("refused")
      this.fail()
      return false
    }
    const before = this.slabs.fileLength
    this.slabs.add(chunk)
    host.waiting += this.slabs.fileLength - before
    this.askAhead()
    this.run()
    this.paused = this.waiting() > WAITING_SOFT || host.waiting > host.settings.bytesWaitingMax / 2
    return !this.paused
  }

  commit(): Promise<boolean> {
    const { facts } = this
    if (this.ending) return Promise.resolve(false)
    this.onFail = null
    if (!this.failed && !this.over && facts.bodyLength >= 0 && this.slabs.bodyLength !== facts.bodyLength) this.fail()
    if (this.failed || this.over) {
      this.abort()
      return Promise.resolve(false)
    }
    const before = this.slabs.fileLength
    this.slabs.end()
    this.host.waiting += this.slabs.fileLength - before
    this.ending = true
    this.askAhead()
    return new Promise(resolve => {
      this.settle = resolve
      this.run()
    })
  }

  abort(): void {
    if (this.over || this.committed) return
    this.onFail = null
    this.fail()
  }

  tail(): DiskTail {
    return new WriterTail(this, this.host.files)
  }

  watch(changed: () => void): void {
    this.watchers.add(changed)
  }

  unwatch(changed: () => void): void {
    this.watchers.delete(changed)
  }

  /** The keeper's word: the file may have so many octets. */
  grant(bytes: number): void {
    this.granted = bytes
    this.askAhead()
    this.run()
  }

  /** The keeper's word: no room, or no disk any more. */
  refuse(): void {
    if (this.over) return
    this.committed = false
    this.fail()
  }

  /** The keeper's word after a commit. */
  end(stored: boolean): void {
    assert(this.committed, "an answer to a commit")
    this.finish(stored)
  }

  private waiting(): number {
    return this.slabs.fileLength - this.flushed
  }

  /** How large the file should be allowed to get, seen from now. */
  private wanted(): number {
    const { bodyLength } = this.facts
    const at = this.slabs.fileLength
    if (this.ending) return at
    if (bodyLength >= 0) return Math.min(this.start + storedBytes(bodyLength), at + STEP_MAX)
    return at + Math.min(STEP_MAX, Math.max(STEP_MIN, at))
  }

  private askAhead(): void {
    const wanted = this.wanted()
    // Half a step is still there while the keeper makes room.
    const step = this.facts.bodyLength >= 0 ? STEP_MAX : Math.min(STEP_MAX, Math.max(STEP_MIN, this.slabs.fileLength))
    const due = this.asked < this.slabs.fileLength || (wanted > this.asked && this.asked - this.slabs.fileLength < step / 2)
    // One question at a time: the answer to the first one tells that the keeper knows this writer.
    if (!due || this.granted < this.asked || this.failed) return
    this.asked = wanted
    this.host.post({ type: "grow", ticket: this.ticket, bytes: wanted })
  }

  private run(): void {
    if (this.running || this.over || this.committed) return
    this.running = true
    void this.flush()
  }

  private async flush(): Promise<void> {
    try {
      while (!this.failed && (await this.step()));
    } catch (error) {
      this.host.shared.count("writeFaults")
      this.host.post({ type: "trouble", writing: true, code: codeOf(error) })
      this.running = false
      this.fail()
      return
    }
    this.running = false
    if (this.failed) this.finish(false)
  }

  /** Writes a piece, or what comes after the last one. False = nothing to do for now. */
  private async step(): Promise<boolean> {
    const { host } = this
    if (this.granted === 0) return false
    this.next ??= this.slabs.take()
    if (this.next === null) return this.ending ? this.complete() : false
    if (this.flushed + this.next.length > this.granted) return false
    if (this.file === null) this.file = new SharedFile(host.files, await host.files.create(temporaryPathOf(host.settings.path, this.ticket)))
    if (this.failed) return false
    const piece = this.next
    await host.files.write(this.file.fd, piece, this.flushed)
    this.next = null
    this.flushed += piece.length
    host.waiting -= piece.length
    if (!this.failed) this.publish()
    return true
  }

  private publish(): void {
    const { shared } = this.host
    this.written = this.flushed <= this.start ? 0 : Math.min(this.slabs.bodyLength, bodyBytes(this.flushed - this.start))
    shared.setWritten(this.place, this.written)
    if (this.flushed >= this.start) shared.setProgress(this.place, this.generation, TAIL_GROWING)
    this.tellWatchers()
    if (!this.paused || this.ending || this.waiting() > WAITING_LOW) return
    this.paused = false
    this.onDrain?.()
  }

  /** All pieces are written. */
  private async complete(): Promise<boolean> {
    if (this.headerDue) {
      this.facts = { ...this.facts, bodyLength: this.slabs.bodyLength }
      await this.host.files.write(this.file!.fd, encodeHeader(this.facts), 0)
      this.headerDue = false
      return true
    }
    this.committed = true
    this.setState(TAIL_WHOLE)
    this.host.post({ type: "commit", ticket: this.ticket, bytes: this.flushed })
    return false
  }

  private setState(state: 1 | 2): void {
    this.state = state
    this.host.shared.setProgress(this.place, this.generation, state)
    this.tellWatchers()
  }

  private tellWatchers(): void {
    if (this.watchers.size === 0) return
    const watchers = [...this.watchers]
    this.watchers.clear()
    for (const changed of watchers) changed()
  }

  private fail(): void {
    const news = !this.failed && !this.over && this.settle === null
    this.failed = true
    if (!this.running) this.finish(false)
    if (news) this.onFail?.()
  }

  /** Lets go of everything, once nothing is under way. */
  private finish(stored: boolean): void {
    if (this.over) return
    this.over = true
    const { host } = this
    if (!this.committed) host.post({ type: "abort", ticket: this.ticket })
    host.waiting -= this.waiting()
    if (this.state !== TAIL_WHOLE) this.setState(TAIL_FAILED)
    this.file?.release()
    this.file = null
    host.writerOver(this)
    this.settle?.(stored)
    this.settle = null
    this.onDrain = null
  }
}
