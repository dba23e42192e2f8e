// HOT
import type { TimerWheel } from "../../base/index.ts"
import type { Time, Wire, WireHandler } from "../../net/index.ts"
import { FrameReader, unpadded } from "./frame-reader.ts"
import {
  ACK,
  CANCEL,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  GOAWAY,
  NO_ERROR,
  PING,
  PRIORITY,
  PRIORITY_UPDATE,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  SET_TABLE_SIZE,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_MAX,
  WINDOW_UPDATE,
} from "./frames.ts"
import { HpackDecoder } from "./hpack/decoder.ts"
import { PeerSettings } from "./peer-settings.ts"
import type { H2Stream } from "./stream.ts"
import type { H2Tuning } from "./tuning.ts"

const TABLE_BYTES = 4096
const SMALL_BYTES = 1024
/** Octets of settings that cost as much as a frame. */
const SETTINGS_BYTES = 10 * 6
const LINGER_MS = 1000

/** One HTTP/2 connection, either side of it: frames in and out, settings, flow control, and whose turn it is to send (RFC 9113). */
export abstract class H2Connection extends FrameReader implements WireHandler {
  protected readonly streams = new Map<number, H2Stream>()
  readonly peer = new PeerSettings()
  /** Opened again when octets arrive: a paused stream holds its own window and no other's. */
  private receiveLeft = this.tuning.connectionWindow
  private readonly decoder = new HpackDecoder(TABLE_BYTES)
  protected goneAway = false
  private lingering = false
  /** Monotonic ms of the last octets that came. */
  protected readAt = 0
  /** Counts what the socket has brought. */
  reads = 0
  /** Streams that hold DATA of this read back until its end. */
  private readonly held: H2Stream[] = []

  constructor(wire: Wire, time: Time, tuning: H2Tuning) {
    super(wire, time, tuning)
    this.readAt = time.clock.now()
  }

  /** Monotonic ms when a part of this stream's DATA last came; 0 when none is on its way. */
  arrivingAt(id: number): number {
    return this.isArriving(id) ? this.readAt : 0
  }

  now(): number {
    return this.time.clock.now()
  }

  get wheel(): TimerWheel {
    return this.time.wheel
  }

  get streamCount(): number {
    return this.streams.size
  }

