// HOT
import { assert, type Fault, FAULT } from "../../base/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../../net/index.ts"
import { H2ServerConnection } from "../h2/server.ts"
import { SocksServerConnection } from "../socks/socks-server.ts"
import { speaksSocks } from "../socks/socks-options.ts"
import { BODY_TUNNEL, type Message } from "../message.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection, TunnelEnd } from "../sides.ts"
import { ServerWriter } from "./server-writer.ts"
import { H1Tunnel, type TunnelOwner } from "./tunnel-end.ts"

// what the connection waits for
export const HEAD = 0
export const BODY = 1
/** The request is complete, the response is not. */
export const ANSWERING = 2
const TUNNEL = 3
/** We have closed our half and read on so that the reset does not destroy what we sent (RFC 9112 section 9.6). */
export const LINGER = 4
export const CLOSED = 5

const LINGER_MS = 2000
const KEEP_ALIVE_PROBE_MS = 30_000
/** A client that asked so lately, or has just come in, has a request on its way, as a rule: when its listener closes it may still ask once, for as long. */
const LAST_REQUEST_MS = 1000

/** How a client connection ends: at once, gently, by the client, as a tunnel, or with the listener. */
export abstract class ServerEnds extends ServerWriter implements TunnelOwner, DownstreamConnection {
  readonly info: ConnectionInfo
  protected state = HEAD
  /** Octets read ahead of what the state takes. */
  protected ahead: Buffer | null = null
  /** The client has closed its half. */
  protected halfClosed = false
  protected probing = false
  /** Heads that were read. */
  protected requests = 0
  /** When the last exchange ended, or the connection came in. */
  protected idleSince = 0
  private tunnel: H1Tunnel | null = null

  /** What begins the connection is no head of HTTP/1, or none that is whole: another protocol takes it, if it is one that is spoken here. */
  protected goesOnAsOther(m: Message, octets: Buffer, refused: boolean): boolean {
    if (this.requests > 0) return false
    const { socks } = this.hooks
    if (socks !== undefined && socks !== null && speaksSocks(octets[0]!, socks)) {
      this.leave(m)
      this.become(new SocksServerConnection(this.wire, this.info, this.hooks, socks), octets)
      return true
    }
    if (!refused || !this.isHttp2(octets)) return false
    this.leave(m)
    this.become(new H2ServerConnection(this.wire, this.info, this.hooks), octets)
    return true
  }

  /** The client knows, without having asked, that we speak HTTP/2: it begins with its preface (RFC 9113 section 3.3). */
  private isHttp2(octets: Buffer): boolean {
    return this.hooks.http2 && !this.hooks.secure && octets.length >= 14 && octets.latin1Slice(0, 14) === "PRI * HTTP/2.0"
  }

  private leave(m: Message): void {
    this.hooks.recycle(m)
    this.m = null
    this.state = CLOSED
    this.closed = true
    this.endTimer()
  }

