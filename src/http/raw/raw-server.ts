// HOT
import { assert, type Fault, FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import { type ConnectionInfo, plainServerName, readClientHello, type Wire, type WireHandler } from "../../net/index.ts"
import { H1Tunnel, type TunnelOwner } from "../h1/tunnel-end.ts"
import { BODY_NONE, BODY_TUNNEL, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection, TunnelEnd } from "../sides.ts"
import { WordlessDownstream } from "../wordless-sides.ts"

/** What a client connection without HTTP is called in logs and rules, in the place of a method. */
export type RawKind = "TCP" | "UDP"

export interface RawOptions {
  /** CONNECT = a client that called a server and was brought here: a forward request for whom it called. */
  readonly kind: RawKind | "CONNECT"
  /** Waits for the client's first message and reads the TLS name in it, which stands for the host. What is no TLS has none. */
  readonly peeks: boolean
}

/**
 * A client connection that carries no HTTP: the whole of it is one exchange, whose answer is a tunnel.
 *
 *     [peeks: the first octets, until they say a name] ──> start ──> route, access … ──> tunnel, what was read first
 *
 * Until the tunnel stands nothing more is read. A refusal closes the connection: nothing can be said on it.
 */
export class RawServerConnection extends WordlessDownstream implements DownstreamConnection, WireHandler, TunnelOwner, TimerOwner {
  readonly info: ConnectionInfo
  private readonly wire: Wire
  private readonly hooks: ServerHooks
  private readonly kind: RawOptions["kind"]
  private m: Message | null = null
  private tunnel: H1Tunnel | null = null
  private ahead: Buffer | null = null
  private readonly timer: Timer | null
  private peeking: boolean
  private ended = false
  private closed = false

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, { kind, peeks }: RawOptions) {
    super()
    this.wire = wire
    this.info = info
    this.hooks = hooks
    this.kind = kind
    this.peeking = peeks
    this.timer = peeks ? new Timer(this) : null
    if (this.timer !== null) this.arm(this.timer)
  }

  private arm(timer: Timer): void {
    const { time, timeouts } = this.hooks
    if (timeouts.head > 0) time.wheel.schedule(timer, time.clock.now() + timeouts.head)
  }

  /** To be called when the wire's events come here. */
  begin(): void {
    if (!this.peeking) this.start(this.info.serverName)
  }

  /** The same for a connection that somebody has read from: what it said, and whether it has closed its half. */
  beginWith(serverName: string, ahead: Buffer | null, ended: boolean): void {
    this.ahead = ahead
    this.ended = ended
    this.start(serverName)
  }

  private start(serverName: string): void {
    assert(this.m === null && !this.closed, "one exchange a connection")
    this.peeking = false
    if (this.timer !== null) this.hooks.time.wheel.cancel(this.timer)
    this.wire.pause()
    const m = this.hooks.acquire(this)
    this.m = m
    m.method = this.kind
    m.version = 0
    m.host = serverName
    m.authority = serverName
    m.port = this.info.localPort
    m.forwardForm = this.kind === "CONNECT"
    m.path = ""
    m.rulePath = ""
    m.query = ""
    m.requestBody = BODY_NONE
    m.request.reset("")
    this.hooks.start(m)
  }

  // ---- the wire, until the tunnel has it

  onData(_wire: Wire, chunk: Buffer): void {
    this.hooks.time.clock.tick()
    // Octets are lent for the call.
    this.ahead = this.ahead === null ? Buffer.from(chunk) : Buffer.concat([this.ahead, chunk])
    if (this.peeking) this.peek()
  }

  private peek(): void {
    const hello = readClientHello(this.ahead!)
    if (hello === "incomplete") return
    this.start(hello === "invalid" ? "" : plainServerName(hello.serverName))
  }

  onDrain(): void {}

  onEnd(_wire: Wire): void {
    this.ended = true
    // It says no more: there is no name to wait for.
    if (this.peeking && !this.closed) this.start("")
  }

  onClose(_wire: Wire, _error: Error | null): void {
    this.lost(FAULT.aborted)
  }

  onTimer(): void {
    if (!this.peeking) return
    this.peeking = false
    // Who waits for the server to speak first has no hello to say.
    if (this.ahead === null) this.start("")
    else {
      this.hooks.faulted(FAULT.headTimeout)
      this.close()
    }
  }

  private lost(fault: Fault): void {
    const { m } = this
    this.close()
    if (m !== null) m.onClientGone(fault)
  }

  private close(): void {
    this.m = null
    if (this.closed) return
    this.closed = true
    if (this.timer !== null) this.hooks.time.wheel.cancel(this.timer)
    this.wire.terminate()
    this.hooks.closed(this)
  }

  // ---- Downstream

  sendHead(m: Message): void {
    // Nothing can be said to a client whose protocol is not known.
    if (m.responseBody !== BODY_TUNNEL) this.m = null
  }

  override sendEnd(_trailers: string): void {
    this.close()
  }

  takeTunnel(): TunnelEnd {
    const { wire, ahead } = this
    this.m = null
    this.ahead = null
    const tunnel = new H1Tunnel(wire, this.hooks.time, ahead, null, this)
    tunnel.inherit(this.ended, this.closed)
    this.tunnel = tunnel
    return tunnel
  }

  tunnelGone(): void {
    if (this.closed) return
    this.closed = true
    this.hooks.closed(this)
  }

  abort(_fault: Fault): void {
    this.close()
  }

  // ---- DownstreamConnection

  /** What is under way may end; who has said nothing yet never began. */
  closeIdle(): void {
    if (this.peeking && this.ahead === null) this.close()
  }

  closeNow(): void {
    if (this.tunnel !== null) this.tunnel.abort()
    else this.lost(FAULT.draining)
  }
}
