// HOT
import { assert, type Fault, FAULT } from "../../base/index.ts"
import type { ConnectionInfo } from "../../net/index.ts"
import { bodyLengthLine } from "../body-length-line.ts"
import { BODY_LENGTH, BODY_TUNNEL, type Message } from "../message.ts"
import { NAME } from "../names.ts"
import type { Downstream, TunnelEnd } from "../sides.ts"
import { CANCEL, CONNECT_ERROR, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR } from "./frames.ts"
import { priority, readPriority } from "./priority.ts"
import type { H2ServerConnection } from "./server.ts"
import { H2Stream } from "./stream.ts"
import { StreamTunnel, type TunnelStream } from "./stream-tunnel.ts"
import { UploadRate } from "./upload-rate.ts"
import { acceptWebSocket, askWebSocket } from "./websocket.ts"

/** One request of a client and its answer. */
export class ServerStream extends H2Stream implements Downstream, TunnelStream {
  declare readonly connection: H2ServerConnection
  private m: Message | null = null
  private headSent = false
  private continueDue = false
  /** The request was no message: whatever is answered, the client gets this code (RFC 9113 section 8.1.1); -1 = it was one. */
  private denial = -1
  /** It asks for a tunnel: what comes before that is agreed belongs to nobody yet. */
  private wantsTunnel = false
  /** By CONNECT as it always was, not the extended one. */
  private connects = false
  private rate: UploadRate | null = null

  constructor(id: number, connection: H2ServerConnection) {
    super(id, connection)
  }

  get info(): ConnectionInfo {
    return this.connection.info
  }

  /** `trailers`: the client takes them, and says so. */
  begin(m: Message, ends: boolean, trailers: boolean, fault: Fault | null): void {
    const { hooks } = this.connection
    this.m = m
    this.gotAt = m.startedAt
    this.remoteEnded = ends
    this.told = ends
    if (fault !== null) {
      if (fault === FAULT.malformed) this.denial = PROTOCOL_ERROR
      hooks.refuse(m, fault)
      return
    }
    if (trailers) m.request.extra += "TE: trailers\r\nConnection: TE\r\n"
    if (m.upgrade === "websocket") askWebSocket(m)
    if (m.upgrade !== "" || m.method === "CONNECT") {
      this.wantsTunnel = true
      this.connects = m.method === "CONNECT"
      this.pause()
    } else if (!ends && hooks.timeouts.bodyRateMin > 0) this.rate = new UploadRate(m.startedAt)
    if (m.requestBody === BODY_LENGTH) this.promised = m.requestLength
    this.continueDue = m.expectContinue && !ends
    this.readPriority(m)
    hooks.start(m)
    if (!ends) this.watch()
  }

  private readPriority(m: Message): void {
    const value = m.request.find("priority")
    if (value === undefined) return
    readPriority(value)
    this.urgency = priority.urgency
    this.incremental = priority.incremental
  }

  protected onSurplus(): void {
    this.reset(PROTOCOL_ERROR)
    this.connection.countReset()
    this.onReset(PROTOCOL_ERROR)
  }

  protected deliver(chunk: Buffer): void {
    this.continueDue = false
    if (this.tunnel !== null) {
      this.tunnel.receive(chunk)
      return
    }
    // After the answer the rest of the request has no reader.
    if (this.m === null) return
    if (this.rate?.tooSlow(chunk.length, this.connection.hooks.timeouts.bodyRateMin, this.gotAt)) this.bodyTooSlow(this.m)
    else this.m.onRequestBody(chunk)
  }

  protected deliverEnd(trailers: string): void {
    if (this.tunnel !== null) this.tunnel.receiveEnd()
    else if (this.m !== null) this.m.onRequestEnd(trailers)
  }

  onReset(_code: number): void {
    const { m } = this
    this.m = null
    if (m !== null) m.onClientGone(this.connection.reason)
  }

  // ---- Downstream

  sendInterim(status: number, lines: string): void {
    if (this.m === null || this.headSent || this.denial >= 0) return
    if (status === 100) this.continueBody()
    else {
      this.connection.writeHeaders(this.id, String(status), lines, false)
      this.connection.flushSoon()
    }
  }

