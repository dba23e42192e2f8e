// HOT
import { FrameWriter } from "./frame-writer.ts"
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_BYTES_MAX,
  FRAME_HEAD,
  FRAME_SIZE_ERROR,
  HEADERS,
  PADDED,
  PROTOCOL_ERROR,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  WITH_PRIORITY,
} from "./frames.ts"

/** An encoded header section may be so many times as long as headBytesMax before the connection ends: up to there the compression state is kept and the request refused. */
const BLOCK_FACTOR = 4
const CONTINUATIONS_MAX = 64

/** Cuts what arrives into frames, and puts header sections together (RFC 9113 sections 4.1 and 4.3). */
export abstract class FrameReader extends FrameWriter {
  /** A frame that has not come whole. */
  private partial: Buffer | null = null
  private partialAt = 0
  /** A header section that CONTINUATION frames go on with; 0 = none. */
  private blockStream = 0
  private blockEnds = false
  private block: Buffer[] = []
  private blockBytes = 0
  /** Monotonic ms since when something unfinished waits for its rest; 0 = nothing does. */
  protected unfinishedSince = 0
  private settled = false

  /** headBytesMax of whoever reads the header sections. */
  protected abstract get headBytesMax(): number
  protected abstract fail(code: number): void
  protected abstract flooded(): void
  /** A frame that brings nothing: true while there are not too many of them. */
  protected abstract spend(): boolean
  protected abstract readData(payload: Buffer, flags: number, id: number): void
  protected abstract readWindow(octets: Buffer, at: number, length: number, id: number): void
  protected abstract readReset(octets: Buffer, at: number, length: number, id: number): void
  protected abstract readControl(payload: Buffer, type: number, flags: number, id: number): void
  /** A whole header section; it must be decoded, whoever it is for. */
  protected abstract onHeaders(id: number, block: Buffer, ends: boolean): void

  protected readFrames(chunk: Buffer): void {
    let at = this.partial === null ? 0 : this.completePartial(chunk)
    while (at >= 0 && !this.closed && chunk.length - at >= FRAME_HEAD) {
      const length = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!
      if (length > FRAME_BYTES_MAX) {
        this.fail(FRAME_SIZE_ERROR)
        return
      }
      if (chunk.length - at < FRAME_HEAD + length) break
      this.readFrame(chunk, at, length)
      at += FRAME_HEAD + length
    }
    if (at >= 0 && !this.closed && at < chunk.length) this.keepPartial(chunk, at)
    else if (this.partial === null && this.blockStream === 0) this.unfinishedSince = 0
  }

