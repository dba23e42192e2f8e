// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import type { ConnectionInfo, HeadersKind, QuicStream, QuicStreamHandler, StreamEnd } from "../../net/index.ts"
import { bodyLengthLine } from "../body-length-line.ts"
import { requestFields } from "../h2/request-fields.ts"
import { trailerFields } from "../h2/trailer-fields.ts"
import { acceptWebSocket, askWebSocket } from "../h2/websocket.ts"
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { Downstream, TunnelEnd } from "../sides.ts"
import { CONNECT_UDP } from "../udp-target.ts"
import { H3_CONNECT_ERROR, H3_INTERNAL_ERROR, H3_MESSAGE_ERROR, H3_NO_ERROR, H3_REQUEST_CANCELLED } from "./codes.ts"
import { DatagramPath } from "./datagram-path.ts"
import { addLines, readPairs } from "./lines.ts"
import type { H3ServerConnection } from "./server.ts"
import { H3Tunnel, type H3TunnelOwner } from "./tunnel.ts"

/** The head does not say whether a body follows; a request that has none, as a rule, is held so long for its end. */
const END_MS = 100

/** One request of a client that came by HTTP/3, and its answer. */
export class H3ServerStream implements QuicStreamHandler, Downstream, H3TunnelOwner, TimerOwner {
  private readonly connection: H3ServerConnection
  private readonly stream: QuicStream
  private m: Message | null = null
  /** The head has been read and the exchange has not begun: it may have no body. */
  private held = false
  private ended = false
  private trailers = ""
  private trailersWanted = false
  private headSent = false
  /** The head waits for the first octets of its body. */
  private head: string[] | null = null
  private continueDue = false
  private answered = false
  /** The request was no message: whatever is answered, the client gets a reset. */
  private denied = false
  /** Octets that Content-Length promised and that have not come; -1 = it promised nothing. */
  private promised = -1
  private full = false
  private wantsTunnel = false
  /** RFC 9114 section 4.4, RFC 9220 section 3. */
  tunnelCode = H3_REQUEST_CANCELLED
  private paused = false
  private tunnel: H3Tunnel | null = null
  /** Where it is a tunnel of capsules. */
  private datagrams: DatagramPath | null = null
  private readonly id: number
  private readonly timer = new Timer(this)
  private gotAt = 0
  private sentAt = 0
  closed = false

  constructor(connection: H3ServerConnection, stream: QuicStream) {
    this.connection = connection
    this.stream = stream
    this.id = stream.id
  }

  get info(): ConnectionInfo {
    return this.connection.info
  }

  private now(): number {
    return this.connection.hooks.time.clock.now()
  }

  private watch(): void {
    const due = this.dueAt()
    if (due > 0 && !this.timer.scheduled && !this.closed) this.connection.hooks.time.wheel.schedule(this.timer, due)
  }

  // ---- receiving

  onHeaders(_stream: QuicStream, pairs: readonly string[], kind: HeadersKind): void {
    this.connection.hooks.time.clock.tick()
    if (kind === "trailing") this.trailersCame(pairs)
    else if (this.m === null && !this.headSent) this.requestCame(pairs)
  }

  private requestCame(pairs: readonly string[]): void {
    const { hooks } = this.connection
    const m = hooks.acquire(this)
    requestFields.begin(m, hooks.limits, hooks.forward)
    readPairs(pairs, requestFields)
    this.trailersWanted = requestFields.trailers
    const fault = requestFields.finish(false)
    m.version = 30
    m.startedAt = this.now()
    this.m = m
    this.gotAt = m.startedAt
    if (fault !== null) {
      this.denied = fault === FAULT.malformed
      hooks.refuse(m, fault)
      return
    }
    if (this.stream.early && !this.maySendEarly(m)) return
    if (this.trailersWanted) m.request.extra += "TE: trailers\r\nConnection: TE\r\n"
    if (m.upgrade !== "" || m.method === "CONNECT") this.awaitTunnel(m)
    if (m.requestBody === BODY_LENGTH) this.promised = m.requestLength
    this.continueDue = m.expectContinue
    if (m.requestBody === BODY_CHUNKED && bodyIsRare(m.method)) {
      this.held = true
      hooks.time.wheel.schedule(this.timer, this.gotAt + END_MS)
    } else this.start()
  }

  /** What comes before a tunnel is agreed on belongs to nobody yet. */
  private awaitTunnel(m: Message): void {
    this.wantsTunnel = true
    if (m.method === "CONNECT") this.tunnelCode = H3_CONNECT_ERROR
    if (m.upgrade === "websocket") askWebSocket(m)
    else if (m.upgrade === CONNECT_UDP) {
      this.datagrams = new DatagramPath(this.stream, this.id)
      this.connection.takeDatagrams(this.id, this.datagrams)
    }
    this.pauseBody()
  }