  private become(next: WireHandler & DownstreamConnection, octets: Buffer): void {
    this.wire.data = next
    this.hooks.replaced(this, next)
    next.onData(this.wire, octets)
  }

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks) {
    super(wire, hooks)
    this.info = info
  }

  /** The connection is gone; called once. */
  protected abstract tellClosed(): void

  protected onBroken(): void {
    this.lost(FAULT.aborted)
  }

  /** What is kept beyond this turn must not lie in lent memory. */
  protected owned(chunk: Buffer): Buffer {
    return this.lent ? Buffer.from(chunk) : chunk
  }

  protected keepAhead(chunk: Buffer): void {
    this.ahead = this.ahead === null ? chunk : Buffer.concat([this.ahead, chunk])
    this.pauseReading()
  }

  /**
   * A client that did not wait for its tunnel has sent octets that are no request, whatever they look like; whoever chose them must not ask in its name
   * when the tunnel is refused (RFC 9931).
   */
  override sendHead(m: Message): void {
    if (this.ahead !== null && m.method === "CONNECT" && m.responseBody !== BODY_TUNNEL) this.keepAlive = false
    super.sendHead(m)
  }

  takeTunnel(): TunnelEnd {
    assert(this.headSent && this.state === ANSWERING, "a tunnel begins behind a head")
    this.flush()
    this.state = TUNNEL
    this.endTimer()
    const ahead = this.ahead
    this.ahead = null
    this.closed = true
    this.tunnel = new H1Tunnel(this.wire, this.time, ahead, this.takeUnsent(), this)
    this.tunnel.inherit(this.halfClosed, this.broken)
    return this.tunnel
  }

  tunnelGone(): void {
    this.tellClosed()
  }

  abort(_fault: Fault): void {
    if (this.state === CLOSED) return
    this.m = null
    this.keepAlive = false
    this.flush()
    // Without the last chunk or the promised length the client sees the cut; a close-delimited body needs a reset to show it.
    this.shut(true)
  }

  /** Flushes, closes our half and reads on for a moment. */
  protected closeGently(): void {
    if (this.state === CLOSED || this.state === LINGER) return
    this.m = null
    this.flush()
    if (this.halfClosed && !this.blocked) {
      this.shut(false)
      return
    }
    this.state = LINGER
    this.ahead = null
    if (this.blocked) this.armWrite()
    else this.linger()
    this.resumeReading()
  }

  /** Everything has left: our half closes, and what the client still sends is read for a moment. */
  protected linger(): void {
    if (this.halfClosed) {
      this.shut(false)
      return
    }
    this.arm(LINGER_MS)
    this.wire.shutdown()
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

  /** The listener closes: this connection ends after its exchange, or after one more that is on its way, whose answer says so. */
  closeIdle(): void {
    if (this.state !== HEAD || this.m !== null || this.ahead !== null) this.keepAlive = this.headSent ? this.keepAlive : false
    // An answer may still wait for the client to take it.
    else if (this.blocked) this.closeGently()
    else if (this.mayAskOnce && this.time.clock.now() - this.idleSince < LAST_REQUEST_MS) this.armIdle()
    else this.shut(false)
  }

  protected get mayAskOnce(): boolean {
    return this.hooks.lastRequests !== false
  }

  protected awaitRequest(): void {
    this.idleSince = this.time.clock.now()
    if (this.blocked) this.armWrite()
    else this.armIdle()
  }

  protected armIdle(): void {
    const { idle } = this.hooks.timeouts
    this.arm(this.hooks.closing && (idle === 0 || idle > LAST_REQUEST_MS) ? LAST_REQUEST_MS : idle)
  }

  /** Cuts whatever is under way. */
  closeNow(): void {
    if (this.tunnel !== null) {
      this.tunnel.abort()
      return
    }
    this.lost(FAULT.draining)
  }

  protected dropPartial(): void {
    if (this.m === null) return
    this.hooks.recycle(this.m)
    this.m = null
  }

  protected watchPeer(): void {
    const wire = this.wire as Wire & { setKeepAlive?(on: boolean, ms: number): void }
    wire.setKeepAlive?.(true, KEEP_ALIVE_PROBE_MS)
  }

  protected lost(fault: Fault): void {
    if (this.state === HEAD) this.dropPartial()
    const m = this.m
    this.m = null
    this.shut(true)
    if (m !== null) m.onClientGone(fault)
  }

  onClose(_wire: Wire, _error: Error | null): void {
    const m = this.m
    const reading = this.state === HEAD
    this.m = null
    this.state = CLOSED
    this.closed = true
    this.dropOutput()
    this.endTimer()
    if (m !== null) {
      if (reading) this.hooks.recycle(m)
      else m.onClientGone(FAULT.aborted)
    }
    this.tellClosed()
  }

  /** Asks a half-closed client for a sign of life: an interim response that it may ignore; one that is gone answers with a reset. */
  protected probe(): void {
    this.probing = false
    if (this.headSent || this.m === null || this.m.version < 11) return
    this.sayContinue()
  }
}
