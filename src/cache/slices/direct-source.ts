import type { Exchange } from "../../flow/index.ts"
import type { BodySource } from "../entry-reader.ts"

const NOTHING = new Uint8Array(0)

/** The body of a slice for which there is no room: it goes from its fetch to the one who reads it, chunk by chunk, and the upstream waits for that. */
export class DirectSource implements BodySource {
  readonly bodyLength: number
  readonly quiet = false
  ended = false
  failed = false
  private readonly f: Exchange
  private readonly onRelease: () => void
  private chunk: Uint8Array | null = null
  private from = 0
  /** The upstream was told to wait. */
  private waits = false
  private watcher: (() => void) | null = null

  constructor(f: Exchange, bodyLength: number, onRelease: () => void) {
    this.f = f
    this.bodyLength = bodyLength
    this.onRelease = onRelease
  }

  /** False = the upstream is to wait. */
  push(chunk: Uint8Array): boolean {
    this.chunk = this.chunk === null ? Buffer.from(chunk) : Buffer.concat([this.chunk, chunk])
    this.tell()
    this.waits = this.chunk !== null
    return !this.waits
  }

  end(): void {
    this.ended = true
    this.tell()
  }

  fail(): void {
    this.ended = true
    this.failed = true
    this.tell()
  }

  piece(at: number, max = Number.POSITIVE_INFINITY): Uint8Array {
    const { chunk } = this
    if (chunk === null || at < this.from) return NOTHING
    if (at < this.from + chunk.length) return chunk.subarray(at - this.from, Math.min(chunk.length, at - this.from + max))
    this.take(chunk.length)
    return NOTHING
  }

  private take(octets: number): void {
    this.chunk = null
    this.from += octets
    if (!this.waits) return
    this.waits = false
    // Not from within a read: what drains comes as the next chunk.
    queueMicrotask(() => {
      if (!this.ended) this.f.onDownDrain()
    })
  }

  private tell(): void {
    const { watcher } = this
    this.watcher = null
    watcher?.()
  }

  watch(changed: () => void): void {
    this.watcher = changed
  }

  unwatch(): void {
    this.watcher = null
  }

  release(): void {
    this.watcher = null
    if (!this.ended) this.onRelease()
  }
}
