// HOT
import { Timer, type TimerOwner } from "../base/index.ts"
import type { Time, TunnelEnd, TunnelReceiver } from "../http/index.ts"
import { longest, type PaceGauge } from "./pace-gauge.ts"

interface Paces {
  readonly down: readonly PaceGauge[]
  readonly up: readonly PaceGauge[]
}

/** The client's end of a tunnel whose octets go no faster than the gauges of its exchange let them. Nothing is kept here: who wrote too early stops until a timer says so. */
export class PacedTunnel implements TunnelEnd, TunnelReceiver, TimerOwner {
  private readonly inner: TunnelEnd
  private readonly pace: Paces
  private readonly time: Time
  private readonly downTimer = new Timer(this)
  private readonly upTimer = new Timer(this)
  private receiver: TunnelReceiver | null = null
  /** The inner end has not taken all yet. */
  private full = false
  private paused = false

  constructor(inner: TunnelEnd, pace: Paces, time: Time) {
    this.inner = inner
    this.pace = pace
    this.time = time
  }

  start(receiver: TunnelReceiver, idleMs: number): void {
    this.receiver = receiver
    this.inner.start(this, idleMs)
  }

  write(chunk: Uint8Array): boolean {
    if (!this.inner.write(chunk)) this.full = true
    this.wait(this.downTimer, longest(this.pace.down, chunk.length))
    return !this.full && !this.downTimer.scheduled
  }

  finish(): void {
    this.inner.finish()
  }

  pause(): void {
    this.paused = true
    this.inner.pause()
  }

  resume(): void {
    this.paused = false
    if (!this.upTimer.scheduled) this.inner.resume()
  }

  abort(): void {
    this.inner.abort()
  }

  onTunnelData(_from: TunnelEnd, chunk: Uint8Array): void {
    const wait = longest(this.pace.up, chunk.length)
    this.wait(this.upTimer, wait)
    if (wait > 0) this.inner.pause()
    this.receiver!.onTunnelData(this, chunk)
  }

  onTunnelDrain(): void {
    this.full = false
    if (!this.downTimer.scheduled) this.receiver!.onTunnelDrain(this)
  }

  onTunnelEnd(): void {
    this.receiver!.onTunnelEnd(this)
  }

  onTunnelClose(): void {
    this.time.wheel.cancel(this.downTimer)
    this.time.wheel.cancel(this.upTimer)
    this.receiver!.onTunnelClose(this)
  }

  onTimer(timer: Timer): void {
    if (timer === this.downTimer) {
      if (!this.full) this.receiver!.onTunnelDrain(this)
    } else if (!this.paused) this.inner.resume()
  }

  private wait(timer: Timer, ms: number): void {
    if (ms > 0) this.time.wheel.schedule(timer, this.time.clock.now() + ms)
  }
}
