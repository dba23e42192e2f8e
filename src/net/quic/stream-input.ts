import type { NativeStream } from "./quic-runtime.ts"
import type { UnreadMeter } from "./unread-meter.ts"
import { afterEvents } from "./after-events.ts"

/** Whom the reading half of a stream reports to. */
export interface InputOwner {
  onChunk(chunk: Uint8Array): void
  onTrailers(pairs: readonly string[]): void
  onInputEnd(): void
  /** More lies unread than may. Nothing more is delivered. */
  onUnreadMax(): void
  /** Trailers can come even where there is no data. */
  readonly mayHaveTrailers: boolean
  /** Reading met an error. */
  onInputFailed(): void
  /** There is nothing more to come; the last call. */
  onInputFinished(): void
  /** Whether the end that the runtime tells is the peer's: it tells the same when the connection is gone. `silentMs` = how long ago the last data came. */
  judgeEnd(silentMs: number): EndVerdict
}

/** `doubtful`: ask again, DOUBT_MS later. */
export type EndVerdict = "real" | "cut" | "doubtful"

/** The runtime tells the end of a connection one turn of its own timer, a millisecond, after the ends of its streams. */
const DOUBT_MS = 3
const HOPS = 4

/**
 * The reading half of a stream. The runtime takes whatever comes and grants the peer more, read or not, and nothing makes it stop. So all is taken from it at once,
 * kept here while the reader pauses, and counted: too much of it ends the stream.
 */
export class StreamInput {
  private readonly owner: InputOwner
  private readonly meter: UnreadMeter
  private batches: AsyncIterator<Uint8Array[]> | null
  private queue: Uint8Array[]
  private head: number
  private unread: number
  private trailers: readonly string[] | null
  private paused: boolean
  private ended: boolean
  private finished: boolean
  private heardAt: number
  private hops: number
  private readonly onBatch: (result: IteratorResult<Uint8Array[]>) => void
  private readonly onFailed: () => void
  private readonly onHop: () => void

  constructor(owner: InputOwner, meter: UnreadMeter) {
    this.owner = owner
    this.meter = meter
    this.batches = null
    this.queue = []
    this.head = 0
    this.unread = 0
    this.trailers = null
    this.paused = false
    this.ended = false
    this.finished = false
    this.heardAt = 0
    this.hops = HOPS
    this.onBatch = result => this.batch(result)
    this.onFailed = () => this.failed()
    this.onHop = () => this.hop()
  }

  get isFinished(): boolean {
    return this.finished
  }

  get isStarted(): boolean {
    return this.batches !== null
  }

  /** Begins to read; once. */
  start(native: NativeStream): void {
    if (this.batches !== null || this.finished) return
    this.batches = native[Symbol.asyncIterator]()
    this.heardAt = performance.now()
    this.pull()
    queueMicrotask(this.onHop)
  }

  /** An end that was there at the first look is told within two of these; the next thing that the runtime tells comes after all of them. */
  private hop(): void {
    if (this.hops > 0 && --this.hops > 0) queueMicrotask(this.onHop)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    if (this.unread > 0 || this.ended) this.deliver()
  }

  /** They are delivered behind the data, which the runtime hands over later. */
  keepTrailers(pairs: readonly string[]): void {
    this.trailers = pairs
  }

  /** Nothing more is wanted; what waits is dropped. */
  finish(): void {
    if (this.finished) return
    this.finished = true
    this.meter.release(this.unread)
    this.unread = 0
    this.queue = []
    this.head = 0
    this.owner.onInputFinished()
  }

  private pull(): void {
    this.batches!.next().then(this.onBatch, this.onFailed)
  }

  private failed(): void {
    this.owner.onInputFailed()
    this.finish()
  }

  private batch({ done, value }: IteratorResult<Uint8Array[]>): void {
    if (this.finished) return
    // Trailers, or the end of the connection, may lie behind this in the runtime's list of things to tell.
    if (done === true) return this.hops > 0 ? this.endedAtOnce() : afterEvents(this)
    this.hops = 0
    this.heardAt = performance.now()
    this.pull()
    for (const chunk of value) {
      this.unread += chunk.length
      this.queue.push(chunk)
      const fits = this.meter.take(chunk.length, this.unread)
      if (!this.paused) this.deliver()
      if (this.finished) return
      if (!fits && this.unread > 0) return this.overflow()
    }
  }

  private overflow(): void {
    this.owner.onUnreadMax()
    this.finish()
  }

  /** The end was there together with the head, so it is the peer's. A request of that kind has no trailers, an answer may. */
  private endedAtOnce(): void {
    if (this.owner.mayHaveTrailers) afterEvents({ run: () => this.endNow() })
    else this.endNow()
  }

  /** The runtime has told everything that came with the end. */
  run(): void {
    if (this.finished) return
    const verdict = this.owner.judgeEnd(performance.now() - this.heardAt)
    if (verdict === "doubtful") setTimeout(() => this.run(), DOUBT_MS)
    else if (verdict === "cut") this.finish()
    else this.endNow()
  }

  private endNow(): void {
    if (this.finished) return
    this.ended = true
    if (!this.paused) this.deliver()
  }

  private deliver(): void {
    while (this.head < this.queue.length && !this.paused) {
      const chunk = this.queue[this.head++]!
      this.unread -= chunk.length
      this.meter.release(chunk.length)
      this.owner.onChunk(chunk)
      if (this.finished) return
    }
    if (this.head < this.queue.length) return
    this.queue.length = 0
    this.head = 0
    if (this.ended && !this.paused) this.deliverEnd()
  }

  private deliverEnd(): void {
    const { trailers, owner } = this
    this.trailers = null
    if (trailers !== null) owner.onTrailers(trailers)
    if (this.finished) return
    if (this.paused) return
    owner.onInputEnd()
    this.finish()
  }
}