  // ---- reading

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    this.readAt = this.time.clock.now()
    if (this.closed) return
    this.reads++
    this.readFrames(chunk)
    if (this.held.length > 0) this.release()
    this.flushSoon()
  }

  hold(stream: H2Stream): void {
    this.held.push(stream)
  }

  private release(): void {
    for (let i = 0; i < this.held.length; i++) this.held[i]!.unstash()
    this.held.length = 0
  }

  protected readControl(payload: Buffer, type: number, flags: number, id: number): void {
    switch (type) {
      case SETTINGS:
        this.readSettings(payload, flags, id)
        return
      case PING:
        if (id !== 0) this.fail(PROTOCOL_ERROR)
        else if (payload.length !== 8) this.fail(FRAME_SIZE_ERROR)
        else if ((flags & ACK) !== 0) this.onPong()
        else if (this.spend()) this.writeSmall(PING, ACK, 0, payload)
        return
      case GOAWAY:
        if (id !== 0) this.fail(PROTOCOL_ERROR)
        else if (payload.length < 8) this.fail(FRAME_SIZE_ERROR)
        else this.onGoAway(payload.readUInt32BE(0) & 0x7fffffff, payload.readUInt32BE(4))
        return
      case PRIORITY:
        if (id === 0) this.fail(PROTOCOL_ERROR)
        else if (payload.length !== 5) this.streamError(id, FRAME_SIZE_ERROR)
        else if ((payload.readUInt32BE(0) & 0x7fffffff) === id) this.streamError(id, PROTOCOL_ERROR)
        else this.spend()
        return
      case PUSH_PROMISE:
        this.fail(PROTOCOL_ERROR)
        return
      case PRIORITY_UPDATE:
        if (id !== 0) this.fail(PROTOCOL_ERROR)
        else if (payload.length < 4) this.fail(FRAME_SIZE_ERROR)
        else if (this.spend()) this.onPriority(payload.readUInt32BE(0) & 0x7fffffff, payload.latin1Slice(4))
        return
      default:
        // Unknown types are ignored (RFC 9113 section 4.1), not for nothing.
        this.spend()
    }
  }

  protected abstract onPong(): void
  protected abstract onGoAway(last: number, code: number): void
  protected abstract onPriority(id: number, value: string): void

  protected readData(payload: Buffer, flags: number, id: number): void {
    if (id === 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    const bytes = payload.length
    if (!this.accountAll(bytes)) return
    const stream = this.streams.get(id)
    if (stream === undefined || stream.remoteEnded) {
      this.onStray(id, stream !== undefined, bytes)
      return
    }
    if (!stream.account(bytes)) {
      this.streamError(id, FLOW_CONTROL_ERROR)
      return
    }
    const data = unpadded(payload, flags)
    if (data === null) {
      this.fail(bytes === 0 ? FRAME_SIZE_ERROR : PROTOCOL_ERROR)
      return
    }
    const ends = (flags & END_STREAM) !== 0
    if (data.length === 0 && !ends && !this.spend()) return
    if (data.length > 0 || bytes > 0) stream.receiveData(data, bytes - data.length)
    if (ends && !stream.closed) this.onDataEnd(stream)
  }

  /** The connection's own window: opened again at once. */
  private accountAll(bytes: number): boolean {
    this.receiveLeft -= bytes
    if (this.receiveLeft < 0) {
      this.fail(FLOW_CONTROL_ERROR)
      return false
    }
    const { connectionWindow } = this.tuning
    if (this.receiveLeft < connectionWindow / 2) {
      this.word(WINDOW_UPDATE, 0, connectionWindow - this.receiveLeft)
      this.receiveLeft = connectionWindow
    }
    return true
  }

  /** DATA with END_STREAM has been delivered. */
  protected onDataEnd(stream: H2Stream): void {
    stream.receiveEnd("")
  }

  protected decode(block: Buffer, sink: Parameters<HpackDecoder["decode"]>[3]): boolean {
    return this.decoder.decode(block, 0, block.length, sink)
  }

  protected readReset(octets: Buffer, at: number, length: number, id: number): void {
    if (length !== 4) {
      this.fail(FRAME_SIZE_ERROR)
      return
    }
    if (id === 0 || this.isIdle(id)) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    const stream = this.streams.get(id)
    if (stream === undefined) {
      this.spend()
      return
    }
    stream.close()
    if (this.countReset()) stream.onReset(octets.readUInt32BE(at))
    else stream.onReset(CANCEL)
  }

  /** Nobody has opened this stream yet. */
  protected abstract isIdle(id: number): boolean
  /** The other side gave a stream up: false = too often, the connection ends. */
  abstract countReset(): boolean

  protected readWindow(octets: Buffer, at: number, length: number, id: number): void {
    if (length !== 4) {
      this.fail(FRAME_SIZE_ERROR)
      return
    }
    const more = octets.readUInt32BE(at) & 0x7fffffff
    if (id === 0) {
      this.sendWindow += more
      if (more === 0) this.fail(PROTOCOL_ERROR)
      else if (this.sendWindow > WINDOW_MAX) this.fail(FLOW_CONTROL_ERROR)
      else this.serve()
      return
    }
    if (this.isIdle(id)) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    const stream = this.streams.get(id)
    if (stream === undefined) return
    if (more === 0) {
      this.streamError(id, PROTOCOL_ERROR)
      return
    }
    stream.sendWindow += more
    if (stream.sendWindow > WINDOW_MAX) this.streamError(id, FLOW_CONTROL_ERROR)
    else if (stream.queued) this.serve()
  }

  private readSettings(payload: Buffer, flags: number, id: number): void {
    if (id !== 0) {
      this.fail(PROTOCOL_ERROR)
      return
    }
    if ((flags & ACK) !== 0) {
      if (payload.length !== 0) this.fail(FRAME_SIZE_ERROR)
      return
    }
    if (payload.length % 6 !== 0) {
      this.fail(FRAME_SIZE_ERROR)
      return
    }
    for (let at = 0; at < payload.length || at === 0; at += SETTINGS_BYTES) if (!this.spend()) return
    for (let at = 0; at < payload.length; at += 6) {
      const error = this.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
      if (error !== NO_ERROR) {
        this.fail(error)
        return
      }
    }
    this.writeSmall(SETTINGS, ACK, 0, null)
    this.serve()
    this.onSettings()
  }

  protected onSettings(): void {}

  private set(setting: number, value: number): number {
    const { peer } = this
    const before = peer.window
    const error = peer.set(setting, value)
    if (error !== NO_ERROR) return error
    if (setting === SET_TABLE_SIZE) this.encoder.setTableBytesMax(value)
    if (peer.window === before) return NO_ERROR
    for (const stream of this.streams.values()) {
      stream.sendWindow += peer.window - before
      if (stream.sendWindow > WINDOW_MAX) return FLOW_CONTROL_ERROR
    }
    return NO_ERROR
  }

  /** DATA for a stream that is over. `known`: it still sends. */
  protected onStray(id: number, known: boolean, bytes: number): void {
    if (this.isIdle(id)) this.fail(PROTOCOL_ERROR)
    else if (this.resets.has(id)) {
      // An upload that was answered early has a window of these on its way; who sends them for their number sends small ones.
      if (bytes < SMALL_BYTES) this.spend()
    } else if (known) this.streamError(id, STREAM_CLOSED)
    else this.fail(STREAM_CLOSED)
  }

  /** Ends one stream for a mistake of the other side. */
  protected streamError(id: number, code: number): void {
    const stream = this.streams.get(id)
    if (this.isIdle(id)) {
      this.fail(code)
      return
    }
    if (stream === undefined) {
      if (this.spend()) this.writeReset(id, code)
      return
    }
    stream.reset(code)
    if (this.countReset()) stream.onReset(code)
    else stream.onReset(CANCEL)
  }

  /** The stream is over. */
  forget(stream: H2Stream): void {
    this.unqueue(stream)
    if (this.streams.delete(stream.id)) this.onStreamGone()
  }

  protected abstract onStreamGone(): void

  // ---- ends

  /** The other side broke the protocol, or asked for too much: GOAWAY with this code, and the end. */
  protected fail(code: number): void {
    if (this.closed) return
    this.onFailing(code)
    this.writeGoAway(this.lastTaken(), code)
    this.flushNow()
    this.shut(code !== NO_ERROR)
  }

  protected flooded(): void {
    this.fail(ENHANCE_YOUR_CALM)
  }

  protected abstract onFailing(code: number): void
  /** The highest stream of the other side that we have begun with. */
  protected abstract lastTaken(): number

  /** Closes, and tells everybody who is still here. `gently`: the other side may be in the middle of a word: it is heard out for a moment, for a reset would destroy what we said. */
  protected shut(gently: boolean): void {
    if (this.closed) return
    this.closed = true
    this.dropPartial()
    this.dropOutput()
    if (gently && !this.broken) {
      this.lingering = true
      this.time.wheel.schedule(this.timer, this.now() + LINGER_MS)
      this.wire.shutdown()
    } else {
      this.time.wheel.cancel(this.timer)
      if (this.broken) this.wire.terminate()
      else this.wire.end()
    }
    this.endStreams(CANCEL)
    this.onShut()
    if (!this.lingering) this.onGone()
  }

  protected endStreams(code: number): void {
    const all = [...this.streams.values()] // allow(spread): once for a connection
    this.streams.clear()
    for (let i = 0; i < all.length; i++) {
      all[i]!.close()
      all[i]!.onReset(code)
    }
  }

  /** Told once, when the connection is over. */
  protected abstract onShut(): void

  /** Told once, when its socket is given up: by then what was said last has had its time. */
  protected onGone(): void {}

  onEnd(_wire: Wire): void {
    if (this.lingering) this.endLinger(false)
    else this.lost()
  }

  onClose(_wire: Wire, _error: Error | null): void {
    this.broken = true
    if (this.lingering) this.endLinger(false)
    else this.lost()
  }

  /** The other side is gone. */
  protected lost(): void {
    this.shut(false)
  }

  private endLinger(late: boolean): void {
    this.lingering = false
    this.time.wheel.cancel(this.timer)
    if (late || this.broken) this.wire.terminate()
    else this.wire.end()
    this.onGone()
  }

  onTimer(): void {
    if (this.lingering) this.endLinger(true)
    else if (this.broken) this.lost()
    else if (!this.closed) this.onTime()
  }

  /** The connection's own deadline. */
  protected abstract onTime(): void
}