  continueBody(): void {
    if (!this.continueDue || this.headSent) return
    this.continueDue = false
    this.connection.writeHeaders(this.id, "100", "", false)
    this.connection.flushSoon()
  }

  sendHead(m: Message): void {
    assert(this.m === m && !this.headSent, "one head an exchange")
    this.headSent = true
    if (this.denial >= 0 || this.closed) return
    const fields = m.response
    const { altSvc } = this.connection.hooks
    if (altSvc !== "") fields.set(NAME.altSvc, "alt-svc", altSvc)
    if (m.responseBody === BODY_TUNNEL) {
      if (m.status === 101) acceptWebSocket(m)
      fields.remove(NAME.contentLength)
      this.connection.writeHeaders(this.id, m.status === 101 ? "200" : String(m.status), fields.render(), false)
      return
    }
    // Success would mean a tunnel, and whoever answered has not agreed to one (RFC 8441 section 4, RFC 9220 section 3).
    const status = this.wantsTunnel && m.status >= 200 && m.status < 300 ? "501" : String(m.status)
    this.connection.writeHeaders(this.id, status, fields.render() + bodyLengthLine(m), false)
  }

  sendBody(chunk: Uint8Array): boolean {
    return this.denial >= 0 || this.send(chunk)
  }

  sendText(text: string): boolean {
    return this.denial >= 0 || this.sendLatin1(text)
  }

  sendEnd(trailers: string): void {
    assert(this.headSent, "the head goes first")
    this.m = null
    if (this.denial >= 0) {
      const code = this.denial
      this.connection.countReset()
      this.reset(code)
      return
    }
    this.end(trailers)
  }

  protected onLocalEnd(): void {
    if (this.tunnel !== null) return
    // The answer is whole and the request is not: the client need not send the rest (RFC 9113 section 8.1).
    if (!this.remoteEnded) this.reset(NO_ERROR)
    else this.dropRest()
  }

  flush(): boolean {
    this.connection.flushSoon()
    return this.roomLeft()
  }

  protected onSendDrain(): void {
    if (this.tunnel !== null) this.tunnel.drained()
    else if (this.m !== null) this.m.onDownDrain()
  }

  pauseBody(): void {
    this.rate?.pause(this.connection.now())
    this.pause()
  }

  resumeBody(): void {
    this.rate?.resume(this.connection.now())
    this.resume()
    if (!this.remoteEnded) this.watch()
  }

  closeAfter(fault: Fault): void {
    // One bad request says nothing of the others; guessing passwords does.
    if (fault === FAULT.authRepeated || fault === FAULT.loginRepeated) this.connection.closeIdle()
  }

  abort(fault: Fault): void {
    this.m = null
    this.reset(fault.source === "client" || fault === FAULT.draining ? CANCEL : INTERNAL_ERROR)
  }

  takeTunnel(): TunnelEnd {
    assert(this.headSent && this.tunnel === null, "a tunnel begins behind a head")
    this.m = null
    this.tunnel = new StreamTunnel(this, this.connection.hooks.time)
    this.connection.flushSoon()
    return this.tunnel
  }

  // ---- the stream under a tunnel

  tunnelAbort(): void {
    // The target's connection failed (RFC 9113 section 8.5, RFC 8441 section 5).
    this.reset(this.connects ? CONNECT_ERROR : CANCEL)
  }

  // ---- time

  protected dueAt(): number {
    const { body, write } = this.connection.hooks.timeouts
    if (this.pendingBytes > 0) return write > 0 ? Math.max(this.sentAt, this.connection.turnsTaken(this)) + write : 0
    const waits = !this.remoteEnded && !this.paused && this.m !== null && body > 0
    return waits ? Math.max(this.gotAt, this.connection.arrivingAt(this.id)) + body : 0
  }

  protected onOverdue(): void {
    const { m } = this
    if (this.pendingBytes > 0) {
      this.m = null
      this.reset(CANCEL)
      if (m !== null) m.onClientGone(FAULT.writeTimeout)
    } else if (m !== null) this.bodyTooSlow(m)
  }

  private bodyTooSlow(m: Message): void {
    this.rate = null
    if (!this.headSent) {
      m.onRequestFault(FAULT.bodyTimeout)
      return
    }
    this.m = null
    this.reset(CANCEL)
    m.onClientGone(FAULT.bodyTimeout)
  }
}
