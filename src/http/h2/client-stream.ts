// HOT
import { assert, type Fault, FAULT } from "../../base/index.ts"
import type { AttemptTimes } from "../client-hooks.ts"
import { BODY_LENGTH, BODY_NONE, type Message } from "../message.ts"
import { requestLead } from "../request-lead.ts"
import type { TunnelEnd, Upstream } from "../sides.ts"
import type { H2ClientConnection } from "./client.ts"
import { CANCEL, PROTOCOL_ERROR, REFUSED_STREAM } from "./frames.ts"
import { H2Stream } from "./stream.ts"
import { StreamTunnel, type TunnelStream } from "./stream-tunnel.ts"
import { agreeWebSocket, keyOf, linesWithoutKey } from "./websocket.ts"

const INTERIM_MAX = 16

/** One exchange with a peer. */
export class ClientStream extends H2Stream implements Upstream, TunnelStream {
  declare readonly connection: H2ClientConnection
  private m: Message | null = null
  private readonly times: AttemptTimes
  private target = ""
  /** The final head has come. */
  headCame = false
  private requestDone = false
  private interims = 0
  private touched = false
  /** Its head has been written. */
  private gone = false
  /** The connection had served others when this one began. */
  private readonly late: boolean
  /** Key of a WebSocket that the client asked for in HTTP/1.1. */
  private key = ""

  constructor(connection: H2ClientConnection, times: AttemptTimes) {
    super(0, connection)
    this.times = times
    this.late = connection.served > 0
  }

  /** The exchange that it serves; null when nobody waits for the answer any more. */
  get message(): Message | null {
    return this.m
  }

  begin(m: Message, target: string): void {
    this.m = m
    this.target = target
    m.up = this
    if (m.upgrade === "" || this.connection.settledFor(this)) this.go()
  }

  /** Sends the head. */
  go(): void {
    const m = this.m
    if (m === null || this.closed) return
    if (m.upgrade !== "" && !this.connection.connects) {
      this.refuse(FAULT.protocolUnavailable)
      return
    }
    this.gone = true
    this.connection.open(this)
    this.key = keyOf(m)
    const lead = requestLead(m, this.target, this.connection.secure)
    this.connection.writeHeaders(this.id, `${lead.join("\n")}\n`, linesWithoutKey(m), false)
    this.connection.flushSoon()
  }

  // ---- Upstream

  sendBody(chunk: Uint8Array): boolean {
    return this.m === null || this.send(chunk)
  }

  sendEnd(trailers: string): void {
    const m = this.m
    if (m === null || this.closed) return
    this.requestDone = true
    this.sentAt = this.connection.now()
    // What opens a tunnel does not end (RFC 8441 section 5).
    if (m.upgrade === "" && m.method !== "CONNECT") this.end(trailers)
    this.connection.flushSoon()
    this.watch()
  }

  protected onLocalEnd(): void {}

  flush(): boolean {
    this.connection.flushSoon()
    return this.roomLeft()
  }

  protected onSendDrain(): void {
    if (this.tunnel !== null) this.tunnel.drained()
    else if (this.m !== null && !this.requestDone) this.m.onUpDrain()
  }

  pauseBody(): void {
    this.pause()
  }

  resumeBody(): void {
    this.resume()
    // What was kept back leaves now: the connection's next octets may be long in coming.
    if (this.touched) this.flushDown()
    if (!this.closed) this.watch()
  }

  abort(): void {
    this.m = null
    this.giveUp(CANCEL)
  }

  takeTunnel(): TunnelEnd {
    assert(this.tunnel === null, "a tunnel is taken once")
    this.m = null
    this.tunnel = new StreamTunnel(this, this.connection.hooks.time)
    return this.tunnel
  }

  // ---- receiving

