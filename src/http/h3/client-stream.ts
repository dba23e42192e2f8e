// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import type { HeadersKind, QuicStream, QuicStreamHandler, StreamEnd } from "../../net/index.ts"
import type { AttemptTimes } from "../client-hooks.ts"
import { responseFields } from "../h2/response-fields.ts"
import { StreamTunnel, type TunnelStream } from "../h2/stream-tunnel.ts"
import { trailerFields } from "../h2/trailer-fields.ts"
import { agreeWebSocket, keyOf, linesWithoutKey } from "../h2/websocket.ts"
import { BODY_LENGTH, BODY_NONE, type Message } from "../message.ts"
import { requestLead } from "../request-lead.ts"
import type { TunnelEnd, Upstream } from "../sides.ts"
import type { H3ClientConnection } from "./client.ts"
import { CONNECT_UDP } from "../udp-target.ts"
import { DatagramPath } from "./datagram-path.ts"
import { H3_MESSAGE_ERROR, H3_REQUEST_CANCELLED, H3_REQUEST_REJECTED } from "./codes.ts"
import { addLines, readPairs } from "./lines.ts"

const INTERIM_MAX = 16
/** The runtime tells the end of a connection, and a GOAWAY in front of it, a moment after the ends of its streams. */
const WHY_MS = 5

/** One exchange with a peer that speaks HTTP/3. */
export class H3ClientStream implements QuicStreamHandler, Upstream, TunnelStream, TimerOwner {
  private readonly connection: H3ClientConnection
  private readonly times: AttemptTimes
  private stream: QuicStream | null = null
  private m: Message | null = null
  private head: string[] | null = null
  private headCame = false
  private requestDone = false
  private ended = false
  private interims = 0
  private asksWhy = false
  /** The connection had been in use: its end may have crossed this request. */
  private readonly late: boolean
  /** Octets that Content-Length promised and that have not come; -1 = it promised nothing. */
  private promised = -1
  private endsByLength = false
  private trailers = ""
  private full = false
  private paused = false
  private tunnel: StreamTunnel | null = null
  /** Where the tunnel's octets are capsules (RFC 9298). */
  private datagrams: DatagramPath | null = null
  /** It asks for them; and the stream's number, which the runtime forgets with it. */
  private udp = false
  private id = -1
  /** Key of a WebSocket that the client asked for in HTTP/1.1. */
  private key = ""
  private readonly timer = new Timer(this)
  private gotAt = 0
  private sentAt = 0
  closed = false

  constructor(connection: H3ClientConnection, times: AttemptTimes) {
    this.connection = connection
    this.times = times
    this.late = connection.served > 0
  }

  private now(): number {
    return this.connection.hooks.time.clock.now()
  }

  begin(m: Message, target: string): void {
    this.m = m
    m.up = this
    this.stream = this.connection.connection.openStream(this)
    this.key = keyOf(m)
    this.udp = m.upgrade === CONNECT_UDP
    this.head = requestLead(m, target, true)
    addLines(this.head, linesWithoutKey(m))
    this.sentAt = this.now()
  }

  private sendHeadNow(fin: boolean): void {
    const head = this.head
    if (head === null || this.closed) return
    this.head = null
    // Not sent: too many fields for one section, or one that cannot be.
    if (!this.stream!.sendHeaders(head, "initial", fin) && !this.closed) this.refuse(FAULT.protocolUnavailable)
  }

  // ---- Upstream

  sendBody(chunk: Uint8Array): boolean {
    if (this.m === null || this.closed || chunk.length === 0) return true
    this.sendHeadNow(false)
    if (this.closed || this.stream!.write(chunk)) return true
    this.full = true
    this.sentAt = this.now()
    this.watch()
    return false
  }

  sendEnd(trailers: string): void {
    const m = this.m
    if (m === null || this.closed) return
    this.requestDone = true
    this.sentAt = this.now()
    if (m.upgrade !== "" || m.method === "CONNECT") this.sendHeadNow(false)
    else if (trailers !== "") {
      const pairs: string[] = []
      addLines(pairs, trailers)
      this.sendHeadNow(false)
      this.stream!.sendHeaders(pairs, "trailing")
    } else if (this.head !== null) this.sendHeadNow(true)
    else this.stream!.end()
    this.watch()
  }

  flush(): boolean {
    this.sendHeadNow(false)
    return !this.full
  }

