import type { ResponseTap } from "../../flow/index.ts"

/** A body as it comes, held up to a limit, for somebody who waits for parts of it. */
export class BodyFeed implements ResponseTap {
  private readonly bytesMax: number
  private readonly chunks: Uint8Array[] = []
  private wake: (() => void) | null = null
  length = 0
  ended = false
  /** There is more of it than may wait. */
  over = false

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** The chunk must stay as it is. */
  chunkCame(chunk: Uint8Array): boolean {
    this.chunks.push(chunk)
    this.length += chunk.length
    if (this.length > this.bytesMax) this.over = true
    this.tell()
    return !this.over
  }

  endCame(): void {
    this.ended = true
    this.tell()
  }

  /** Waits until there are `count` octets, or there will be no more. */
  async atLeast(count: number): Promise<void> {
    while (this.length < count && !this.ended && !this.over) {
      await new Promise<void>(resolve => {
        this.wake = resolve
      })
    }
  }

  isWholeWithin(count: number): boolean {
    return this.ended && this.length <= count
  }

  first(count: number): Buffer {
    return this.slice(0).subarray(0, count)
  }

  /** What is there from `from` on. */
  slice(from: number): Buffer {
    let skip = from
    const parts: Uint8Array[] = []
    for (const chunk of this.chunks) {
      if (skip >= chunk.length) skip -= chunk.length
      else {
        parts.push(skip === 0 ? chunk : chunk.subarray(skip))
        skip = 0
      }
    }
    return Buffer.concat(parts)
  }

  private tell(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }
}