  /** What came in 0-RTT data may be a replay: only what changes nothing is let through, and marked (RFC 8470). */
  private maySendEarly(m: Message): boolean {
    if (m.upgrade === "" && (m.method === "GET" || m.method === "HEAD" || m.method === "OPTIONS")) {
      m.request.removeName("early-data")
      m.request.append("Early-Data", "1")
      return true
    }
    this.connection.hooks.refuse(m, FAULT.tooEarly)
    return false
  }

  private start(): void {
    const m = this.m!
    this.held = false
    this.connection.hooks.start(m)
    if (this.m === m && !this.ended) this.watch()
  }

  onData(_stream: QuicStream, chunk: Uint8Array): void {
    this.connection.hooks.time.clock.tick()
    this.gotAt = this.now()
    this.continueDue = false
    if (this.held) this.start()
    if (this.tunnel !== null) {
      if (!this.tunnel.receive(chunk)) this.giveUp(H3_MESSAGE_ERROR, FAULT.aborted)
      return
    }
    if (this.m === null) return
    if (this.promised >= 0) {
      this.promised -= chunk.length
      if (this.promised < 0) {
        this.giveUp(H3_MESSAGE_ERROR, FAULT.aborted)
        return
      }
    }
    this.m.onRequestBody(chunk)
  }

  private trailersCame(pairs: readonly string[]): void {
    trailerFields.begin()
    readPairs(pairs, trailerFields)
    const lines = trailerFields.finish()
    if (lines === null) this.giveUp(H3_MESSAGE_ERROR, FAULT.aborted)
    else this.trailers = lines
  }

  onEnd(_stream: QuicStream): void {
    this.connection.hooks.time.clock.tick()
    this.ended = true
    const m = this.m
    if (this.promised > 0 && m !== null) {
      this.giveUp(H3_MESSAGE_ERROR, FAULT.aborted)
      return
    }
    if (this.held && m !== null) {
      m.requestBody = BODY_NONE
      this.start()
      return
    }
    if (this.tunnel !== null) {
      if (!this.tunnel.receiveEnd()) this.giveUp(H3_MESSAGE_ERROR, FAULT.aborted)
    } else if (m !== null && m.requestBody !== BODY_NONE) m.onRequestEnd(this.trailers)
  }

  onReset(_stream: QuicStream, _code: number): void {
    this.clientGone()
  }

  onStopped(_stream: QuicStream): void {
    this.clientGone()
  }

  private clientGone(): void {
    if (!this.answered && !this.closed) this.connection.countReset()
    this.giveUp(H3_REQUEST_CANCELLED, this.connection.reason)
  }

  onClose(_stream: QuicStream, end: StreamEnd): void {
    this.finish()
    const { m, tunnel } = this
    this.m = null
    if (tunnel !== null) tunnel.gone()
    else if (m !== null) this.tellGone(m, end === "unread" ? FAULT.bodyTooLarge : this.connection.reason)
  }

  /** The exchange, whether or not it has begun, has nobody to answer any more. */
  private tellGone(m: Message, fault: Fault): void {
    if (this.held) {
      this.held = false
      this.connection.hooks.recycle(m)
    } else m.onClientGone(fault)
  }

  private giveUp(code: number, fault: Fault): void {
    const { m, tunnel } = this
    this.m = null
    this.stream.abort(code)
    this.finish()
    if (tunnel !== null) tunnel.gone()
    else if (m !== null) this.tellGone(m, fault)
  }

  private finish(): void {
    if (this.closed) return
    this.closed = true
    this.connection.hooks.time.wheel.cancel(this.timer)
    this.connection.forget(this)
    if (this.datagrams !== null) this.connection.takeDatagrams(this.id, null)
  }

  onDrain(_stream: QuicStream): void {
    this.sentAt = this.now()
    if (this.tunnel !== null) this.tunnel.drained()
    if (!this.full) return
    this.full = false
    if (this.m !== null) this.m.onDownDrain()
  }

  // ---- Downstream

  sendInterim(status: number, lines: string): void {
    if (this.m === null || this.headSent || this.denied) return
    if (status === 100) {
      this.continueBody()
      return
    }
    const pairs = [":status", String(status)]
    addLines(pairs, lines)
    this.stream.sendHeaders(pairs, "informational")
  }

