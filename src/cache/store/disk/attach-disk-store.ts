import type { MessagePort } from "node:worker_threads"
import { assert } from "../../../base/index.ts"
import type { CacheKey } from "../contract.ts"
import type { AttachedDiskStore, DiskAttachment, DiskEntry, DiskSettings, DiskTail, DiskWriter } from "./disk-contract.ts"
import { nameOf } from "./entry-name.ts"
import { openEntry } from "./entry-reader.ts"
import { EntryWriter, type WriterHost } from "./entry-writer.ts"
import { bodyStart, encodeLabels, KEY_BYTES_MAX, slotBytesFor, storedBytes } from "./file-layout.ts"
import { type FileCalls, fileCalls } from "./file-calls.ts"
import { followWriter } from "./follow-tail.ts"
import { KeyTable } from "./key-table.ts"
import type { FromWorker, ToWorker } from "./messages.ts"
import { CLOSED, ENDING, KEYS_KNOWN, NO_LOOKUPS, NO_WRITES, SharedState } from "./shared-state.ts"

/** Uses are told once a second, or when there are so many. */
const TOUCH_MS = 1000
const TOUCHES_MAX = 1024
const latin1 = /^[\x00-\xff]*$/

/** A worker's end of the store. `self` is its number, as given to `attachment`. */
export function attachDiskStore(attachment: DiskAttachment, self: number, files: FileCalls = fileCalls): AttachedDiskStore {
  return new AttachedStore(attachment, self, files)
}

class AttachedStore implements AttachedDiskStore, WriterHost {
  readonly entryBytesMax: number
  readonly settings: DiskSettings
  readonly shared: SharedState
  readonly files: FileCalls
  readonly self: number
  waiting = 0
  private readonly port: MessagePort
  private readonly keys: KeyTable
  private readonly writers = new Map<number, EntryWriter>()
  private readonly writerPlaces: number[] = []
  private readonly readerPlaces: number[] = []
  private readonly calls = new Map<number, (value: number) => void>()
  private lastCall = 0
  private touched = new Set<string>()
  private touchTimer: ReturnType<typeof setTimeout> | null = null
  private gone = false

  constructor({ shared, port, settings }: DiskAttachment, self: number, files: FileCalls) {
    assert(self >= 0 && self < settings.workersMax, "the number of a worker is below workersMax")
    this.settings = settings
    this.shared = new SharedState(settings, shared)
    assert(this.shared.hasSeed(), "setKeySeed was called with the control thread's seed")
    this.entryBytesMax = settings.entryBytesMax
    this.files = files
    this.self = self
    this.port = port
    this.keys = new KeyTable(this.shared.keyWords, settings.keySeed)
    for (let place = settings.writersMax - 1; place >= 0; place--) this.writerPlaces.push(self * settings.writersMax + place)
    for (let place = settings.readersMax - 1; place >= 0; place--) this.readerPlaces.push(place)
    port.on("message", (message: ToWorker) => this.hear(message))
    port.on("close", () => this.leave())
  }

  mayHave(key: CacheKey): boolean {
    const flags = this.shared.flags()
    if ((flags & (NO_LOOKUPS | CLOSED)) !== 0 || this.gone) return false
    return (flags & KEYS_KNOWN) === 0 || this.keys.has(key)
  }

  async load(key: CacheKey): Promise<DiskEntry | null> {
    const place = this.mayHave(key) ? this.readerPlaces.pop() : undefined
    if (place === undefined) {
      this.shared.count("misses")
      return null
    }
    const entry = await openEntry(this, key, place, () => this.readerPlaces.push(place))
    this.shared.count(entry === null ? "misses" : "hits")
    return entry
  }

  begin(key: CacheKey, head: Uint8Array, bodyLength: number, labels: readonly string[]): DiskWriter | null {
    if (this.gone || (this.shared.flags() & (NO_WRITES | ENDING | CLOSED)) !== 0) return null
    const place = this.fits(key, head, bodyLength, labels) ? this.writerPlaces.pop() : undefined
    if (place === undefined) {
      this.shared.count("refused")
      return null
    }
    const writer = new EntryWriter(this, place, key, head, { bodyLength, labels })
    this.writers.set(writer.ticket, writer)
    return writer
  }

