// HOT
import { FAULT, Timer, type TimerOwner } from "../../base/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../../net/index.ts"
import { ServerConnection } from "../h1/server.ts"
import { RawServerConnection } from "../raw/raw-server.ts"
import type { ServerHooks } from "../server-hooks.ts"
import type { DownstreamConnection } from "../sides.ts"
import { readSpoken, type Spoken, spokenName } from "./first-octets.ts"

/** How a listener takes the connections that are brought to it. */
export interface TransparentOptions {
  /** Milliseconds that a client may be silent before its server is believed to speak first. */
  readonly silenceMs: number
  /** Carries what is neither TLS nor HTTP, and clients that wait for their server to speak. */
  readonly carriesOther: boolean
}

const HTTP_PORT = 80
const HTTPS_PORT = 443

/**
 * A client that does not know of us: what it says first tells what it speaks, and which connection stands in this one's place from then on.
 *
 *     TLS hello     ──> a tunnel (CONNECT) to the TLS name at the port that was called
 *     request line  ──> HTTP, as a server would take it
 *     other, silent ──> a tunnel to the address that was called
 *
 * `info` says which address that is: `localAddress` and `localPort`.
 */
export class TransparentConnection implements DownstreamConnection, WireHandler, TimerOwner {
  readonly info: ConnectionInfo
  private readonly wire: Wire
  private readonly hooks: ServerHooks
  private readonly options: TransparentOptions
  private readonly timer: Timer
  private readonly until: number
  private ahead: Buffer | null = null
  private ended = false
  private over = false
  private told = false

  constructor(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, options: TransparentOptions) {
    this.wire = wire
    this.info = info
    this.hooks = hooks
    this.options = options
    this.timer = new Timer(this)
    const { time, timeouts } = hooks
    const now = time.clock.now()
    this.until = timeouts.head > 0 ? now + timeouts.head : 0
    const first = this.mayBeSilent ? now + options.silenceMs : this.until
    if (first > 0) time.wheel.schedule(this.timer, first)
  }

  /** On the ports of HTTP the client speaks first, so that silence there opens nothing. */
  private get mayBeSilent(): boolean {
    return this.info.localPort !== HTTP_PORT && this.info.localPort !== HTTPS_PORT
  }

  onData(_wire: Wire, chunk: Buffer): void {
    this.hooks.time.clock.tick()
    if (this.over) return
    // Octets are lent for the call.
    this.ahead = this.ahead === null ? Buffer.from(chunk) : Buffer.concat([this.ahead, chunk])
    const spoken = readSpoken(this.ahead)
    if (spoken !== "started") this.become(spoken)
  }

  private become(spoken: Spoken): void {
    this.leave()
    if (spoken === "http") this.goOnAsHttp()
    else if (spoken === "tls") this.goOnAsTunnel(spokenName)
    else if (this.options.carriesOther) this.goOnAsTunnel("")
    else this.refuse()
  }

  private goOnAsHttp(): void {
    const { wire, hooks } = this
    const next = new ServerConnection(wire, this.info, hooks)
    wire.data = next
    hooks.replaced(this, next)
    next.onData(wire, this.ahead!)
    if (this.ended && wire.data === next) next.onEnd(wire)
  }

  private goOnAsTunnel(serverName: string): void {
    const { wire, hooks } = this
    const next = new RawServerConnection(wire, this.info, hooks, { kind: "CONNECT", peeks: false })
    wire.data = next
    hooks.replaced(this, next)
    next.beginWith(serverName, this.ahead, this.ended)
  }

  /** It speaks nothing that is carried here. */
  private refuse(): void {
    this.hooks.faulted(FAULT.forbidden)
    this.close()
  }

  onDrain(): void {}

  onEnd(_wire: Wire): void {
    this.ended = true
    if (this.over) return
    // It says no more, so this is all there will be.
    if (this.mayBeSilent) this.become("other")
    else this.close()
  }

  onClose(_wire: Wire, _error: Error | null): void {
    if (!this.over) this.leave()
    this.tellClosed()
  }

  private tellClosed(): void {
    if (this.told) return
    this.told = true
    this.hooks.closed(this)
  }

  onTimer(): void {
    if (this.over) return
    const { time } = this.hooks
    const now = time.clock.now()
    if (this.mayBeSilent && (this.ahead === null || !isUnderWay(this.ahead))) this.become("other")
    else if (this.until > now) time.wheel.schedule(this.timer, this.until)
    else {
      this.hooks.faulted(FAULT.headTimeout)
      this.close()
    }
  }

  private leave(): void {
    this.over = true
    this.hooks.time.wheel.cancel(this.timer)
  }

  private close(): void {
    if (!this.over) this.leave()
    this.wire.terminate()
    this.tellClosed()
  }

  // ---- DownstreamConnection

  closeIdle(): void {
    if (!this.over && this.ahead === null) this.close()
  }

  closeNow(): void {
    this.close()
  }
}

/** A hello or a request line has begun beyond doubt: it is waited for as long as a head is. */
function isUnderWay(octets: Buffer): boolean {
  return octets[0] === 22 || octets.includes(32)
}
