// HOT
import { type Fault, FAULT } from "../../base/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../../net/index.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection } from "../sides.ts"
import { H2Connection } from "./connection.ts"
import { FrameBudget } from "./frame-budget.ts"
import {
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  NO_ERROR,
  PREFACE,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  SET_CONNECT_PROTOCOL,
  SET_HEADER_LIST,
  SET_NO_PRIORITIES,
  SET_STREAMS,
  SET_WINDOW,
  STREAM_CLOSED,
} from "./frames.ts"
import type { HpackEncoder } from "./hpack/encoder.ts"
import { priority, readPriority } from "./priority.ts"
import { requestFields } from "./request-fields.ts"
import { ServerStream } from "./server-stream.ts"
import type { H2Stream } from "./stream.ts"
import { noFields, trailerFields } from "./trailer-fields.ts"
import { h2Tuning } from "./tuning.ts"

const LAST_STREAM = 0x7fffffff
/** After the first GOAWAY: what the client had sent by then is taken (RFC 9113 section 6.8). */
const LAST_REQUESTS_MS = 1000
/** A client with requests under way that is silent for so long is asked whether it is still there, and has as long to answer. */
const SILENCE_MS = 30_000

/** One client connection that speaks HTTP/2: each stream is an exchange. */
export class H2ServerConnection extends H2Connection implements WireHandler, DownstreamConnection {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  /** Octets of the client's preface that have come. */
  private greeted = 0
  private lastId = 0
  /** The highest stream that will still be served; all until we go away. */
  private servedTo = LAST_STREAM
  private requests = 0
  private idleSince: number
  private leavingSince = 0
  private pingedAt = 0
  private readonly resetBudget = new FrameBudget()
  private readonly controlBudget = new FrameBudget()

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks) {
    super(wire, hooks.time, hooks.h2Tuning ?? h2Tuning)
    this.info = info
    this.hooks = hooks
    this.peer.pushMax = 1
    this.idleSince = this.now()
    this.unfinishedSince = this.idleSince
    this.writeSettings()
    if (hooks.closing) this.closeIdle()
    this.arm()
  }

  private writeSettings(): void {
    const { streamsMax, headBytesMax } = this.hooks.limits
    const pairs = [
      SET_STREAMS,
      streamsMax,
      SET_WINDOW,
      this.tuning.streamWindow,
      SET_HEADER_LIST,
      headBytesMax,
      SET_CONNECT_PROTOCOL,
      1,
      SET_NO_PRIORITIES,
      1,
    ]
    this.announce(pairs, this.tuning.connectionWindow)
  }

  protected get headBytesMax(): number {
    return this.hooks.limits.headBytesMax
  }

  protected override encodeLead(lead: string, encoder: HpackEncoder, out: Buffer, at: number): number {
    return lead === "" ? at : encoder.status(Number(lead), out, at)
  }

  // ---- reading

  protected override readFrames(chunk: Buffer): void {
    if (this.greeted === PREFACE.length) {
      super.readFrames(chunk)
      return
    }
    const count = Math.min(chunk.length, PREFACE.length - this.greeted)
    if (PREFACE.compare(chunk, 0, count, this.greeted, this.greeted + count) !== 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    this.greeted += count
    if (count < chunk.length) super.readFrames(chunk.subarray(count))
  }

  protected onHeaders(id: number, block: Buffer, ends: boolean): void {
    const stream = this.streams.get(id) as ServerStream | undefined
    if (stream !== undefined) {
      this.trailersCame(stream, block, ends)
      return
    }
    if ((id & 1) === 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    if (id <= this.lastId) {
      if (!this.decode(block, noFields)) this.fail(COMPRESSION_ERROR)
      else if (!this.resets.has(id)) this.fail(STREAM_CLOSED)
      else this.spend()
      return
    }
    this.lastId = id
    if (this.servedTo < id || this.streamCount >= this.hooks.limits.streamsMax) this.refuseStream(id, block)
    else this.requestCame(id, block, ends)
  }

  /** Nothing of it has been looked at: the client may ask anew, elsewhere or later (RFC 9113 section 8.7). */
  private refuseStream(id: number, block: Buffer): void {
    if (!this.decode(block, noFields)) this.fail(COMPRESSION_ERROR)
    else {
      this.writeReset(id, REFUSED_STREAM)
      this.countReset()
    }
  }

  private requestCame(id: number, block: Buffer, ends: boolean): void {
    const { hooks } = this
    const stream = new ServerStream(id, this)
    const m = hooks.acquire(stream)
    requestFields.begin(m, hooks.limits, hooks.forward)
    if (!this.decode(block, requestFields)) {
      hooks.recycle(m)
      this.fail(COMPRESSION_ERROR)
      return
    }
    const trailers = requestFields.trailers
    const fault = requestFields.finish(ends)
    this.streams.set(id, stream)
    m.startedAt = this.now()
    this.requests++
    if (hooks.limits.requestsMax > 0 && this.requests >= hooks.limits.requestsMax) this.closeIdle()
    stream.begin(m, ends, trailers, fault)
  }

  private trailersCame(stream: ServerStream, block: Buffer, ends: boolean): void {
    trailerFields.begin()
    if (!this.decode(block, trailerFields)) {
      this.fail(COMPRESSION_ERROR)
      return
    }
    if (stream.remoteEnded) {
      this.streamError(stream.id, STREAM_CLOSED)
      return
    }
    const lines = trailerFields.finish()
    if (!ends || lines === null || !stream.lengthIsRight()) this.streamError(stream.id, PROTOCOL_ERROR)
    else stream.receiveEnd(lines)
  }

  protected override onDataEnd(stream: H2Stream): void {
    if ((stream as ServerStream).lengthIsRight()) stream.receiveEnd("")
    else this.streamError(stream.id, PROTOCOL_ERROR)
  }

  protected isIdle(id: number): boolean {
    return id > this.lastId || (id & 1) === 0
  }

  protected onPriority(id: number, value: string): void {
    // Stream 0, and a push that we have not promised (RFC 9218 section 7.1).
    if ((id & 1) === 0) this.fail(PROTOCOL_ERROR)
    const stream = this.streams.get(id)
    if (stream === undefined) return
    readPriority(value)
    stream.urgency = priority.urgency
    stream.incremental = priority.incremental
  }

  // ---- what it costs

  protected spend(): boolean {
    if (this.controlBudget.spend(this.now(), this.hooks.limits.controlFramesMax)) return true
    this.flooded()
    return false
  }

  override countReset(): boolean {
    if (this.resetBudget.spend(this.now(), this.hooks.limits.streamResetsMax)) return true
    this.flooded()
    return false
  }

  protected onFailing(code: number): void {
    this.hooks.faulted(code === ENHANCE_YOUR_CALM ? FAULT.flood : FAULT.h2Protocol)
  }

  // ---- ends

  protected lastTaken(): number {
    // What was said once is never raised (RFC 9113 section 6.8).
    return Math.min(this.lastId, this.servedTo)
  }

  protected onGoAway(_last: number, _code: number): void {
    // The client opens no further streams; those that it has are served.
    this.goneAway = true
    this.endWhenIdle()
  }

  protected onPong(): void {
    this.pingedAt = 0
  }

  protected onStreamGone(): void {
    if (this.streamCount > 0) return
    this.idleSince = this.now()
    if (!this.closed) this.endWhenIdle()
  }

  /** After a GOAWAY of either side the last answer is the end, when it has left. */
  private endWhenIdle(): void {
    if (this.streamCount > 0 || (!this.goneAway && this.servedTo === LAST_STREAM)) return
    this.ending = true
    this.flushSoon()
    if (this.at === 0 && !this.blocked) this.shut(true)
  }

  private ending = false

  override onTurn(): void {
    super.onTurn()
    if (this.ending && !this.blocked && this.streamCount === 0) this.shut(true)
  }

  protected override onWritable(): void {
    super.onWritable()
    if (this.ending && this.at === 0 && this.streamCount === 0) this.shut(true)
  }

  /** The listener closes, or this connection has served enough: the client is told at once, and what it has sent by then is served. */
  closeIdle(): void {
    if (this.closed || this.leavingSince > 0) return
    this.leavingSince = this.now()
    this.writeGoAway(LAST_STREAM, NO_ERROR)
    this.time.wheel.schedule(this.timer, this.leavingSince + LAST_REQUESTS_MS)
  }

  private refuseNew(): void {
    if (this.servedTo !== LAST_STREAM) return
    this.servedTo = this.lastId
    this.writeGoAway(this.lastTaken(), NO_ERROR)
    this.endWhenIdle()
  }

  /** Cuts whatever is under way. */
  closeNow(): void {
    if (this.closed) return
    this.writeGoAway(this.lastTaken(), NO_ERROR)
    this.flushNow()
    this.shutBecause(FAULT.draining)
  }

  private why: Fault = FAULT.aborted

  private shutBecause(fault: Fault): void {
    this.why = fault
    this.shut(true)
  }

  /** Why streams that nobody has reset end with their connection. */
  get reason(): Fault {
    return this.why
  }

  protected override flooded(): void {
    this.why = FAULT.flood
    super.flooded()
  }

  protected onShut(): void {}

  protected override onGone(): void {
    this.hooks.closed(this)
  }

  // ---- time

  /** To the next deadline; what begins meanwhile has none before the time that is looked at again. */
  private arm(): void {
    if (this.closed) return
    const now = this.now()
    const { head, idle, write } = this.hooks.timeouts
    let due = now + SILENCE_MS
    due = sooner(due, head, this.unfinishedSince > 0 ? this.unfinishedSince : now)
    due = sooner(due, write, this.blocked ? this.tookAt : now)
    due = sooner(due, idle, this.streamCount === 0 ? this.idleSince : now)
    if (this.leavingSince > 0 && this.servedTo === LAST_STREAM) due = sooner(due, LAST_REQUESTS_MS, this.leavingSince)
    this.time.wheel.schedule(this.timer, due)
  }

  protected onTime(): void {
    const now = this.now()
    const { head, idle, write } = this.hooks.timeouts
    if (this.leavingSince > 0 && now - this.leavingSince >= LAST_REQUESTS_MS) this.refuseNew()
    if (this.closed) return
    if (head > 0 && this.unfinishedSince > 0 && now - this.unfinishedSince >= head) {
      this.hooks.faulted(FAULT.headTimeout)
      this.why = FAULT.headTimeout
      this.writeGoAway(this.lastTaken(), PROTOCOL_ERROR)
      this.flushNow()
      this.shut(true)
      return
    }
    if (this.blocked && write > 0 && now - this.tookAt >= write) {
      this.shutBecause(FAULT.writeTimeout)
      return
    }
    if (this.streamCount === 0) {
      if (idle > 0 && now - this.idleSince >= idle) {
        this.writeGoAway(this.lastTaken(), NO_ERROR)
        this.flushNow()
        this.shut(true)
        return
      }
    } else if (!this.stillThere(now)) {
      this.shut(false)
      return
    }
    this.arm()
  }

  /** A client that is silent while its answer stands still may be gone without a word. */
  private stillThere(now: number): boolean {
    if (now - this.readAt < SILENCE_MS) {
      this.pingedAt = 0
      return true
    }
    if (this.pingedAt > 0) return now - this.pingedAt < SILENCE_MS / 2
    this.pingedAt = now
    this.ping()
    return true
  }
}

function sooner(due: number, ms: number, since: number): number {
  return ms > 0 ? Math.min(due, since + ms) : due
}