  pauseBody(): void {
    this.paused = true
    this.stream!.pause()
  }

  resumeBody(): void {
    if (!this.paused) return
    this.paused = false
    this.gotAt = this.now()
    this.stream!.resume()
    this.watch()
  }

  abort(): void {
    this.m = null
    this.giveUp(H3_REQUEST_CANCELLED)
  }

  takeTunnel(): TunnelEnd {
    assert(this.tunnel === null, "a tunnel is taken once")
    this.m = null
    this.tunnel = new StreamTunnel(this, this.connection.hooks.time)
    if (this.udp && !this.closed) {
      this.id = this.stream!.id
      this.datagrams = new DatagramPath(this.stream!, this.id)
      this.datagrams.begin(this.tunnel)
      this.connection.takeDatagrams(this.id, this.datagrams)
    }
    return this.tunnel
  }

  // ---- receiving

  onHeaders(_stream: QuicStream, pairs: readonly string[], kind: HeadersKind): void {
    this.connection.hooks.time.clock.tick()
    this.gotAt = this.now()
    const m = this.m
    if (m === null) return
    if (kind === "trailing") {
      trailerFields.begin()
      readPairs(pairs, trailerFields)
      const lines = trailerFields.finish()
      if (lines === null || !this.headCame) this.refuse(FAULT.malformedResponse)
      else this.trailers = lines
      return
    }
    if (this.headCame) return
    responseFields.begin(m, this.connection.hooks.limits)
    readPairs(pairs, responseFields)
    const fault = responseFields.finish(false)
    if (fault !== null) this.refuse(fault)
    else if (m.status >= 200) this.answerCame(m)
    else if (++this.interims > INTERIM_MAX) this.refuse(FAULT.malformedResponse)
    else m.onInterim(m.status, m.response.render())
  }

  private answerCame(m: Message): void {
    this.headCame = true
    if (m.upgrade !== "" && m.status < 300) agreeWebSocket(m, this.key)
    if (m.responseBody === BODY_LENGTH) this.promised = m.responseLength
    // Whoever announces trailers is waited for; they are rare where a length is known.
    this.endsByLength = !responseFields.announcesTrailers
    m.onResponseHead()
    if (this.isWhole(m)) this.answerIsWhole(m)
    else this.pushDown(m)
    if (!this.closed) this.watch()
  }

  onData(_stream: QuicStream, chunk: Uint8Array): void {
    this.connection.hooks.time.clock.tick()
    this.gotAt = this.now()
    if (this.tunnel !== null) {
      if (this.datagrams === null) this.tunnel.receive(chunk as Buffer)
      // No capsules: the message is malformed (RFC 9297 section 3.3).
      else if (!this.datagrams.fromStream(chunk)) this.giveUp(H3_MESSAGE_ERROR)
      return
    }
    const m = this.m
    if (m === null) return
    if (!this.headCame || m.responseBody === BODY_NONE) {
      this.refuse(FAULT.malformedResponse)
      return
    }
    if (this.promised >= 0) {
      this.promised -= chunk.length
      if (this.promised < 0) {
        this.refuse(FAULT.malformedResponse)
        return
      }
    }
    m.onResponseBody(chunk)
    if (this.isWhole(m)) this.answerIsWhole(m)
    else this.pushDown(m)
  }

  /** All has come that its head promised: nothing that follows is of interest. That the stream has ended is told some milliseconds later. */
  private isWhole(m: Message): boolean {
    return this.m === m && this.endsByLength && (this.promised === 0 || m.responseBody === BODY_NONE)
  }

  private answerIsWhole(m: Message): void {
    this.m = null
    m.up = null
    // An early answer: the rest of the request has no reader.
    if (!this.requestDone) this.stream!.reset(H3_REQUEST_CANCELLED)
    m.onResponseEnd(this.trailers)
  }

  /** What has come goes to the client; the source waits for a client that has enough. */
  private pushDown(m: Message): void {
    if (this.m === m && m.up === this && m.down !== null && !m.down.flush()) this.pauseBody()
  }

  onEnd(_stream: QuicStream): void {
    this.connection.hooks.time.clock.tick()
    this.ended = true
    if (this.tunnel !== null) {
      this.tunnel.receiveEnd()
      return
    }
    const m = this.m
    if (m === null) return
    if (!this.headCame || this.promised > 0) {
      this.refuse(FAULT.malformedResponse)
      return
    }
    this.answerIsWhole(m)
  }

