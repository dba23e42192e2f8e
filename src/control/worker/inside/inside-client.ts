import { type Fault, FAULT } from "../../../base/index.ts"
import type { InsideOpening } from "../../../config/index.ts"
import { type Exchange, Notes, notesOf, type TakenTunnel, type Waiter } from "../../../flow/index.ts"
import { acceptConnection, asksForUdp, type Downstream, type DownstreamConnection, type Message, type ServerHooks } from "../../../http/index.ts"
import type { ConnectionInfo, InsideFailure, InsideHandler, Wire, WireHandler } from "../../../net/index.ts"
import type { ListenerRuntime } from "../listener-runtime.ts"
import { InsideInfo } from "./inside-info.ts"

/**
 * A client whose TLS we ended inside its tunnel, and what its HTTP connection needs of the listener: the listener's own, but that each request is one for the
 * tunnel's target, asked by whoever asked for the tunnel.
 *
 *     tunnel's exchange (waits) ── InsideClient ──> HTTP/1.1 or 2 connection ──> exchanges with notes.inside ──> the listener's table, from the route on
 */
export class InsideClient implements InsideHandler, ServerHooks, Waiter {
  readonly secure = true
  readonly forward = true
  readonly http2 = false
  readonly altSvc = ""
  private readonly runtime: ListenerRuntime
  private readonly opening: InsideOpening
  private readonly taken: TakenTunnel
  private readonly outer: ConnectionInfo
  /** What the tunnel is for, and who asked for it: its exchange may be gone before the last request. */
  private readonly host: string
  private readonly authority: string
  private readonly port: number
  private readonly user: string
  private readonly clientAddress: string
  private readonly notes: Notes
  private connection: (WireHandler & DownstreamConnection) | null = null
  private wire: Wire
  private requests = 0
  private since = 0
  private over = false

  constructor(runtime: ListenerRuntime, opening: InsideOpening, taken: TakenTunnel) {
    this.runtime = runtime
    this.opening = opening
    this.taken = taken
    this.wire = taken.wire
    const { x } = opening.peek
    this.outer = x.down!.info
    this.host = x.host
    this.authority = x.authority
    this.port = x.port
    this.user = x.user
    this.clientAddress = x.clientAddress
    this.notes = notesOf(x)
    x.waiter = this
  }

  // ---- the handshake

  onSecured(wire: Wire, alpn: string, tlsVersion: string): WireHandler | null {
    this.wire = wire
    this.since = this.time.clock.now()
    const info = new InsideInfo(this.outer, this.opening.serverName, { alpn, tlsVersion })
    const connection = acceptConnection(wire, info, this)
    this.connection = connection
    this.runtime.goesOn(this.taken.former, connection)
    return connection
  }

  onRefused(failure: InsideFailure, detail: string): void {
    this.taken.former?.tunnelGone()
    this.end({ failure, detail })
  }

  /** The tunnel's exchange is ended from outside. */
  cancel(): void {
    this.over = true
    if (this.connection === null) this.wire.terminate()
    else this.connection.closeNow()
  }

  private end(outcome: Parameters<InsideOpening["done"]>[0]): void {
    if (this.over) return
    this.over = true
    this.opening.done(outcome)
  }

  // ---- ServerHooks

  get limits(): ServerHooks["limits"] {
    return this.runtime.limits
  }

  get timeouts(): ServerHooks["timeouts"] {
    return this.runtime.timeouts
  }

  get closing(): boolean {
    return this.runtime.closing
  }

  get lastRequests(): boolean {
    return this.runtime.lastRequests
  }

  get time(): ServerHooks["time"] {
    return this.runtime.time
  }

  get h2Tuning(): ServerHooks["h2Tuning"] {
    return this.runtime.h2Tuning
  }

  acquire(down: Downstream): Message {
    const m = this.runtime.acquire(down)
    m.scheme = "https"
    return m
  }

  recycle(m: Message): void {
    this.runtime.recycle(m)
  }

  start(m: Message): void {
    const x = m as Exchange
    this.requests++
    this.introduce(x)
    const fault = this.misdirection(x)
    if (fault === null) this.runtime.startInside(x)
    else this.runtime.refuse(x, fault)
  }

  refuse(m: Message, fault: Fault): void {
    this.requests++
    this.introduce(m as Exchange)
    this.runtime.refuse(m, fault)
  }

  replaced(former: DownstreamConnection, next: DownstreamConnection): void {
    this.runtime.replaced(former, next)
  }

  faulted(fault: Fault): void {
    this.runtime.faulted(fault)
  }

  closed(connection: DownstreamConnection): void {
    this.runtime.closed(connection)
    this.end({ requests: this.requests, ms: this.time.clock.now() - this.since })
  }

  // ---- requests

  /** Who asks was found out when the tunnel began. */
  private introduce(x: Exchange): void {
    const { notes } = this
    const own = new Notes()
    own.groups = notes.groups
    own.exit = notes.exit
    own.claimedUser = notes.claimedUser
    own.tls = "inspect"
    own.tlsReason = notes.tlsReason
    own.ja4 = notes.ja4
    own.tlsName = notes.tlsName
    own.alpn = notes.alpn
    own.called = notes.called
    own.inside = true
    own.refuse = notes.refuse
    x.notes = own
    x.user = this.user
    x.clientAddress = this.clientAddress
  }

  /** A request must be for what the tunnel, or its TLS, was for (RFC 9110 section 7.4): null = it is, and it has the form of a forward request now. */
  private misdirection(x: Exchange): Fault | null {
    if (x.method === "CONNECT") return FAULT.methodForbidden
    if (x.scheme !== "https") return FAULT.misdirected
    if (x.authority === "") {
      x.host = this.host
      x.authority = this.authority
      x.port = this.port
    }
    if (x.host !== this.host && x.host !== this.opening.serverName) return FAULT.misdirected
    if (x.port !== this.port) {
      if (hasPort(x.authority)) return FAULT.misdirected
      x.port = this.port
      x.authority = `${x.authority}:${this.port}`
    }
    if (x.host === this.host) x.notes!.dials = this.notes.dials
    // Meant for the site; the proxy's own tunnels are not asked for in here.
    if (x.upgrade !== "" && asksForUdp(x.upgrade)) x.upgrade = ""
    x.forwardForm = true
    return null
  }
}

function hasPort(authority: string): boolean {
  return /:[0-9]+$/.test(authority) && !authority.endsWith("]")
}
