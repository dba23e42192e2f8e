// HOT
import { type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import type { ConnectionInfo, QuicConnection, QuicConnectionHandler, QuicStream, QuicStreamHandler } from "../../net/index.ts"
import { FrameBudget } from "../h2/frame-budget.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection } from "../sides.ts"
import { readVarint, varintOctets } from "../capsule.ts"
import { H3_DATAGRAM_ERROR, H3_EXCESSIVE_LOAD, H3_NO_ERROR } from "./codes.ts"
import type { DatagramPath } from "./datagram-path.ts"
import { QuicInfo } from "./quic-info.ts"
import { H3ServerStream } from "./server-stream.ts"

/** Closing: a connection without requests waits so long for one that may be on its way. The runtime would close at once, and a GOAWAY without a close it has not. */
const LAST_REQUEST_MS = 1000

/** No stream has an id of four times this (RFC 9297 section 2.1). */
const QUARTER_ID_END = 2 ** 60

/** One client connection that speaks HTTP/3 (RFC 9114): each stream is an exchange. */
export class H3ServerConnection implements QuicConnectionHandler, DownstreamConnection, TimerOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  private readonly connection: QuicConnection
  private readonly streams = new Set<H3ServerStream>()
  /** By the quarter of their stream's id; null = no stream has had any. */
  private datagrams: Map<number, DatagramPath> | null = null
  private requests = 0
  private leaving = false
  private toldToGo = false
  private timer: Timer | null = null
  private over = false
  private readonly resetBudget = new FrameBudget()
  /** Why streams end that nobody has reset. */
  reason: Fault = FAULT.aborted

  constructor(connection: QuicConnection, hooks: ServerHooks) {
    this.connection = connection
    this.info = new QuicInfo(connection)
    this.hooks = hooks
    if (hooks.closing) this.closeIdle()
  }

  onStream(_connection: QuicConnection, stream: QuicStream): QuicStreamHandler | null {
    if (this.toldToGo || this.streams.size >= this.hooks.limits.streamsMax) return null
    const request = new H3ServerStream(this, stream)
    this.streams.add(request)
    if (this.leaving) this.goAway()
    this.requests++
    const max = this.hooks.limits.requestsMax
    if (max > 0 && this.requests >= max) this.closeIdle()
    return request
  }

  /** What is for no stream that takes datagrams is dropped: the stream may have ended, or its head may come later (RFC 9297 section 2.1). */
  onDatagram(_connection: QuicConnection, data: Uint8Array): void {
    this.hooks.time.clock.tick()
    const octets = data.length === 0 ? 1 : varintOctets(data[0]!)
    const quarter = data.length < octets ? QUARTER_ID_END : readVarint(data, 0)
    if (quarter >= QUARTER_ID_END) this.connection.close(H3_DATAGRAM_ERROR)
    else this.datagrams?.get(quarter)?.fromDatagram(data.subarray(octets))
  }

  /** Datagrams of this stream are for `path`; null = for nobody any more. */
  takeDatagrams(streamId: number, path: DatagramPath | null): void {
    if (path === null) this.datagrams?.delete(streamId / 4)
    else {
      this.datagrams ??= new Map()
      this.datagrams.set(streamId / 4, path)
    }
  }

  onGoAway(_connection: QuicConnection): void {}

  onClose(_connection: QuicConnection, _error: string): void {
    if (this.over) return
    this.over = true
    if (this.timer !== null) this.hooks.time.wheel.cancel(this.timer)
    this.hooks.closed(this)
  }

  /** The stream has ended. */
  forget(stream: H3ServerStream): void {
    this.streams.delete(stream)
  }

  /** A stream ended before its answer did. Too often, and the connection ends. */
  countReset(): void {
    if (this.resetBudget.spend(this.hooks.time.clock.now(), this.hooks.limits.streamResetsMax)) return
    this.reason = FAULT.flood
    this.hooks.faulted(FAULT.flood)
    this.connection.close(H3_EXCESSIVE_LOAD)
  }

  closeIdle(): void {
    if (this.leaving) return
    this.leaving = true
    if (this.streams.size > 0 || this.hooks.lastRequests === false) {
      this.goAway()
      return
    }
    const { clock, wheel } = this.hooks.time
    this.timer = new Timer(this)
    wheel.schedule(this.timer, clock.now() + LAST_REQUEST_MS)
  }

  onTimer(): void {
    this.goAway()
  }

  /** While a stream is open the client hears of it before the end, and what it sent too late is given back to it. */
  private goAway(): void {
    if (this.toldToGo) return
    this.toldToGo = true
    this.connection.goAway()
  }

  closeNow(): void {
    this.reason = FAULT.draining
    this.connection.close(H3_NO_ERROR)
  }
}
