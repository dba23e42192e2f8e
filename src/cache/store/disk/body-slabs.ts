import { crc32 } from "node:zlib"
import { BLOCK, blockSeed, CHECK } from "./file-layout.ts"

const SLAB = 65_536
const SMALL_SLAB = 16_384

/** A file in the making: what goes in are header and body, what comes out are pieces to write, with checksums behind the blocks. */
export class BodySlabs {
  /** Octets of the body so far. */
  bodyLength = 0
  /** Octets of the file so far, taken or not. */
  fileLength = 0
  private readonly version: number
  /** Octets of the whole file; -1 = not known. */
  private readonly fileBytes: number
  private readonly full: Buffer[] = []
  private slab: Buffer | null = null
  private used = 0
  private block = 0
  private inBlock = 0
  private check = 0
  private readonly checkOctets = Buffer.alloc(CHECK)

  constructor(version: number, fileBytes: number) {
    this.version = version
    this.fileBytes = fileBytes
  }

  /** Octets before the body. */
  addPlain(octets: Uint8Array): void {
    for (let from = 0; from < octets.length; ) {
      if (this.slab === null || this.used === this.slab.length) this.nextSlab()
      const room = Math.min(this.slab!.length - this.used, octets.length - from)
      this.slab!.set(room === octets.length ? octets : octets.subarray(from, from + room), this.used)
      this.used += room
      this.fileLength += room
      from += room
    }
  }

  add(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length; ) {
      if (this.inBlock === 0) this.check = blockSeed(this.version, this.block)
      const room = Math.min(BLOCK - this.inBlock, chunk.length - from)
      const part = room === chunk.length ? chunk : chunk.subarray(from, from + room)
      this.check = crc32(part, this.check)
      this.addPlain(part)
      this.inBlock += room
      this.bodyLength += room
      from += room
      if (this.inBlock === BLOCK) this.end()
    }
  }

  /** Ends the block that is open, if any. */
  end(): void {
    if (this.inBlock === 0) return
    this.checkOctets.writeUInt32LE(this.check, 0)
    this.addPlain(this.checkOctets)
    this.inBlock = 0
    this.block++
  }

  /** The next piece, for the caller to keep; null = none. */
  take(): Buffer | null {
    const first = this.full.shift()
    if (first !== undefined) return first
    if (this.slab === null || this.used === 0) return null
    const last = this.slab.subarray(0, this.used)
    this.slab = null
    this.used = 0
    return last
  }

  private nextSlab(): void {
    if (this.slab !== null) this.full.push(this.slab)
    const rest = this.fileBytes < 0 ? (this.fileLength < SMALL_SLAB ? SMALL_SLAB : SLAB) : this.fileBytes - this.fileLength
    this.slab = Buffer.allocUnsafeSlow(Math.max(1, Math.min(SLAB, rest)))
    this.used = 0
  }
}
