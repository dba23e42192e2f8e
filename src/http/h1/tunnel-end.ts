// HOT
import { assert } from "../../base/index.ts"
import {
  canMove,
  holdPipe,
  MOVE_BROKEN,
  moveOctets,
  movedRest,
  releasePipe,
  type Time,
  UNMOVABLE,
  type Wire,
  type WireHandler,
} from "../../net/index.ts"
import type { ReleasedWire, TunnelEnd, TunnelReceiver } from "../sides.ts"
import { BULK_BYTES, WireBoth } from "./wire-both.ts"

/** Whoever had the connection before: told once, when it is closed. */
export interface TunnelOwner {
  tunnelGone(): void
}

/** A connection after its HTTP is over: raw bytes with back-pressure, half-close and an idle limit (RFC 9110 sections 7.8 and 9.3.6). */
export class H1Tunnel extends WireBoth implements TunnelEnd, WireHandler {
  private receiver: TunnelReceiver | null = null
  private ahead: Uint8Array | null
  private readonly former: TunnelOwner | null
  private idleMs = 0
  private finished = false
  private ended = false
  /** The receiver wants nothing more for now. */
  private heldBack = false
  /** Where octets may go without being read; null = nowhere. */
  private target: H1Tunnel | null = null
  /** Octets come in masses, and the thread's pipe is kept for them. */
  private bulk = false

  /** `ahead`: octets read before the tunnel began; `unsent`: what the connection still owes the peer. */
  constructor(wire: Wire, time: Time, ahead: Uint8Array | null, unsent: Uint8Array | null, former: TunnelOwner | null) {
    super(wire, time)
    this.ahead = ahead
    this.former = former
    wire.data = this
    this.pauseReading()
    if (unsent !== null) this.send(unsent)
  }

  private send(chunk: Uint8Array): void {
    this.putChunk(chunk)
    this.flush()
  }

  /** What happened to the connection before its tunnel began: the peer closed its half, or a write met its reset. */
  inherit(ended: boolean, broken: boolean): void {
    this.ended = ended
    if (broken) this.writeFailed()
  }

  start(receiver: TunnelReceiver, idleMs: number): void {
    assert(this.receiver === null, "a tunnel starts once")
    if (this.closed) {
      // It did not live to see this.
      receiver.onTunnelClose(this)
      return
    }
    this.receiver = receiver
    this.idleMs = idleMs
    this.arm(idleMs)
    const ahead = this.ahead
    this.ahead = null
    if (ahead !== null && ahead.length > 0) receiver.onTunnelData(this, ahead)
    if (this.ended) receiver.onTunnelEnd(this)
    if (!this.closed && !this.heldBack) this.resumeReading()
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed || chunk.length === 0) return true
    this.send(chunk)
    this.arm(this.idleMs)
    return !this.blocked
  }

  finish(): void {
    if (this.closed || this.finished) return
    this.finished = true
    if (!this.blocked) this.closeHalf()
  }

  private closeHalf(): void {
    if (this.ended) this.wire.end()
    else this.wire.shutdown()
  }

  pause(): void {
    this.heldBack = true
    this.pauseReading()
  }

  resume(): void {
    this.heldBack = false
    if (!this.closed) this.resumeReading()
  }

  moveTo(other: TunnelEnd): void {
    if (!this.closed && other instanceof H1Tunnel && canMove(this.wire, other.wire)) this.target = other
  }

  protected override readSome(): number {
    const { target } = this
    if (target === null || !this.bulk || target.blocked || target.broken || target.closed || target.finished) return super.readSome()
    const count = moveOctets(this.wire, target.wire)
    if (count > 0) this.onMoved(target, count, movedRest())
    else if (count === UNMOVABLE) {
      this.moveNoMore()
      return super.readSome()
    } else if (count === MOVE_BROKEN) {
      this.onBroken()
      return 0
    }
    return count
  }

  private onMoved(target: H1Tunnel, count: number, rest: Buffer): void {
    this.arm(this.idleMs)
    const gone = count - rest.length
    if (gone > 0) {
      target.arm(target.idleMs)
      this.receiver!.onTunnelMoved!(this, gone)
    }
    if (rest.length > 0 && this.receiver !== null) this.receiver.onTunnelData(this, rest)
  }

  /** Small exchanges need no pipe. */
  private noteBulk(count: number): void {
    if (count < BULK_BYTES || this.bulk || this.target === null) return
    if (holdPipe()) this.bulk = true
    else this.target = null
  }

  private moveNoMore(): void {
    this.target = null
    if (!this.bulk) return
    this.bulk = false
    releasePipe()
  }

  protected takesLent(): boolean {
    return this.receiver !== null
  }

  protected onLent(chunk: Buffer): void {
    this.arm(this.idleMs)
    this.noteBulk(chunk.length)
    this.receiver!.onTunnelData(this, chunk)
  }

  protected onBroken(): void {
    this.abort()
  }

  abort(): void {
    if (this.closed) return
    this.closed = true
    this.moveNoMore()
    this.dropOutput()
    this.endTimer()
    this.wire.terminate()
    this.gone()
  }

  release(): ReleasedWire | null {
    if (this.closed || this.broken || this.blocked || this.ended || this.finished || this.receiver === null) return null
    const { wire, former } = this
    this.closed = true
    this.moveNoMore()
    this.receiver = null
    this.endTimer()
    // Whatever held reading back before has no say any more.
    wire.resume()
    return { wire, former }
  }

  private gone(): void {
    const receiver = this.receiver
    this.receiver = null
    if (this.former !== null) this.former.tunnelGone()
    if (receiver !== null) receiver.onTunnelClose(this)
  }

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    this.arm(this.idleMs)
    if (this.receiver !== null) {
      this.noteBulk(chunk.length)
      this.receiver.onTunnelData(this, chunk)
      this.readOn(chunk.length)
    } else this.ahead = this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk])
  }

  onEnd(_wire: Wire): void {
    if (this.broken) {
      this.abort()
      return
    }
    this.ended = true
    if (this.receiver !== null) this.receiver.onTunnelEnd(this)
    if (this.finished && !this.blocked && !this.closed) this.wire.end()
  }

  onClose(_wire: Wire, error: Error | null): void {
    if (this.closed) return
    this.closed = true
    this.moveNoMore()
    this.dropOutput()
    this.endTimer()
    // When both halves are closed the runtime tells of the whole alone: the peer's half ended, too, and cleanly.
    if (this.finished && !this.ended && error === null) {
      this.ended = true
      this.receiver?.onTunnelEnd(this)
    }
    this.gone()
  }

  protected onWritable(): void {
    if (this.finished) this.closeHalf()
    else this.receiver?.onTunnelDrain(this)
  }

  protected onProgress(): void {
    this.arm(this.idleMs)
  }

  override onTimer(): void {
    this.abort()
  }
}