  private fits(key: CacheKey, head: Uint8Array, bodyLength: number, labels: readonly string[]): boolean {
    const { headBytesMax, bytesWaitingMax } = this.settings
    if (key.text.length > KEY_BYTES_MAX || !key.text.startsWith(key.group) || !latin1.test(key.text)) return false
    const labelOctets = encodeLabels(labels)
    if (head.length + labelOctets.length > headBytesMax) return false
    const slotBytes = slotBytesFor(labelOctets, head)
    const start = bodyStart({ key: key.text, groupLength: 0, version: 0, bodyLength, slotBytes })
    return start + storedBytes(Math.max(0, bodyLength)) <= this.entryBytesMax && this.waiting + start <= bytesWaitingMax
  }

  follow(key: CacheKey, ticket: number): Promise<DiskTail | null> {
    const own = this.writers.get(ticket)
    if (own !== undefined) return Promise.resolve(own.failed ? null : own.tail())
    return followWriter(this, key, ticket)
  }

  async updateHead(key: CacheKey, version: number, head: Uint8Array, labels: readonly string[]): Promise<boolean> {
    if ((this.shared.flags() & (NO_WRITES | CLOSED)) !== 0 || !this.fits(key, head, 0, labels)) return false
    const epoch = this.shared.epoch()
    return (await this.ask(call => ({ type: "head", call, epoch, key: key.text, version, head, labels }))) > 0
  }

  touch(key: CacheKey): void {
    this.touched.add(nameOf(key.text))
    if (this.touched.size >= TOUCHES_MAX) this.tellTouched()
    else this.touchTimer ??= setTimeout(this.tellTouched, TOUCH_MS)
  }

  async remove(key: CacheKey): Promise<boolean> {
    const epoch = this.shared.nextEpoch()
    return (await this.ask(call => ({ type: "remove", call, epoch, key: key.text }))) > 0
  }

  removeGroup(key: { readonly group: string }, mark: boolean): Promise<number> {
    const epoch = this.shared.nextEpoch()
    return this.ask(call => ({ type: "purge", call, epoch, target: { by: "group", group: key.group }, mark }))
  }

  close(): void {
    if (this.gone) return
    for (const writer of [...this.writers.values()]) writer.abort()
    this.tellTouched()
    this.post({ type: "detach" })
    this.leave()
    this.port.close()
  }

  post(message: FromWorker): void {
    if (!this.gone) this.port.postMessage(message)
  }

  writerOver(writer: EntryWriter): void {
    this.writers.delete(writer.ticket)
    this.writerPlaces.push(writer.place)
  }

  private ask(message: (call: number) => FromWorker): Promise<number> {
    if (this.gone) return Promise.resolve(0)
    const call = ++this.lastCall
    return new Promise(resolve => {
      this.calls.set(call, resolve)
      this.post(message(call))
    })
  }

  private hear(message: ToWorker): void {
    switch (message.type) {
      case "granted":
        return this.writers.get(message.ticket)?.grant(message.bytes)
      case "refused":
        return this.writers.get(message.ticket)?.refuse()
      case "committed":
        return this.writers.get(message.ticket)?.end(message.stored)
      case "answer":
        this.calls.get(message.call)?.(message.value)
        return void this.calls.delete(message.call)
      case "ping":
        return this.post({ type: "pong", epoch: message.epoch })
      case "gone":
        return this.leave()
    }
  }

  /** There is no keeper any more, or none wanted. */
  private leave(): void {
    if (this.gone) return
    this.gone = true
    if (this.touchTimer !== null) clearTimeout(this.touchTimer)
    for (const writer of [...this.writers.values()]) writer.refuse()
    for (const answer of this.calls.values()) answer(0)
    this.calls.clear()
  }

  private readonly tellTouched = (): void => {
    if (this.touchTimer !== null) clearTimeout(this.touchTimer)
    this.touchTimer = null
    if (this.touched.size === 0) return
    this.post({ type: "touch", names: [...this.touched] })
    this.touched.clear()
  }
}
