import type { BodyChange } from "../../flow/index.ts"

const NOTHING = new Uint8Array(0)

/** Keeps what passes, up to a limit, and hands everything on as it is. */
export class BodyCopy implements BodyChange {
  readonly keepsOctets = true
  trailers = ""
  private chunks: Buffer[] = []
  private bytes = 0
  private readonly bytesMax: number
  private readonly done: (body: Buffer | null) => void

  /** `done`: told once when the body is whole, with null when it is too long. */
  constructor(bytesMax: number, done: (body: Buffer | null) => void) {
    this.bytesMax = bytesMax
    this.done = done
  }

  push(chunk: Uint8Array): Uint8Array {
    this.bytes += chunk.length
    // Chunks are lent.
    if (this.bytes <= this.bytesMax) this.chunks.push(Buffer.from(chunk))
    else if (this.chunks.length > 0) this.chunks = []
    return chunk
  }

  end(trailers: string): Uint8Array {
    this.trailers = trailers
    this.done(this.bytes > this.bytesMax ? null : Buffer.concat(this.chunks))
    this.chunks = []
    return NOTHING
  }
}
