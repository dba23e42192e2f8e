// HOT
import { assert, Timer, type TimerOwner } from "../../base/index.ts"
import type { Time } from "../../net/index.ts"
import type { TunnelEnd, TunnelReceiver } from "../sides.ts"

/** What a tunnel needs of the stream that it runs over. */
export interface TunnelStream {
  readonly closed: boolean
  tunnelWrite(chunk: Uint8Array): boolean
  tunnelFinish(): void
  tunnelPause(): void
  tunnelResume(): void
  tunnelAbort(): void
}

/** A stream whose HTTP is over: raw bytes with back-pressure, half-close and an idle limit (RFC 9113 section 8.5, RFC 8441 section 5). */
export class StreamTunnel implements TunnelEnd, TimerOwner {
  private readonly stream: TunnelStream
  private readonly time: Time
  private readonly timer: Timer
  private receiver: TunnelReceiver | null = null
  private idleMs = 0
  private ended = false
  private over = false
  /** What came before anybody received. */
  private ahead: Uint8Array[] = []

  constructor(stream: TunnelStream, time: Time) {
    this.stream = stream
    this.time = time
    this.timer = new Timer(this)
  }

  start(receiver: TunnelReceiver, idleMs: number): void {
    assert(this.receiver === null, "a tunnel starts once")
    if (this.over) {
      receiver.onTunnelClose(this)
      return
    }
    this.receiver = receiver
    this.idleMs = idleMs
    this.arm()
    const ahead = this.ahead
    this.ahead = []
    for (let i = 0; i < ahead.length && !this.over; i++) receiver.onTunnelData(this, ahead[i]!)
    if (this.over) return
    if (this.ended) receiver.onTunnelEnd(this)
    this.stream.tunnelResume()
  }

  private arm(): void {
    if (this.idleMs > 0 && !this.over) this.time.wheel.schedule(this.timer, this.time.clock.now() + this.idleMs)
  }

  // ---- from the stream

  receive(chunk: Uint8Array): void {
    this.arm()
    if (this.receiver === null) this.ahead.push(Buffer.from(chunk))
    else this.receiver.onTunnelData(this, chunk)
  }

  receiveEnd(): void {
    this.ended = true
    if (this.receiver !== null) this.receiver.onTunnelEnd(this)
  }

  drained(): void {
    this.arm()
    if (this.receiver !== null) this.receiver.onTunnelDrain(this)
  }

  /** The stream is closed, by its end or by a reset. */
  gone(): void {
    if (this.over) return
    this.over = true
    this.time.wheel.cancel(this.timer)
    const receiver = this.receiver
    this.receiver = null
    if (receiver !== null) receiver.onTunnelClose(this)
  }

  // ---- TunnelEnd

  write(chunk: Uint8Array): boolean {
    if (this.over || this.stream.closed) return true
    this.arm()
    return this.stream.tunnelWrite(chunk)
  }

  finish(): void {
    if (!this.over) this.stream.tunnelFinish()
  }

  pause(): void {
    this.stream.tunnelPause()
  }

  resume(): void {
    if (!this.over) this.stream.tunnelResume()
  }

  abort(): void {
    if (this.over) return
    this.stream.tunnelAbort()
    this.gone()
  }

  onTimer(): void {
    this.abort()
  }
}