  private keepPartial(chunk: Buffer, at: number): void {
    const left = chunk.length - at
    const bytes = left < FRAME_HEAD ? FRAME_HEAD : FRAME_HEAD + ((chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!)
    const partial = Buffer.allocUnsafeSlow(bytes)
    chunk.copy(partial, 0, at)
    this.partial = partial
    this.partialAt = left
    // Of DATA each part is as good as the whole: its stream has the patience that it has.
    if (this.unfinishedSince === 0 && (left < FRAME_HEAD || partial[3] !== DATA)) this.unfinishedSince = this.time.clock.now()
  }

  /** Adds what the chunk has of a frame that was cut. Returns where the next frame begins, or -1 when there is none. */
  private completePartial(chunk: Buffer): number {
    let at = 0
    for (;;) {
      const partial = this.partial!
      const take = Math.min(partial.length - this.partialAt, chunk.length - at)
      chunk.copy(partial, this.partialAt, at, at + take)
      this.partialAt += take
      at += take
      if (this.partialAt < partial.length) return -1
      const length = (partial[0]! << 16) | (partial[1]! << 8) | partial[2]!
      if (length > FRAME_BYTES_MAX) {
        this.fail(FRAME_SIZE_ERROR)
        return -1
      }
      if (partial.length === FRAME_HEAD + length) {
        this.partial = null
        if (this.blockStream === 0) this.unfinishedSince = 0
        this.readFrame(partial, 0, length)
        return at
      }
      this.partial = Buffer.allocUnsafeSlow(FRAME_HEAD + length)
      partial.copy(this.partial, 0)
      if (partial[3] === DATA && this.blockStream === 0 && this.settled) this.unfinishedSince = 0
    }
  }

  private readFrame(octets: Buffer, at: number, length: number): void {
    const type = octets[at + 3]!
    const flags = octets[at + 4]!
    const id = octets.readUInt32BE(at + 5) & 0x7fffffff
    const start = at + FRAME_HEAD
    if (this.blockStream !== 0 && (type !== CONTINUATION || id !== this.blockStream)) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    if (!this.settled) {
      if (type !== SETTINGS || (flags & ACK) !== 0) {
        this.fail(PROTOCOL_ERROR)
        return
      }
      this.settled = true
    }
    switch (type) {
      case DATA:
        this.readData(octets.subarray(start, start + length), flags, id)
        return
      case HEADERS:
        this.readHeaders(octets.subarray(start, start + length), flags, id)
        return
      case CONTINUATION:
        this.readContinuation(octets.subarray(start, start + length), flags)
        return
      case WINDOW_UPDATE:
        this.readWindow(octets, start, length, id)
        return
      case RST_STREAM:
        this.readReset(octets, start, length, id)
        return
      default:
        this.readControl(octets.subarray(start, start + length), type, flags, id)
    }
  }

  private readHeaders(payload: Buffer, flags: number, id: number): void {
    if (id === 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    // Too short for what it must have (section 4.2).
    if (payload.length < ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & WITH_PRIORITY) !== 0 ? 5 : 0)) {
      this.fail(FRAME_SIZE_ERROR)
      return
    }
    let fragment = unpadded(payload, flags)
    if (fragment !== null && (flags & WITH_PRIORITY) !== 0) fragment = fragment.length < 5 ? null : fragment
    if (fragment === null) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    if ((flags & WITH_PRIORITY) !== 0) {
      if ((fragment.readUInt32BE(0) & 0x7fffffff) === id) {
        this.fail(PROTOCOL_ERROR)
        return
      }
      fragment = fragment.subarray(5)
    }
    const ends = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) {
      this.onHeaders(id, fragment, ends)
      return
    }
    this.blockStream = id
    this.blockEnds = ends
    this.block = [Buffer.from(fragment)]
    this.blockBytes = fragment.length
    this.unfinishedSince = this.time.clock.now()
  }

  private readContinuation(payload: Buffer, flags: number): void {
    if (this.blockStream === 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    const ends = (flags & END_HEADERS) !== 0
    this.blockBytes += payload.length
    this.block.push(Buffer.from(payload))
    if (
      this.blockBytes > this.headBytesMax * BLOCK_FACTOR ||
      this.block.length > CONTINUATIONS_MAX ||
      (payload.length === 0 && !ends && !this.spend())
    ) {
      this.flooded()
      return
    }
    if (!ends) return
    const id = this.blockStream
    const whole = Buffer.concat(this.block)
    this.blockStream = 0
    this.block = []
    this.unfinishedSince = 0
    this.onHeaders(id, whole, this.blockEnds)
  }

  /** DATA of this stream has come in part. */
  isArriving(id: number): boolean {
    const { partial } = this
    return partial !== null && partial.length > FRAME_HEAD && partial[3] === DATA && (partial.readUInt32BE(5) & 0x7fffffff) === id
  }

  protected dropPartial(): void {
    this.partial = null
    this.block = []
  }
}

/** A payload without its padding; null = there is more padding than payload (RFC 9113 section 6.1). */
export function unpadded(payload: Buffer, flags: number): Buffer | null {
  if ((flags & PADDED) === 0) return payload
  if (payload.length === 0) return null
  const end = payload.length - payload[0]!
  return end < 1 ? null : payload.subarray(1, end)
}