  receiveHead(fault: Fault | null, ends: boolean): void {
    const m = this.m!
    if (fault !== null) {
      this.refuse(fault)
      return
    }
    this.gotAt = this.connection.now()
    if (m.status < 200) {
      if (++this.interims > INTERIM_MAX) this.refuse(FAULT.malformedResponse)
      else m.onInterim(m.status, m.response.render())
      return
    }
    this.headCame = true
    this.connection.served++
    if (m.upgrade !== "" && m.status < 300) agreeWebSocket(m, this.key)
    if (m.responseBody === BODY_LENGTH) this.promised = m.responseLength
    if (ends) this.remoteEnded = true
    this.push()
    m.onResponseHead()
    if (ends) this.receiveEnd("")
    else if (!this.closed) this.watch()
  }

  protected onSurplus(): void {
    this.refuse(FAULT.malformedResponse)
  }

  protected deliver(chunk: Buffer): void {
    if (this.tunnel !== null) {
      this.tunnel.receive(chunk)
      return
    }
    const m = this.m
    if (m === null) return
    if (!this.headCame || m.responseBody === BODY_NONE) {
      this.refuse(FAULT.malformedResponse)
      return
    }
    this.push()
    m.onResponseBody(chunk)
  }

  /** At the end of the turn the client gets what has come. */
  private push(): void {
    if (this.touched) return
    this.touched = true
    this.connection.touch(this)
  }

  flushDown(): void {
    this.touched = false
    const m = this.m
    if (m !== null && m.up === this && m.down !== null && !m.down.flush()) this.pause()
  }

  protected deliverEnd(trailers: string): void {
    if (this.tunnel !== null) {
      this.tunnel.receiveEnd()
      return
    }
    const m = this.m
    if (m === null) return
    if (!this.headCame) {
      this.refuse(FAULT.malformedResponse)
      return
    }
    this.m = null
    m.up = null
    // An early answer: the rest of the request has no reader.
    if (!this.localEnded) this.reset(CANCEL)
    m.onResponseEnd(trailers)
  }

  // ---- ends

  /** The answer is none, or nothing can be asked here: the stream ends, and the exchange learns why. */
  refuse(fault: Fault): void {
    this.giveUp(fault === FAULT.malformedResponse ? PROTOCOL_ERROR : CANCEL)
    this.tell(fault)
  }

  /** The peer is told where it knows of the stream. */
  private giveUp(code: number): void {
    if (this.gone) this.reset(code)
    else this.close()
  }

  /** The peer has not looked at it. */
  unprocessed(): void {
    this.close()
    this.tell(FAULT.streamRefused)
  }

  private tell(fault: Fault): void {
    const m = this.m
    this.m = null
    if (m === null) return
    m.up = null
    m.onUpFault(fault)
  }

  onReset(code: number): void {
    if (this.connection.culprit === this) this.tell(FAULT.malformedResponse)
    else if (this.headCame) this.tell(FAULT.truncated)
    else this.tell(this.connection.over ? this.cut() : code === REFUSED_STREAM ? FAULT.streamRefused : FAULT.closedEarly)
  }

  /** The connection went with all that was on it. One that a peer closes after it has served is like one that was kept alive. */
  private cut(): Fault {
    const { failure } = this.connection
    if (failure !== null) return failure
    return this.late ? FAULT.reusedClosed : FAULT.closedEarly
  }

  // ---- the stream under a tunnel

  tunnelAbort(): void {
    this.reset(CANCEL)
  }

  // ---- time

  protected dueAt(): number {
    const { head, idle } = this.times
    if (this.m === null) return 0
    if (this.pendingBytes > 0) return idle > 0 ? this.sentAt + idle : 0
    if (!this.headCame) return this.requestDone && head > 0 ? this.sentAt + head : 0
    return !this.paused && idle > 0 ? this.gotAt + idle : 0
  }

  protected onOverdue(): void {
    const late = this.headCame || this.pendingBytes > 0 ? FAULT.idleTimeout : FAULT.headTimeoutUpstream
    if (!this.headCame) this.connection.doubt(this.sentAt)
    this.giveUp(CANCEL)
    this.tell(late)
  }
}
