import { crc32 } from "node:zlib"
import type { CacheKey } from "../contract.ts"
import type { DiskEntry } from "./disk-contract.ts"
import { codeOf, type DiskLink } from "./disk-link.ts"
import { nameOf, pathOf } from "./entry-name.ts"
import {
  BLOCK,
  blockSeed,
  blockStart,
  bodyStart,
  bodyStartOf,
  CHECK,
  decodeHeader,
  decodeSlots,
  type EntryFacts,
  FIXED,
  isMarked,
  storedBytes,
} from "./file-layout.ts"

/** Octets of the first read: head and body of most entries. */
const FIRST_READ = 32_768
const nothing = new Uint8Array(0)

/** Opens the entry of a key and checks all but the body. null = a miss; what is damaged is reported and goes. `place` is among the worker's open files. */
export async function openEntry(link: DiskLink, key: CacheKey, place: number, closed: () => void): Promise<DiskEntry | null> {
  const name = nameOf(key.text)
  let fd: number
  try {
    fd = await link.files.open(pathOf(link.settings.path, name))
  } catch (error) {
    if (codeOf(error) === "ENOENT") link.post({ type: "missing", key: key.text })
    else readFailed(link, name, codeOf(error))
    closed()
    return null
  }
  link.shared.noteOpen(link.self, place, fd)
  const file = new OpenEntry(link, name, place, fd, closed)
  try {
    return (await file.check(key)) ? file : await file.giveUp()
  } catch (error) {
    readFailed(link, name, codeOf(error))
    file.close()
    return null
  }
}

/** A link, a folder: no file that the store made. */
const notPlain = new Set(["ELOOP", "EISDIR"])

function readFailed(link: DiskLink, name: string, code: string): void {
  if (notPlain.has(code)) {
    link.shared.count("damageFaults")
    return link.post({ type: "damaged", name, ino: -1 })
  }
  link.shared.count("readFaults")
  link.post({ type: "trouble", writing: false, code })
}

class OpenEntry implements DiskEntry {
  head: Uint8Array = nothing
  marked = false
  private readonly link: DiskLink
  private readonly name: string
  private readonly place: number
  private readonly closed: () => void
  private fd: number
  private facts: EntryFacts | null = null
  private start = 0
  private blockIndex = -1
  private block: Uint8Array = nothing
  private busy = false
  private over = false

  constructor(link: DiskLink, name: string, place: number, fd: number, closed: () => void) {
    this.link = link
    this.name = name
    this.place = place
    this.fd = fd
    this.closed = closed
  }

  get bodyLength(): number {
    return this.facts!.bodyLength
  }

  get version(): number {
    return this.facts!.version
  }

  /** Reads header and head; false = damaged. What looks damaged is read once more: the keeper may have been about to write new heads. */
  async check(key: CacheKey): Promise<boolean> {
    return (await this.readStart(key)) || this.readStart(key)
  }

  private async readStart(key: CacheKey): Promise<boolean> {
    const { files } = this.link
    let octets = Buffer.allocUnsafeSlow(FIRST_READ)
    octets = octets.subarray(0, await files.read(this.fd, octets, 0))
    const start = bodyStartOf(octets)
    if (start < 0) return false
    let size = octets.length
    if (size === FIRST_READ) {
      size = (await files.stat(this.fd)).size
      if (start > size) return false
      if (start > octets.length) {
        octets = Buffer.allocUnsafeSlow(start)
        if ((await files.read(this.fd, octets, 0)) < start) return false
      }
    }
    return this.take(key, octets, size)
  }

  private take(key: CacheKey, octets: Buffer, size: number): boolean {
    const facts = octets.length < FIXED ? null : decodeHeader(octets)
    if (facts === null || facts.key !== key.text || facts.bodyLength < 0) return false
    const start = bodyStart(facts)
    const slot = decodeSlots(facts, octets)
    if (slot === null || size !== start + storedBytes(facts.bodyLength)) return false
    this.facts = facts
    this.start = start
    this.head = slot.head
    this.marked = isMarked(octets)
    if (octets.length < size) return true
    // All of it is here.
    if (facts.bodyLength > 0 && !this.verify(0, octets.subarray(start))) return false
    this.closeFile()
    return true
  }

  /** Takes a block, its checksum behind it, when that fits. */
  private verify(index: number, octets: Buffer): boolean {
    const length = octets.length - CHECK
    const body = octets.subarray(0, length)
    if (crc32(body, blockSeed(this.facts!.version, index)) !== octets.readUInt32LE(length)) return false
    this.blockIndex = index
    this.block = body
    return true
  }

  async read(at: number, max: number): Promise<Uint8Array | null> {
    if (this.over || this.busy || at < 0 || at > this.bodyLength) return null
    if (at === this.bodyLength || max <= 0) return nothing
    const index = Math.floor(at / BLOCK)
    if (index !== this.blockIndex) {
      this.busy = true
      const there = await this.readBlock(index)
      this.busy = false
      if (this.over) this.closeFile()
      if (!there) return null
    }
    const from = at - index * BLOCK
    return this.block.subarray(from, Math.min(this.block.length, from + max))
  }

  private async readBlock(index: number): Promise<boolean> {
    const octets = Buffer.allocUnsafeSlow(Math.min(BLOCK, this.bodyLength - index * BLOCK) + CHECK)
    try {
      const got = await this.link.files.read(this.fd, octets, this.start + blockStart(index))
      if (got === octets.length && this.verify(index, octets)) return true
      await this.reportDamage()
    } catch (error) {
      readFailed(this.link, this.name, codeOf(error))
      // A bad sector stays bad.
      if (codeOf(error) === "EIO") await this.reportDamage().catch(() => {})
    }
    return false
  }

  private async reportDamage(): Promise<void> {
    const { ino } = await this.link.files.stat(this.fd)
    this.link.shared.count("damageFaults")
    this.link.post({ type: "damaged", name: this.name, ino })
  }

  async giveUp(): Promise<null> {
    await this.reportDamage()
    this.close()
    return null
  }

  close(): void {
    if (this.over) return
    this.over = true
    if (!this.busy) this.closeFile()
  }

  private closeFile(): void {
    if (this.fd < 0) return
    this.link.shared.noteClosed(this.link.self, this.place)
    this.link.files.close(this.fd)
    this.fd = -1
    this.closed()
  }
}
