// HOT
import { assert, Timer, type TimerOwner } from "../../base/index.ts"
import { Backlog } from "../h1/backlog.ts"
import type { H2Connection } from "./connection.ts"
import { PROGRESS_BYTES } from "./frame-writer.ts"
import { Stash } from "./stash.ts"
import type { StreamTunnel, TunnelStream } from "./stream-tunnel.ts"

/** DATA frames below this are put together where many come at once. */
const SMALL_BYTES = 512
/** Urgency of a stream that says nothing of it (RFC 9218 section 4.1). */
const URGENCY_DEFAULT = 3

/**
 * One exchange on a connection that carries many: two halves that end apart, each with a flow-control window.
 *
 *   send ──> written at once as far as windows and socket allow, the rest waits in `pending` for the connection's turn
 *   receiveData ──> deliver, or `stash` while the receiver is paused; only what was delivered opens the window again
 */
export abstract class H2Stream implements TimerOwner, Omit<TunnelStream, "tunnelAbort"> {
  /** 0 = it has none yet. */
  id: number
  readonly connection: H2Connection
  sendWindow: number
  /** Octets that the other side may still send before we have taken some. */
  private receiveLeft: number
  private pending: Backlog | null = null
  pendingBytes = 0
  private endPending = false
  private trailersOut = ""
  /** The source was told to wait. */
  private full = false
  /** We have sent our last octet, or given the rest up. */
  localEnded = false
  /** Everything of the other side has been read off the wire. */
  remoteEnded = false
  private trailersIn = ""
  /** The end has been delivered, too. */
  protected told = false
  protected paused = false
  private stash: Stash | null = null
  /** The read of the connection that brought the last DATA. */
  private seenIn = 0
  closed = false
  urgency = URGENCY_DEFAULT
  /** Shares its turn with others of the same urgency; also whoever has said nothing. */
  incremental = true
  /** It stands in the connection's list of those that wait to send. */
  queued = false
  /** Octets that Content-Length promised and that have not come; -1 = it promised nothing. */
  protected promised = -1
  protected tunnel: StreamTunnel | null = null
  private timer: Timer | null = null
  /** Octets sent since `sentAt`. */
  private sentBytes = 0
  /** Monotonic ms of the last octets sent, as far as they were worth waiting for, and received. */
  protected sentAt = 0
  protected gotAt = 0

  constructor(id: number, connection: H2Connection) {
    this.id = id
    this.connection = connection
    this.sendWindow = connection.peer.window
    this.receiveLeft = connection.tuning.streamWindow
  }

  // ---- sending

  /** Takes all of it; false = the source should wait for `onSendDrain`. */
  protected send(chunk: Uint8Array): boolean {
    assert(!this.localEnded && !this.endPending, "nothing follows the end")
    if (this.closed || chunk.length === 0) return !this.full
    const sent = this.pendingBytes === 0 ? this.connection.writeData(this, chunk, 0) : 0
    if (sent < chunk.length) this.queue(chunk, sent)
    return this.roomLeft()
  }

  protected sendLatin1(text: string): boolean {
    if (this.closed || text.length === 0) return !this.full
    if (this.pendingBytes === 0 && this.connection.writeDataText(this, text)) return this.roomLeft()
    return this.send(Buffer.from(text, "latin1"))
  }

  private queue(chunk: Uint8Array, from: number): void {
    if (this.pending === null) this.pending = new Backlog()
    this.pending.add(chunk, from)
    const waits = this.pendingBytes > 0
    this.pendingBytes += chunk.length - from
    this.connection.enqueue(this)
    if (!waits) {
      this.sentAt = this.connection.now()
      this.sentBytes = 0
      this.watch()
    }
    // What could be sent of it goes out now: the rest may wait for ever, and nobody flushes behind a body that has ended.
    this.connection.flushSoon()
  }

  protected roomLeft(): boolean {
    const full = this.pendingBytes > 0 || this.connection.blocked
    if (full && !this.full) {
      this.full = true
      this.connection.waits(this)
    }
    return !full
  }

  /** The connection's turn for this stream: one frame of what waits. False = nothing could be sent. */
  sendPending(): boolean {
    const piece = this.pending!.next!
    const sent = this.connection.writeFrame(this, piece)
    if (sent === 0) return false
    this.pending!.take(sent)
    this.pendingBytes -= sent
    this.sentBytes += sent
    if (this.sentBytes >= PROGRESS_BYTES) {
      this.sentBytes = 0
      this.sentAt = this.connection.now()
    }
    if (this.pendingBytes === 0 && this.endPending) this.finish()
    return true
  }

  /** The source may go on when nothing waits any more. */
  drained(): void {
    if (!this.full || this.pendingBytes > 0 || this.connection.blocked) return
    this.full = false
    if (!this.closed && !this.localEnded) this.onSendDrain()
  }

  /** The body is complete; `trailers` are ready-made lines or "". */
  protected end(trailers: string): void {
    if (this.closed || this.localEnded || this.endPending) return
    this.endPending = true
    this.trailersOut = trailers
    if (this.pendingBytes === 0) this.finish()
  }

