import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../base/index.ts"
import { BODY_NONE, BODY_TUNNEL, type Message, type ReleasedWire, type Time, type TunnelEnd, type TunnelReceiver } from "../http/index.ts"
import { DownstreamWrapper } from "./downstream-wrapper.ts"
import { fail, resume } from "./engine.ts"
import type { Exchange } from "./exchange.ts"
import { ANSWER, NEXT } from "./verdict.ts"

/** Who looks at the first octets of a tunnel. It decides by one of `goOn`, `refuse` and `takeOver`, in the call or later. */
export interface PeekJudge {
  /** `octets`: all that came so far. `last`: no more come, by the client's word or because they took too long: it must decide. */
  look(peek: PeekedTunnel, octets: Buffer, last: boolean): void
}

export interface PeekLimits {
  /** Milliseconds that the client has for its first octets. */
  readonly waitMs: number
  readonly bytesMax: number
  readonly idleMs: number
}

/** A client's connection that is no tunnel any more, and what was read of it. */
export interface TakenTunnel extends ReleasedWire {
  readonly octets: Buffer
}

/** A client that was refused has so long to close. */
const CLOSING_MS = 1000

/**
 * A tunnel whose client is told that it stands before anything is dialled, so that what it says first can be looked at:
 *
 *     200 ──> first octets ──> the judge ──┬─ goOn: the exchange goes on to its peer, and the octets go there first
 *                                          ├─ refuse: last octets for the client, then a fault
 *                                          └─ takeOver: the connection is the judge's; `leave` when it is over
 *
 * The exchange waits meanwhile. It is the client's side of the exchange from then on: heads and bodies have nowhere to go.
 */
export class PeekedTunnel extends DownstreamWrapper implements TunnelEnd, TunnelReceiver, TimerOwner {
  readonly x: Exchange
  private readonly generation: number
  private readonly judge: PeekJudge
  private readonly time: Time
  private readonly limits: PeekLimits
  private readonly timer: Timer
  private readonly client: TunnelEnd
  private octets: Buffer = Buffer.alloc(0)
  private receiver: TunnelReceiver | null = null
  private peeking = true
  private held = false
  private ended = false
  private over = false
  /** Somebody else has the tunnel, and closes it. */
  private joined = false

  /** Says 200 and takes the client's tunnel. */
  constructor(x: Exchange, judge: PeekJudge, time: Time, limits: PeekLimits) {
    super(x.down!)
    assert(!x.headSent, "a tunnel begins with its head")
    this.x = x
    this.generation = x.generation
    this.judge = judge
    this.time = time
    this.limits = limits
    this.timer = new Timer(this)
    x.status = 200
    x.reason = "Connection established"
    x.response.reset("")
    x.responseBody = BODY_TUNNEL
    this.inner.sendHead(x)
    this.client = this.inner.takeTunnel()
    x.down = this
    if (x.pump.requestDeadline !== null) x.pump.requestDeadline.cancel()
  }

  /** Begins to read. The caller waits. */
  begin(): void {
    this.time.wheel.schedule(this.timer, this.time.clock.now() + this.limits.waitMs)
    this.client.start(this, this.limits.idleMs)
  }

  /** The judge has seen enough and has to find something out: it is asked no more, and decides later, if the tunnel still `waits`. */
  hold(): void {
    this.held = true
    this.time.wheel.cancel(this.timer)
    this.client.pause()
  }

  get waits(): boolean {
    return this.peeking
  }

  // ---- the judge's decisions

  goOn(): void {
    this.decided()
    this.client.pause()
    resume(this.x, NEXT)
  }

  refuse(last: Uint8Array, fault: Fault): void {
    this.decided()
    if (last.length > 0) this.client.write(last)
    this.client.finish()
    // A reset would destroy what was written.
    this.over = true
    this.time.wheel.schedule(this.timer, this.time.clock.now() + CLOSING_MS)
    fail(this.x, fault)
  }

  /** The connection and what was read of it; null = it cannot be had, and the judge decides otherwise. */
  takeOver(): TakenTunnel | null {
    const released = this.client.release?.() ?? null
    if (released === null) return null
    this.decided()
    this.over = true
    const { wire, former } = released
    return { wire, former, octets: this.octets }
  }

  /** The tunnel itself, for whoever joins it with something else: where its connection cannot be had. */
  handOn(): TunnelEnd {
    this.decided()
    this.joined = true
    return this
  }

  /** What was taken over is done; null = well. */
  leave(fault: Fault | null): void {
    const { x } = this
    if (x.generation !== this.generation) return
    x.responseBody = BODY_NONE
    if (fault === null) resume(x, ANSWER)
    else fail(x, fault)
  }

  private decided(): void {
    assert(this.peeking, "one decision a tunnel")
    this.peeking = false
    this.time.wheel.cancel(this.timer)
  }

  onTimer(): void {
    if (this.peeking) this.judge.look(this, this.octets, true)
    else this.client.abort()
  }

  // ---- from the client

  onTunnelData(_from: TunnelEnd, chunk: Uint8Array): void {
    if (this.receiver !== null) return this.receiver.onTunnelData(this, chunk)
    // Octets are lent for the call.
    this.octets = Buffer.concat([this.octets, chunk])
    if (this.peeking && !this.held) this.judge.look(this, this.octets, this.octets.length >= this.limits.bytesMax)
  }

  onTunnelMoved(_from: TunnelEnd, octets: number): void {
    this.receiver?.onTunnelMoved?.(this, octets)
  }

  onTunnelDrain(): void {
    this.receiver?.onTunnelDrain(this)
  }

  onTunnelEnd(): void {
    this.ended = true
    if (this.receiver !== null) this.receiver.onTunnelEnd(this)
    else if (this.peeking && !this.held) this.judge.look(this, this.octets, true)
  }

  onTunnelClose(): void {
    this.time.wheel.cancel(this.timer)
    if (this.over) return
    this.over = true
    this.peeking = false
    if (this.receiver !== null) this.receiver.onTunnelClose(this)
    else if (this.x.generation === this.generation) this.x.onClientGone(FAULT.aborted)
  }

  // ---- the client's end of the tunnel that follows

  get bare(): TunnelEnd {
    return this.client
  }

  start(receiver: TunnelReceiver, _idleMs: number): void {
    if (this.over) return receiver.onTunnelClose(this)
    this.receiver = receiver
    const { octets } = this
    this.octets = Buffer.alloc(0)
    if (octets.length > 0) receiver.onTunnelData(this, octets)
    if (this.ended && !this.over) receiver.onTunnelEnd(this)
    if (!this.over) this.client.resume()
  }

  write(chunk: Uint8Array): boolean {
    return this.client.write(chunk)
  }

  finish(): void {
    this.client.finish()
  }

  pause(): void {
    this.client.pause()
  }

  resume(): void {
    this.client.resume()
  }

  // ---- the client's side of the exchange: all is said

  override sendHead(m: Message): void {
    if (m.responseBody !== BODY_TUNNEL && !this.joined) this.cut()
  }

  override takeTunnel(): TunnelEnd {
    return this
  }

  override abort(_fault?: Fault): void {
    if (this.receiver !== null) this.client.abort()
    else this.cut()
  }

  private cut(): void {
    if (this.over) return
    this.over = true
    this.client.abort()
  }

  sendBody(): boolean {
    return true
  }

  sendText(): boolean {
    return true
  }

  flush(): boolean {
    return true
  }

  override sendEnd(): void {}
  override sendInterim(): void {}
  override pauseBody(): void {}
  override resumeBody(): void {}
  override continueBody(): void {}
  override closeAfter(): void {}
}
