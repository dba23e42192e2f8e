// HOT
import { Timer, type TimerOwner } from "../base/index.ts"
import type { Downstream, Time, TunnelEnd } from "../http/index.ts"
import { DownstreamWrapper } from "./downstream-wrapper.ts"
import type { Exchange } from "./exchange.ts"
import { longest, type PaceGauge } from "./pace-gauge.ts"
import { PacedTunnel } from "./paced-tunnel.ts"
import { downDrained, responseBodyCame, responseEndCame } from "./pump.ts"

/**
 * Lets the bodies of an exchange go no faster than gauges say. Stands before the client's side of it from its first step on, so that what others make of
 * a body comes before; and in front of the pump, for an answer's chunk is cut, and what it is too early for waits here, with its end, until a timer of the worker's
 * wheel lets it go. The source is held back meanwhile, so that no more than one chunk of it waits.
 */
export class Pace extends DownstreamWrapper implements TimerOwner {
  readonly down: PaceGauge[] = []
  readonly up: PaceGauge[] = []
  private readonly x: Exchange
  private readonly time: Time
  private readonly downTimer = new Timer(this)
  private readonly upTimer = new Timer(this)
  /** Octets of the answer that go as they come. */
  private free = 0
  private pieceBytes = Infinity
  /** It is too early for more of the answer. */
  private held = false
  /** The client's side has not taken all yet. */
  private full = false
  private rest: Uint8Array[] = []
  private ended = false
  private trailers = ""
  private upHeld = false
  /** Others do not want more of the request's body now. */
  private upPaused = false

  constructor(x: Exchange, inner: Downstream, time: Time) {
    super(inner)
    this.x = x
    this.time = time
  }

  /** Adds gauges; `free`: octets of the answer that none of them counts. */
  add(down: PaceGauge | null, up: PaceGauge | null, free: number): void {
    if (up !== null) this.up.push(up)
    if (down === null) return
    this.down.push(down)
    this.free = this.down.length === 1 ? free : Math.min(this.free, free)
    if (down.pieceBytes < this.pieceBytes) this.pieceBytes = down.pieceBytes
  }

  // ---- the answer

  /** A chunk of an answer whose head has left. */
  body(chunk: Uint8Array): void {
    // Its peer is not to wait for the client: what is too early waits there, in front of this.
    if (this.x.pump.ahead !== null) {
      responseBodyCame(this.x, chunk)
      return
    }
    const taken = this.held || this.rest.length > 0 ? 0 : this.feed(chunk)
    if (taken === chunk.length || this.x.pace !== this) return
    // A copy: the chunk is lent.
    this.rest.push(Buffer.from(chunk.subarray(taken)))
    if (this.x.up !== null) this.x.up.pauseBody()
  }

  /** True = the end waits for what waits here. */
  holdsEnd(trailers: string): boolean {
    if (this.rest.length === 0) return false
    this.ended = true
    this.trailers = trailers
    // As the pump does it: the source is done, and must hear no more of this exchange.
    this.x.up = null
    this.x.pump.upReady = false
    this.inner.flush()
    return true
  }

  /** The client's side has room; true = so has the source. */
  drained(): boolean {
    this.full = false
    if (this.held) return false
    if (this.rest.length === 0) return true
    this.goOn()
    return false
  }

  /** Octets go to the client. */
  private charge(octets: number): void {
    let counted = octets
    if (this.free > 0) {
      counted = octets - this.free
      this.free -= octets
      if (counted <= 0) return
    }
    const wait = longest(this.down, counted)
    if (wait <= 0) return
    this.held = true
    this.time.wheel.schedule(this.downTimer, this.time.clock.now() + wait)
  }

  /** Sends as much of a chunk as it is time for. */
  private feed(chunk: Uint8Array): number {
    const { x } = this
    let at = 0
    while (at < chunk.length && !this.held && x.pace === this) {
      const size = this.free > 0 ? Math.max(this.free, this.pieceBytes) : this.pieceBytes
      const end = Math.min(at + size, chunk.length)
      responseBodyCame(x, chunk.subarray(at, end))
      at = end
    }
    return at
  }

  private goOn(): void {
    const { x, rest } = this
    while (rest.length > 0 && !this.held) {
      const first = rest[0]!
      const taken = this.feed(first)
      // The exchange may be over, and the object another one's.
      if (x.pace !== this) return
      if (taken < first.length) rest[0] = first.subarray(taken)
      else rest.shift()
    }
    if (rest.length === 0 && this.ended) {
      responseEndCame(x, this.trailers)
      return
    }
    // Who changes the body may have some of it yet.
    x.down!.flush()
    if (x.pace === this && rest.length === 0 && !this.held && !this.full) downDrained(x)
  }

  onTimer(timer: Timer): void {
    if (timer === this.upTimer) {
      this.upHeld = false
      if (!this.upPaused) this.inner.resumeBody()
      return
    }
    this.held = false
    if (!this.full) this.goOn()
  }

  // ---- the request's body

  /** Octets of it came. */
  requestCame(octets: number): void {
    const wait = longest(this.up, octets)
    if (wait <= 0) return
    this.time.wheel.schedule(this.upTimer, this.time.clock.now() + wait)
    if (this.upHeld) return
    this.upHeld = true
    this.inner.pauseBody()
  }

  override pauseBody(): void {
    this.upPaused = true
    this.inner.pauseBody()
  }

  override resumeBody(): void {
    this.upPaused = false
    if (!this.upHeld) this.inner.resumeBody()
  }

  // ---- the client's side

  sendBody(chunk: Uint8Array): boolean {
    if (!this.inner.sendBody(chunk)) this.full = true
    this.charge(chunk.length)
    return this.isOpen()
  }

  sendText(text: string): boolean {
    if (!this.inner.sendText(text)) this.full = true
    this.charge(text.length)
    return this.isOpen()
  }

  /** Who is told to stop may leave out the flush at the end of its turn, and its chunk's memory is lent until then. */
  private isOpen(): boolean {
    return this.held ? this.flush() : !this.full
  }

  sendPart(chunk: Uint8Array): number {
    if (this.held) return 0
    const piece = chunk.subarray(0, this.free > 0 ? Math.max(this.free, this.pieceBytes) : this.pieceBytes)
    let taken = piece.length
    if (this.inner.sendPart !== undefined) taken = this.inner.sendPart(piece)
    else if (!this.inner.sendBody(piece)) this.full = true
    this.charge(taken)
    return taken
  }

  flush(): boolean {
    if (!this.inner.flush()) this.full = true
    return !this.full && !this.held
  }

  override takeTunnel(): TunnelEnd {
    return new PacedTunnel(this.inner.takeTunnel(), this, this.time)
  }

  /** The exchange is over. */
  close(): void {
    this.time.wheel.cancel(this.downTimer)
    this.time.wheel.cancel(this.upTimer)
    this.rest.length = 0
  }
}

/** Lets the bodies of an exchange go at the pace of gauges. In its access phase, before anybody has a part in its bodies; gauges of several filters hold together. */
export function setPace(x: Exchange, time: Time): Pace {
  if (x.pace !== null) return x.pace
  const pace = new Pace(x, x.down!, time)
  x.pace = pace
  x.down = pace
  return pace
}
