// HOT
import type { BodyChange } from "../../flow/index.ts"

const NOTHING = new Uint8Array(0)

/** Keeps the beginning of a body that goes by. */
export class Capture implements BodyChange {
  readonly keepsOctets = true
  trailers = ""
  /** Octets of the whole body. */
  bytes = 0
  /** What the message says of this body, at the place where it is kept. */
  readonly contentType: string
  readonly coding: string
  private readonly bytesMax: number
  private kept: Buffer[] = []
  private keptBytes = 0

  constructor(bytesMax: number, contentType: string, coding: string) {
    this.bytesMax = bytesMax
    this.contentType = contentType
    this.coding = coding
  }

  push(chunk: Uint8Array): Uint8Array {
    this.bytes += chunk.length
    const room = this.bytesMax - this.keptBytes
    if (room > 0) {
      // A copy: the chunk is lent.
      const part = Buffer.from(chunk.length > room ? chunk.subarray(0, room) : chunk)
      this.kept.push(part)
      this.keptBytes += part.length
    }
    return chunk
  }

  end(trailers: string): Uint8Array {
    this.trailers = trailers
    return NOTHING
  }

  get isCut(): boolean {
    return this.bytes > this.keptBytes
  }

  /** As UTF-8; half a character at the end is none. */
  text(): string {
    const all = Buffer.concat(this.kept)
    return new TextDecoder().decode(all, { stream: this.isCut })
  }
}
