import type { FieldBlock, NativeStream, NativeWriter } from "./quic-runtime.ts"
import { noop } from "./quic-runtime.ts"

/** Whom the writing half of a stream reports to. */
export interface OutputOwner {
  onOutputDrain(): void
  /** The peer wants no more. */
  onOutputStopped(): void
}

/** The runtime copies a chunk as often as it cannot send it whole. */
const PIECE_BYTES = 64 * 1024
const FIRST_BYTES = 16 * 1024
const DRAINABLE = Symbol.for("Stream.drainableProtocol")

/** The writing half of a stream: what the runtime does not take waits here, in the caller's order. */
export class StreamOutput {
  private readonly owner: OutputOwner
  private native: NativeStream | null
  private writer: NativeWriter | null
  private pending: Uint8Array[]
  private waitsForDrain: boolean
  private owesDrain: boolean
  private endWanted: boolean
  private trailers: FieldBlock | null
  private closed: boolean
  /** The first chunk, kept for a moment: a body that is one chunk goes to the runtime in one call with its end, which saves a packet. */
  private first: Uint8Array | null
  private readonly onFirst: () => void
  private readonly onRoom: () => void

  constructor(owner: OutputOwner) {
    this.owner = owner
    this.native = null
    this.writer = null
    this.pending = []
    this.waitsForDrain = false
    this.owesDrain = false
    this.endWanted = false
    this.trailers = null
    this.closed = false
    this.first = null
    this.onFirst = () => this.passFirst()
    this.onRoom = () => this.room()
  }

  /** The stream exists from now on. */
  attach(native: NativeStream): void {
    if (this.closed) return
    this.native = native
    this.flush()
  }

  get isEnded(): boolean {
    return this.closed || this.endWanted
  }

  /** Takes the chunk in any case, and copies what it cannot pass on. False: wait for the drain. */
  write(chunk: Uint8Array): boolean {
    if (this.isEnded) return true
    if (this.native === null || this.pending.length > 0 || this.waitsForDrain) {
      this.pending.push(new Uint8Array(chunk))
      return this.owed()
    }
    if (this.writer === null && this.first === null && chunk.length <= FIRST_BYTES) return this.keepFirst(chunk)
    this.passFirst()
    return this.writeNow(chunk)
  }

  private keepFirst(chunk: Uint8Array): boolean {
    this.first = new Uint8Array(chunk)
    queueMicrotask(this.onFirst)
    return true
  }

  private passFirst(): void {
    const { first } = this
    this.first = null
    if (first !== null && !this.closed) this.writeNow(first)
  }

  private writeNow(chunk: Uint8Array): boolean {
    const taken = this.pass(chunk)
    if (taken < chunk.length) this.pending.push(new Uint8Array(chunk.subarray(taken)))
    if (this.closed) return true
    const full = this.pending.length > 0 || this.writer!.desiredSize === 0
    if (!full) return true
    this.awaitRoom()
    return this.owed()
  }

  private owed(): boolean {
    this.owesDrain = true
    return false
  }

  /** Closes the half when all has been passed on, with trailers when there are some. */
  end(trailers: FieldBlock | null): void {
    if (this.isEnded) return
    this.endWanted = true
    this.trailers = trailers
    if (trailers !== null) this.passFirst()
    if (this.native !== null && this.pending.length === 0 && !this.waitsForDrain) this.finish()
  }

  /** Nothing can be written any more: the half was closed by its last header section, reset, or is gone. */
  close(): void {
    this.closed = true
    this.first = null
    this.pending = []
    this.native = null
    this.writer = null
  }

  /** Answers how many octets the runtime took. */
  private pass(chunk: Uint8Array): number {
    this.writer ??= this.native!.writer
    const { writer } = this
    let at = 0
    while (at < chunk.length) {
      const size = writer.desiredSize
      if (size === null) {
        this.stopped()
        return chunk.length
      }
      const piece = chunk.length - at <= PIECE_BYTES ? chunk.subarray(at) : chunk.subarray(at, at + PIECE_BYTES)
      if (size === 0 || !writer.writeSync(piece)) break
      at += piece.length
    }
    return at
  }

  private stopped(): void {
    if (this.closed) return
    this.close()
    this.owner.onOutputStopped()
  }

  private awaitRoom(): void {
    if (this.waitsForDrain || this.writer === null) return
    const room = (this.writer as unknown as Record<symbol, () => Promise<unknown> | null>)[DRAINABLE]!()
    this.waitsForDrain = true
    if (room === null) queueMicrotask(this.onRoom)
    else room.then(this.onRoom, noop)
  }

  private room(): void {
    this.waitsForDrain = false
    if (!this.closed) this.flush()
  }

  private flush(): void {
    while (this.pending.length > 0) {
      const chunk = this.pending[0]!
      const taken = this.pass(chunk)
      if (this.closed) return
      if (taken < chunk.length) {
        this.pending[0] = chunk.subarray(taken)
        return this.awaitRoom()
      }
      this.pending.shift()
    }
    if (this.writer !== null && this.writer.desiredSize === 0) return this.awaitRoom()
    if (this.endWanted) return this.finish()
    if (!this.owesDrain) return
    this.owesDrain = false
    this.owner.onOutputDrain()
  }

  private finish(): void {
    const { native, trailers, first } = this
    if (native === null || this.closed) return
    if (first !== null) {
      this.first = null
      return native.setBody(first)
    }
    this.writer ??= native.writer
    if (trailers !== null) {
      // The runtime asks for them when the data is through, if somebody listens to its asking before the end is written.
      native.pendingTrailers = trailers
      native.onwanttrailers = noop
    }
    this.writer.endSync()
  }
}