  continueBody(): void {
    if (!this.continueDue || this.headSent) return
    this.continueDue = false
    this.stream.sendHeaders([":status", "100"], "informational")
  }

  sendHead(m: Message): void {
    assert(this.m === m && !this.headSent, "one head an exchange")
    this.headSent = true
    if (this.denied) return
    const fields = m.response
    const isTunnel = m.responseBody === BODY_TUNNEL
    if (isTunnel && m.status === 101) acceptWebSocket(m)
    if (isTunnel) fields.remove(NAME.contentLength)
    const line = isTunnel ? "" : bodyLengthLine(m)
    // Success would mean a tunnel, and whoever answered has not agreed to one (RFC 9220 section 3).
    const refuses = this.wantsTunnel && !isTunnel && m.status >= 200 && m.status < 300
    this.head = [":status", m.status === 101 ? "200" : refuses ? "501" : String(m.status)]
    addLines(this.head, fields.render() + line)
  }

  /** The head leaves, unless it has. */
  private sendHeadNow(fin: boolean): void {
    const head = this.head
    if (head === null) return
    this.head = null
    if (this.stream.sendHeaders(head, "initial", fin) || this.closed) return
    // More fields than a section can have here: the client would wait for ever.
    this.connection.hooks.faulted(FAULT.responseTooLarge)
    if (this.m !== null) this.m.status = FAULT.responseTooLarge.status
    this.stream.sendHeaders([":status", "502", "content-length", "0"], "initial", true)
  }

  sendBody(chunk: Uint8Array): boolean {
    if (this.denied || this.closed || chunk.length === 0) return true
    this.sendHeadNow(false)
    if (this.stream.write(chunk)) return true
    this.full = true
    this.sentAt = this.now()
    this.watch()
    return false
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  sendEnd(trailers: string): void {
    assert(this.headSent, "the head goes first")
    this.m = null
    this.answered = true
    if (this.denied) {
      this.connection.countReset()
      this.giveUp(H3_MESSAGE_ERROR, FAULT.malformed)
      return
    }
    if (trailers !== "") {
      const pairs: string[] = []
      addLines(pairs, trailers)
      this.sendHeadNow(false)
      this.stream.sendHeaders(pairs, "trailing")
    } else if (this.head !== null) this.sendHeadNow(true)
    else this.stream.end()
    // The answer is whole and the request is not: the client need not send the rest (RFC 9114 section 4.1).
    if (!this.ended) this.stream.stopSending(H3_NO_ERROR)
  }

  flush(): boolean {
    this.sendHeadNow(false)
    return !this.full
  }

  pauseBody(): void {
    this.paused = true
    this.stream.pause()
  }

  resumeBody(): void {
    if (!this.paused) return
    this.paused = false
    this.gotAt = this.now()
    this.stream.resume()
    this.watch()
  }

  closeAfter(fault: Fault): void {
    if (fault === FAULT.authRepeated || fault === FAULT.loginRepeated) this.connection.closeIdle()
  }

  abort(fault: Fault): void {
    this.m = null
    this.answered = true
    this.giveUp(fault.source === "client" || fault === FAULT.draining ? H3_REQUEST_CANCELLED : H3_INTERNAL_ERROR, fault)
  }

  takeTunnel(): TunnelEnd {
    assert(this.headSent && this.tunnel === null, "a tunnel begins behind a head")
    this.m = null
    this.answered = true
    this.sendHeadNow(false)
    this.tunnel = new H3Tunnel(this.stream, this.connection.hooks.time, this.datagrams, this)
    if (this.closed) this.tunnel.gone()
    else if (this.ended) this.tunnel.receiveEnd()
    return this.tunnel.end
  }

  tunnelAborted(): void {
    this.finish()
  }

  // ---- time

  private dueAt(): number {
    const { body, write } = this.connection.hooks.timeouts
    if (this.full) return write > 0 ? this.sentAt + write : 0
    return !this.ended && !this.paused && this.m !== null && body > 0 ? this.gotAt + body : 0
  }

  onTimer(): void {
    if (this.held) {
      this.start()
      return
    }
    const due = this.dueAt()
    if (due === 0 || this.closed) return
    if (due > this.now()) this.connection.hooks.time.wheel.schedule(this.timer, due)
    else if (this.full) this.giveUp(H3_REQUEST_CANCELLED, FAULT.writeTimeout)
    else if (this.headSent) this.giveUp(H3_REQUEST_CANCELLED, FAULT.bodyTimeout)
    else this.m!.onRequestFault(FAULT.bodyTimeout)
  }
}

/** A body would be out of place. */
function bodyIsRare(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "DELETE"
}
