// HOT
import { assert, type Fault, Timer, type TimerOwner } from "../../base/index.ts"
import type { QuicConnection, QuicConnectionHandler, QuicStream, QuicStreamHandler } from "../../net/index.ts"
import type { AttemptTimes, ClientHooks, SharedConnection, SharedFacts } from "../client-hooks.ts"
import { readVarint, varintOctets } from "../capsule.ts"
import type { Message } from "../message.ts"
import { H3ClientStream } from "./client-stream.ts"
import { H3_NO_ERROR } from "./codes.ts"
import type { DatagramPath } from "./datagram-path.ts"

/** A peer acknowledges what it gets at once. Where nothing at all comes for so long behind a request, it is gone, or the way to it is. */
const DEAF_MS = 3000
const LOOK_MS = 1000

/** One connection to a peer that speaks HTTP/3: many exchanges at the same time (RFC 9114). */
export class H3ClientConnection implements QuicConnectionHandler, SharedConnection, TimerOwner {
  readonly hooks: ClientHooks
  readonly connection: QuicConnection
  readonly version = 30
  served = 0
  private readonly streams = new Set<H3ClientStream>()
  /** Exchanges that are over and whose streams are not: the peer counts them still. */
  private ending = 0
  private begun = 0
  private leaving = false
  private goneAway = false
  private over = false
  private datagrams: Map<number, DatagramPath> | null = null
  private readonly timer = new Timer(this)
  private idleSince: number
  private readonly startedAt: number
  /** Octets that had come by the last look. */
  private heard = 0
  /** The first request since more than those came; 0 = there is none. */
  private askedAt = 0

  constructor(connection: QuicConnection, hooks: ClientHooks) {
    this.connection = connection
    this.hooks = hooks
    this.startedAt = hooks.time.clock.now()
    this.idleSince = this.startedAt
    this.lookAt(this.idleSince + hooks.limits.idleTimeoutMs)
  }

  get streamCount(): number {
    return this.streams.size
  }

  get usable(): boolean {
    return !this.leaving && !this.over && this.connection.isOpen && this.streams.size + this.ending < this.streamsMax
  }

  /** What the peer takes is part of the handshake. */
  readonly known = true
  readonly failure: Fault | null = null

  get onHold(): boolean {
    return !this.leaving && !this.over && this.connection.isOpen && this.connection.peerStreamsMax === 0
  }

  get streamsMax(): number {
    return Math.min(this.hooks.limits.streamsMax, this.connection.peerStreamsMax)
  }

  facts(): SharedFacts {
    const { remoteAddress, remotePort } = this.connection.facts
    const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress
    return {
      peer: `${host}:${remotePort}`,
      protocol: "HTTP/3",
      tls: null,
      ageMs: this.hooks.time.clock.now() - this.startedAt,
      streams: this.streams.size,
      served: this.served,
      octetsIn: this.connection.octetsReceived,
      octetsOut: this.connection.octetsSent,
    }
  }

  send(m: Message, target: string, times: AttemptTimes): void {
    assert(this.usable, "the connection has room")
    const { requestsMax } = this.hooks.limits
    if (requestsMax > 0 && ++this.begun >= requestsMax) this.leaving = true
    const stream = new H3ClientStream(this, times)
    this.streams.add(stream)
    this.watch()
    stream.begin(m, target)
  }

  /** The exchange has ended; `gone`: so has its stream. */
  forget(stream: H3ClientStream, gone: boolean): void {
    if (!this.streams.delete(stream)) return
    this.served++
    if (!gone) this.ending++
    if (this.streams.size === 0) this.idleSince = this.hooks.time.clock.now()
    this.placeFree()
  }

  /** The stream of an exchange that is over is gone, too. */
  streamGone(): void {
    this.ending--
    this.placeFree()
  }

  private placeFree(): void {
    if (this.leaving && this.streams.size === 0) this.close()
    else if (this.usable) this.hooks.room(this)
  }

  // ---- time

  private lookAt(due: number): void {
    this.hooks.time.wheel.schedule(this.timer, due)
  }

  private watch(): void {
    const now = this.hooks.time.clock.now()
    this.listen()
    if (this.askedAt === 0) this.askedAt = now
    if (this.timer.deadline > now + LOOK_MS) this.lookAt(now + LOOK_MS)
  }

  private listen(): void {
    const { octetsReceived } = this.connection
    if (octetsReceived === this.heard) return
    this.heard = octetsReceived
    this.askedAt = 0
  }

  onTimer(): void {
    if (this.over) return
    const now = this.hooks.time.clock.now()
    const idleMs = this.hooks.limits.idleTimeoutMs
    const isIdle = this.streams.size === 0
    this.listen()
    if (this.askedAt > 0 && now - this.askedAt >= DEAF_MS) this.close()
    else if (isIdle && now - this.idleSince >= idleMs) this.retire()
    else this.lookAt(this.askedAt > 0 ? now + LOOK_MS : isIdle ? this.idleSince + idleMs : now + idleMs)
  }

  // A peer opens no streams and sends nothing beside them (RFC 9114 section 6.1).
  onStream(_connection: QuicConnection, _stream: QuicStream): QuicStreamHandler | null {
    return null
  }

  /** What is for no stream that takes datagrams is dropped: the stream may have ended (RFC 9297 section 2.1). */
  onDatagram(_connection: QuicConnection, data: Uint8Array): void {
    this.hooks.time.clock.tick()
    const octets = data.length === 0 ? 1 : varintOctets(data[0]!)
    if (data.length >= octets) this.datagrams?.get(readVarint(data, 0))?.fromDatagram(data.subarray(octets))
  }

  /** Datagrams of this stream are for `path`; null = for nobody any more. */
  takeDatagrams(streamId: number, path: DatagramPath | null): void {
    this.datagrams ??= new Map()
    if (path === null) this.datagrams.delete(streamId / 4)
    else this.datagrams.set(streamId / 4, path)
  }

  onGoAway(_connection: QuicConnection): void {
    this.goneAway = true
    this.retire()
  }

  /** The peer has said that it goes, and went with everything done that it had taken on (RFC 9114 section 5.2). */
  get leftInOrder(): boolean {
    return this.goneAway && this.connection.endedInOrder
  }

  retire(): void {
    this.leaving = true
    if (this.streams.size === 0) this.close()
  }

  close(): void {
    if (this.over) return
    this.connection.close(H3_NO_ERROR)
    this.gone()
  }

  onClose(_connection: QuicConnection, _error: string): void {
    this.gone()
  }

  private gone(): void {
    if (this.over) return
    this.over = true
    this.hooks.time.wheel.cancel(this.timer)
    this.hooks.gone(this)
  }
}