  onDrain(_stream: QuicStream): void {
    this.sentAt = this.now()
    if (!this.full) return
    this.full = false
    if (this.tunnel !== null) this.tunnel.drained()
    else if (this.m !== null && !this.requestDone) this.m.onUpDrain()
  }

  onReset(_stream: QuicStream, code: number): void {
    if (code === H3_REQUEST_REJECTED && !this.headCame) this.tell(FAULT.streamRefused)
    else if (code === 0) this.endedUnderUs()
    else this.tell(this.headCame ? FAULT.truncated : FAULT.closedEarly)
    this.giveUp(H3_REQUEST_CANCELLED)
  }

  /** The peer wants no more of the request; its answer may come all the same (RFC 9114 section 4.1). */
  onStopped(_stream: QuicStream): void {}

  onClose(stream: QuicStream, _end: StreamEnd): void {
    if (this.closed) this.connection.streamGone()
    else this.finish(true)
    if (stream.isMade) {
      this.endedUnderUs()
      return
    }
    // The connection makes no streams any more, before it has said so: another attempt must not come back to it.
    if (this.m !== null) this.connection.retire()
    this.tell(FAULT.streamRefused)
  }

  private endedUnderUs(): void {
    if (this.headCame) this.tell(FAULT.truncated)
    else if (this.m !== null && !this.asksWhy) {
      this.asksWhy = true
      this.connection.hooks.time.wheel.schedule(this.timer, this.now() + WHY_MS)
    }
  }

  /** The connection has ended before there was a head. */
  private cut(): Fault {
    if (this.connection.leftInOrder) return FAULT.streamRefused
    return this.late ? FAULT.reusedClosed : FAULT.closedEarly
  }

  // ---- ends

  private refuse(fault: Fault): void {
    const m = this.m
    this.m = null
    this.giveUp(fault === FAULT.malformedResponse ? H3_MESSAGE_ERROR : H3_REQUEST_CANCELLED)
    this.m = m
    this.tell(fault)
  }

  private tell(fault: Fault): void {
    const m = this.m
    this.m = null
    if (m === null) return
    m.up = null
    m.onUpFault(fault)
  }

  private giveUp(code: number): void {
    if (this.closed) return
    // One that waits for its turn would take it all the same, and nobody could end it.
    if (this.stream!.isWaiting) this.connection.retire()
    this.finish(false)
    this.stream!.abort(code)
  }

  private finish(gone: boolean): void {
    this.closed = true
    if (!this.asksWhy) this.connection.hooks.time.wheel.cancel(this.timer)
    this.connection.forget(this, gone)
    if (this.datagrams !== null) this.connection.takeDatagrams(this.id, null)
    if (this.tunnel !== null) this.tunnel.gone()
  }

  // ---- the stream under a tunnel

  tunnelWrite(chunk: Uint8Array): boolean {
    if (this.closed || (this.datagrams === null ? this.stream!.write(chunk) : this.datagrams.write(chunk))) return true
    this.full = true
    return false
  }

  tunnelFinish(): void {
    this.stream!.end()
  }

  tunnelPause(): void {
    this.stream!.pause()
  }

  tunnelResume(): void {
    this.stream!.resume()
  }

  tunnelAbort(): void {
    this.giveUp(H3_REQUEST_CANCELLED)
  }

  // ---- time

  private watch(): void {
    const due = this.dueAt()
    if (due > 0 && !this.closed && !this.timer.scheduled) this.connection.hooks.time.wheel.schedule(this.timer, due)
  }

  private dueAt(): number {
    const { head, idle } = this.times
    if (this.m === null) return 0
    if (this.full) return idle > 0 ? this.sentAt + idle : 0
    if (!this.headCame) return this.requestDone && head > 0 ? this.sentAt + head : 0
    return !this.paused && !this.ended && idle > 0 ? this.gotAt + idle : 0
  }

  onTimer(): void {
    if (this.asksWhy) {
      this.tell(this.cut())
      return
    }
    const due = this.dueAt()
    if (due === 0 || this.closed) return
    if (due > this.now()) this.connection.hooks.time.wheel.schedule(this.timer, due)
    else this.refuse(this.headCame || this.full ? FAULT.idleTimeout : FAULT.headTimeoutUpstream)
  }
}