  private finish(): void {
    this.endPending = false
    this.localEnded = true
    this.connection.writeEnd(this, this.trailersOut)
    this.trailersOut = ""
    this.onLocalEnd()
    this.settle()
  }

  /** END_STREAM is written. */
  protected abstract onLocalEnd(): void
  protected abstract onSendDrain(): void

  // ---- receiving

  /** Counts against the window; false = the other side has sent more than it may. */
  account(bytes: number): boolean {
    this.receiveLeft -= bytes
    return this.receiveLeft >= 0
  }

  /** `padding`: octets that count against the window and bring nothing. */
  receiveData(chunk: Buffer, padding: number): void {
    // Counted as it comes: the end may come while some of it is kept back.
    if (this.promised >= 0) {
      this.promised -= chunk.length
      if (this.promised < 0) {
        this.onSurplus()
        return
      }
    }
    this.gotAt = this.connection.now()
    if (chunk.length === 0) {
      this.consumed(padding)
      return
    }
    const { reads } = this.connection
    // Many small frames of one read go on as one: each by itself would cost a hundred times its octets further on.
    const joins = chunk.length < SMALL_BYTES && this.seenIn === reads
    this.seenIn = reads
    if (joins || this.paused || this.stash !== null) {
      if (this.stash === null) {
        this.stash = new Stash()
        if (!this.paused) this.connection.hold(this)
      }
      this.stash.add(chunk)
      this.consumed(padding)
      return
    }
    this.deliver(chunk)
    this.consumed(chunk.length + padding)
  }

  receiveEnd(trailers: string): void {
    this.remoteEnded = true
    this.trailersIn = trailers
    if (this.stash === null && !this.paused) this.tellEnd()
  }

  private tellEnd(): void {
    if (this.told) return
    this.told = true
    this.deliverEnd(this.trailersIn)
    this.settle()
  }

  protected abstract deliver(chunk: Buffer): void
  protected abstract deliverEnd(trailers: string): void

  private consumed(bytes: number): void {
    if (this.closed || this.remoteEnded) return
    this.unreported += bytes
    if (this.unreported < this.connection.tuning.streamWindow / 2) return
    this.receiveLeft += this.unreported
    this.connection.openWindow(this.id, this.unreported)
    this.unreported = 0
  }

  private unreported = 0

  protected pause(): void {
    this.paused = true
  }

  protected resume(): void {
    if (!this.paused) return
    this.paused = false
    this.gotAt = this.connection.now()
    this.unstash()
    this.connection.flushSoon()
  }

  /** Hands on what was held back, as far as it is taken, and then the end. */
  unstash(): void {
    const stash = this.stash
    if (stash !== null) {
      while (!stash.empty && !this.paused && !this.closed) {
        const chunk = stash.take()
        this.deliver(chunk)
        this.consumed(chunk.length)
      }
      if (!stash.empty) return
      this.stash = null
    }
    if (this.remoteEnded && !this.paused && !this.closed) this.tellEnd()
  }

  /** Nobody takes the rest of what comes any more. */
  protected dropRest(): void {
    this.stash = null
    this.told = this.remoteEnded
  }

  // ---- ends

  /** Both halves are over: the stream is. */
  protected settle(): void {
    if (this.localEnded && this.remoteEnded && this.told) this.close()
  }

  /** Gives the stream up with this error code. */
  reset(code: number): void {
    if (this.closed) return
    this.connection.writeReset(this.id, code)
    this.close()
  }

  /** Takes the stream off its connection, without a word. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.localEnded = true
    this.endPending = false
    this.pendingBytes = 0
    if (this.pending !== null) this.pending.clear()
    this.stash = null
    if (this.timer !== null) this.connection.wheel.cancel(this.timer)
    this.connection.forget(this)
    this.onClosed()
  }

  /** Both halves are over, or the stream was given up. */
  private onClosed(): void {
    if (this.tunnel !== null) this.tunnel.gone()
  }

  /** All that was promised has come. */
  lengthIsRight(): boolean {
    return this.promised <= 0
  }

  /** More has come than was promised. */
  protected abstract onSurplus(): void

  // ---- under a tunnel

  tunnelWrite(chunk: Uint8Array): boolean {
    const room = this.send(chunk)
    this.connection.flushSoon()
    return room
  }

  tunnelFinish(): void {
    this.end("")
  }

  tunnelPause(): void {
    this.pause()
  }

  tunnelResume(): void {
    this.resume()
  }

  /** The other side gave the stream up; it is closed already. */
  abstract onReset(code: number): void

  // ---- time

  /** Something is waited for: the timer looks after it. */
  protected watch(): void {
    if (this.timer === null) this.timer = new Timer(this)
    if (this.closed) return
    const due = this.dueAt()
    if (due > 0 && !(this.timer.scheduled && this.timer.deadline <= due)) this.connection.wheel.schedule(this.timer, due)
  }

  onTimer(): void {
    if (this.closed) return
    const due = this.dueAt()
    if (due === 0) return
    if (due <= this.connection.now()) this.onOverdue()
    else this.connection.wheel.schedule(this.timer!, due)
  }

  /** Monotonic ms when patience ends; 0 = nothing is waited for. */
  protected abstract dueAt(): number
  protected abstract onOverdue(): void
}
