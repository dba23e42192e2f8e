// HOT
import { assert, type Fault, FAULT, normaliseIp } from "../../base/index.ts"
import type { ConnectionInfo, Wire } from "../../net/index.ts"
import { H1Tunnel, type TunnelOwner } from "../h1/tunnel-end.ts"
import { WireOut } from "../h1/wire-out.ts"
import { WireTunnel } from "../h1/wire-tunnel.ts"
import { BODY_TUNNEL, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { Downstream, DownstreamConnection, TunnelEnd } from "../sides.ts"
import { Association, type AssociationOwner } from "./association.ts"
import { BOUND } from "./bind.ts"
import { QuietEnd } from "./quiet-end.ts"
import { GENERAL_FAILURE, replyCode, replyText, SUCCEEDED } from "./reply.ts"
import type { SocksOptions } from "./socks-options.ts"

// what the connection is doing
export const READING = 0
/** The request is whole; the answer is not there. */
export const ANSWERING = 1
const TUNNEL = 2
/** We have closed our half and read on, so that a reset does not destroy what we said. */
const LINGER = 3
const CLOSED = 4

// what it reads
export const FIRST = 0
export const CREDENTIALS = 1
export const REQUEST = 2

const LINGER_MS = 2000
/** A client that is in the middle of asking when its listener closes may finish, for so long. */
const LAST_REQUEST_MS = 1000
const NO_HTTP = `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 38\r\nConnection: close\r\n\r\nThis port speaks SOCKS, and not HTTP.\n`

/** What a SOCKS client is told, and how its connection ends: at once, gently, by the client, as a tunnel or a relay, or with the listener. */
export abstract class SocksEnds extends WireOut implements Downstream, DownstreamConnection, TunnelOwner, AssociationOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  protected readonly options: SocksOptions
  protected m: Message | null = null
  protected state = READING
  protected part = FIRST
  /** 4 or 5; 0 = nothing has come. */
  protected version = 0
  /** What the client says about itself, as a field of HTTP would; "" = nothing that anybody judges. */
  credentials = ""
  protected ahead: Buffer | null = null
  /** What the request's own form has against it, as a reply code; 0 = nothing. */
  protected objection = 0
  /** It took us for a proxy of HTTP. */
  protected isHttp = false
  /** The port that the client will send datagrams from; 0 = it does not say. */
  protected clientPort = 0
  private halfClosed = false
  private tunnel: H1Tunnel | null = null
  private association: Association | null = null
  /** The far end of the relay that was asked for. */
  private far: QuietEnd | null = null

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, options: SocksOptions) {
    super(wire, hooks.time)
    this.info = info
    this.hooks = hooks
    this.options = options
    this.arm(hooks.timeouts.head)
  }

  protected say(text: string): void {
    this.putText(text)
    this.flush()
  }

  onEnd(_wire: Wire): void {
    this.halfClosed = true
    if (this.association !== null) this.association.abort()
    else if (this.broken) this.lost(FAULT.aborted)
    // What is not whole will never be. Otherwise the client has said all that it will, and waits.
    else if (this.state === READING) this.shut(false)
    else if (this.state === LINGER && !this.blocked) this.shut(false)
  }

  onClose(_wire: Wire, _error: Error | null): void {
    const { m } = this
    this.m = null
    this.state = CLOSED
    this.closed = true
    this.dropOutput()
    this.endTimer()
    if (m !== null) m.onClientGone(FAULT.aborted)
    this.association?.abort()
    this.hooks.closed(this)
  }

  protected lost(fault: Fault): void {
    const { m } = this
    this.m = null
    this.shut(true)
    this.association?.abort()
    if (m !== null) m.onClientGone(fault)
  }

  protected shut(reset: boolean): void {
    if (this.state === CLOSED) return
    this.state = CLOSED
    this.closed = true
    this.dropOutput()
    this.endTimer()
    if (reset) this.wire.terminate()
    else this.wire.end()
  }

  // ---- Downstream

  sendHead(m: Message): void {
    assert(this.m === m && this.state === ANSWERING, "one answer a connection")
    if (m.responseBody !== BODY_TUNNEL) this.putText(this.refusal(m))
    else if (m.up instanceof QuietEnd) this.far = m.up
    else this.putText(this.success(m))
  }

  /** With the address that the tunnel leaves from, or with that of the peer which was waited for; through a parent nobody knows. */
  private success({ method, up }: Message): string {
    if (!(up instanceof WireTunnel)) return replyText(this.version, SUCCEEDED, "", 0)
    const { wire } = up
    if (method === "BIND") return replyText(this.version, SUCCEEDED, normaliseIp(wire.remoteAddress) ?? "", wire.remotePort)
    return replyText(this.version, SUCCEEDED, wire.localAddress, wire.localPort)
  }

  /** How a client hears that it gets no tunnel, where it is in its conversation; "" = there is no word for it. */
  private refusal(m: Message): string {
    if (this.part === REQUEST) return replyText(this.version, this.objection === 0 ? replyCode(m.fault, m.status) : this.objection, "", 0)
    if (this.part === CREDENTIALS) return "\x01\x01"
    return m.fault === FAULT.socksMethod ? "\x05\xff" : this.isHttp ? NO_HTTP : ""
  }

  sendEnd(_trailers: string): void {
    this.m = null
    this.flush()
    if (this.state === CLOSED) return
    this.ahead = null
    if (this.halfClosed && !this.blocked) {
      this.shut(false)
      return
    }
    this.state = LINGER
    this.arm(LINGER_MS)
    if (!this.blocked) this.wire.shutdown()
    this.wire.resume()
  }

  protected onWritable(): void {
    if (this.state !== LINGER) return
    if (this.halfClosed) this.shut(false)
    else this.wire.shutdown()
  }

  protected onProgress(): void {}

  takeTunnel(): TunnelEnd {
    assert(this.state === ANSWERING, "a tunnel begins behind a reply")
    this.flush()
    this.m = null
    this.state = TUNNEL
    this.endTimer()
    if (this.far !== null) return this.associateWith(this.far)
    const { ahead } = this
    this.ahead = null
    this.closed = true
    this.tunnel = new H1Tunnel(this.wire, this.time, ahead, this.takeUnsent(), this)
    this.tunnel.inherit(this.halfClosed, this.broken)
    return this.tunnel
  }

  private associateWith(far: QuietEnd): TunnelEnd {
    const association = new Association(this, this.options.udp!, far, this.clientPort)
    this.association = association
    // Nothing is kept for it, and it lives as long as the connection does, whose end must be heard (RFC 1928 section 7).
    this.ahead = null
    this.wire.resume()
    if (this.halfClosed) association.abort()
    return association
  }

  relayReady(port: number): void {
    const address = this.options.udp!.address
    this.say(replyText(5, port === 0 ? GENERAL_FAILURE : SUCCEEDED, port === 0 ? "" : address === "" ? this.info.localAddress : address, port))
  }

  relayGone(): void {
    this.shut(false)
  }

  tunnelGone(): void {
    this.hooks.closed(this)
  }

  abort(_fault: Fault): void {
    this.m = null
    this.shut(true)
  }

  /** A peer is waited for there: the first of the two replies to BIND. */
  sendInterim(status: number, lines: string): void {
    const colon = lines.lastIndexOf(":")
    if (status === BOUND)
      this.say(replyText(this.version, SUCCEEDED, normaliseIp(lines.substring(0, colon)) ?? "", Number(lines.substring(colon + 1))))
  }

  // A page in place of a tunnel is for clients that can show one.
  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendText(_text: string): boolean {
    return true
  }

  pauseBody(): void {}
  resumeBody(): void {}
  continueBody(): void {}
  closeAfter(_fault: Fault): void {}

  // ---- DownstreamConnection

  closeIdle(): void {
    if (this.state === READING) this.arm(LAST_REQUEST_MS)
  }

  closeNow(): void {
    if (this.tunnel !== null) this.tunnel.abort()
    else if (this.association !== null) this.association.abort()
    else this.lost(FAULT.draining)
  }
}
