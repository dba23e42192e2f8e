// HOT
import { assert, type Fault, FAULT, normaliseIp } from "../../base/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../../net/index.ts"
import { H1Tunnel, type TunnelOwner } from "../h1/tunnel-end.ts"
import { WireOut } from "../h1/wire-out.ts"
import { WireTunnel } from "../h1/wire-tunnel.ts"
import { BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { Downstream, DownstreamConnection, TunnelEnd } from "../sides.ts"
import { readHost } from "../target.ts"
import { Association, type AssociationOwner } from "./association.ts"
import { BOUND } from "./bind.ts"
import { describe } from "./describe.ts"
import { QuietEnd } from "./quiet-end.ts"
import { basicOf, NO_METHOD, NO_PASSWORD, offered, PASSWORD, readGreeting, readPassword } from "./read-greeting.ts"
import { ASSOCIATE, asked, BAD, BIND, CONNECT, MORE, readRequest4, readRequest5 } from "./read-request.ts"
import { GENERAL_FAILURE, replyCode, replyText, SUCCEEDED } from "./reply.ts"
import type { SocksOptions } from "./socks-options.ts"

// what the connection is doing
const READING = 0
/** The request is whole; the answer is not there. */
const ANSWERING = 1
const TUNNEL = 2
/** We have closed our half and read on, so that a reset does not destroy what we said. */
const LINGER = 3
const CLOSED = 4

// what it reads
const FIRST = 0
const CREDENTIALS = 1
const REQUEST = 2

/** What a request for a UDP relay is called in the place of a method. */
const ASSOCIATE_METHOD = "ASSOCIATE"
const LINGER_MS = 2000
/** A client that is in the middle of asking when its listener closes may finish, for so long. */
const LAST_REQUEST_MS = 1000

/**
 * A client connection that speaks SOCKS 4, 4a or 5. What it asks for is one exchange with the method CONNECT, as if it had come by HTTP:
 *
 *     5: greeting ──> [name and password] ──> request ──> route, access, dial … ──> reply ──> tunnel
 *     4: request ──> …
 *
 * Names go into the exchange as they came: whoever dials resolves them, or hands them on. What is said ahead of the tunnel is kept for it. Whether name and
 * password are right is decided with the request, so that the listener's log-in is one for all clients; a wrong one gets the reply "not allowed".
 */
export class SocksServerConnection extends WireOut implements Downstream, DownstreamConnection, WireHandler, TunnelOwner, AssociationOwner {
  readonly info: ConnectionInfo
  readonly hooks: ServerHooks
  private readonly options: SocksOptions
  private m: Message | null = null
  private state = READING
  private part = FIRST
  /** 4 or 5; 0 = nothing has come. */
  private version = 0
  /** What the client says about itself, as a field of HTTP would; "" = nothing that anybody judges. */
  credentials = ""
  private ahead: Buffer | null = null
  /** What the request's own form has against it, as a reply code; 0 = nothing. */
  private objection = 0
  private halfClosed = false
  private tunnel: H1Tunnel | null = null
  private association: Association | null = null
  /** The far end of the relay that was asked for. */
  private far: QuietEnd | null = null
  /** The port that the client will send datagrams from; 0 = it does not say. */
  private clientPort = 0

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, options: SocksOptions) {
    super(wire, hooks.time)
    this.info = info
    this.hooks = hooks
    this.options = options
    this.arm(hooks.timeouts.head)
  }

  // ---- reading

  onData(_wire: Wire, chunk: Buffer): void {
    this.time.clock.tick()
    if (this.state === READING) this.read(this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk]))
    else if (this.state === ANSWERING) {
      this.ahead = this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk])
      this.wire.pause()
    }
  }

  /** Takes what is whole. No part is longer than 520 octets, and each is refused as soon as it cannot become one. */
  private read(octets: Buffer): void {
    let at = 0
    this.ahead = null
    while (this.state === READING && at < octets.length) {
      const used = this.readPart(octets, at)
      if (used <= 0) break
      at += used
    }
    if (this.state === READING && at < octets.length) this.ahead = at === 0 ? octets : octets.subarray(at)
  }

  private readPart(octets: Buffer, at: number): number {
    if (this.part === FIRST) {
      const first = octets[at]!
      this.version = first === 4 ? 4 : 5
      if (first === 4 && this.options.v4) return this.readRequest(octets, at)
      if (first !== 5 || !this.options.v5) return this.refuse(FAULT.socksMalformed)
      return this.readGreeting(octets, at)
    }
    return this.part === CREDENTIALS ? this.readCredentials(octets, at) : this.readRequest(octets, at)
  }

  private readGreeting(octets: Buffer, at: number): number {
    const used = readGreeting(octets, at)
    if (used === MORE) return MORE
    const { passwords, silent } = this.options
    // Whoever insists on a password gives it to a listener that has no use for it, as with HTTP.
    const fitting = !passwords && offered.none ? NO_PASSWORD : offered.password ? PASSWORD : NO_METHOD
    const method = fitting === NO_METHOD && silent && offered.none ? NO_PASSWORD : fitting
    if (method === NO_METHOD) return this.refuse(FAULT.socksMethod)
    this.part = method === PASSWORD ? CREDENTIALS : REQUEST
    this.say(method === PASSWORD ? "\x05\x02" : "\x05\0")
    return used
  }

  private readCredentials(octets: Buffer, at: number): number {
    const used = readPassword(octets, at)
    if (used === MORE) return MORE
    const basic = used === BAD ? "" : basicOf(octets, at)
    if (basic === "") return this.refuse(FAULT.socksMalformed)
    if (this.options.passwords) this.credentials = basic
    this.part = REQUEST
    this.say("\x01\0")
    return used
  }

  private say(text: string): void {
    this.putText(text)
    this.flush()
  }

  private readRequest(octets: Buffer, at: number): number {
    this.part = REQUEST
    const used = this.version === 4 ? readRequest4(octets, at) : readRequest5(octets, at)
    if (used === MORE) return MORE
    if (used === BAD) {
      this.objection = asked.reply
      return this.refuse(FAULT.socksMalformed)
    }
    if (asked.command === ASSOCIATE) return this.associate()
    if (asked.command !== CONNECT && (asked.command !== BIND || !this.options.bind)) return this.refuse(FAULT.socksCommand)
    const end = at + used
    this.ahead = end === octets.length ? null : octets.subarray(end)
    const m = this.acquire()
    if (asked.command === BIND) m.method = "BIND"
    m.authority = asked.authority
    m.port = asked.port
    const bad = readHost(m)
    this.state = ANSWERING
    this.disarm()
    if (bad !== null) this.hooks.refuse(m, bad)
    else this.start(m, asked.claimed)
    return used
  }

  /** The relay's exchange has no target: its datagrams have. What the client says on the connection from now on means nothing. */
  private associate(): number {
    // A client that came by a Unix socket has no address that datagrams could come from.
    if (this.options.udp === null || this.version !== 5 || this.info.remoteAddress === "") return this.refuse(FAULT.socksCommand)
    // Behind a translator the client knows its own address and not the one that we see, nor the port.
    const isSeen = asked.host === this.info.remoteAddress || asked.host === "0.0.0.0" || asked.host === "::"
    this.clientPort = isSeen ? asked.port : 0
    this.state = ANSWERING
    this.disarm()
    const m = this.acquire()
    m.method = ASSOCIATE_METHOD
    m.host = ""
    m.authority = ""
    describe(m, this.credentials)
    this.hooks.start(m)
    return BAD
  }

  private start(m: Message, claimed: string): void {
    describe(m, this.credentials)
    this.credentials = ""
    if (claimed !== "") this.hooks.claimed?.(m, claimed)
    this.hooks.start(m)
  }

  private acquire(): Message {
    const m = this.hooks.acquire(this)
    this.m = m
    m.method = "CONNECT"
    m.version = this.version
    m.forwardForm = true
    m.path = ""
    m.rulePath = ""
    m.query = ""
    m.requestBody = BODY_NONE
    m.startedAt = this.time.clock.now()
    m.request.reset("")
    return m
  }

  /** It cannot be served whatever the rules say: the log has it, and the client hears why where there is a way to say it. */
  private refuse(fault: Fault): number {
    this.state = ANSWERING
    this.disarm()
    this.hooks.refuse(this.acquire(), fault)
    return BAD
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

  override onTimer(): void {
    if (this.broken) this.lost(FAULT.aborted)
    else if (this.state !== READING || this.version === 0) this.shut(this.state !== READING)
    else this.refuse(this.hooks.closing ? FAULT.draining : FAULT.headTimeout)
  }

  private lost(fault: Fault): void {
    const { m } = this
    this.m = null
    this.shut(true)
    this.association?.abort()
    if (m !== null) m.onClientGone(fault)
  }

  private shut(reset: boolean): void {
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
    return m.fault === FAULT.socksMethod ? "\x05\xff" : ""
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
    // It lives as long as the connection does (RFC 1928 section 7).
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
