// HOT
import { assert } from "../../base/index.ts"
import type { Wire, WireHandler } from "../../net/index.ts"
import type { AttemptTimes, ClientHooks, UpstreamConnection } from "../client-hooks.ts"
import { H1Tunnel, type TunnelOwner } from "../h1/tunnel-end.ts"
import { BODY_TUNNEL, type Message } from "../message.ts"
import type { TunnelEnd } from "../sides.ts"
import { TunnelUpstream } from "../wordless-sides.ts"

/** One connection to a peer that speaks no HTTP: it serves one exchange, as its tunnel, and has nothing to wait for. */
export class RawClientConnection extends TunnelUpstream implements UpstreamConnection, WireHandler, TunnelOwner {
  readonly served = 0
  readonly usable = false
  private readonly hooks: ClientHooks
  private readonly end: H1Tunnel
  private m: Message | null = null
  private gone = false

  constructor(wire: Wire, hooks: ClientHooks) {
    super()
    this.hooks = hooks
    this.end = new H1Tunnel(wire, hooks.time, null, null, this)
  }

  send(m: Message, _target: string, _times: AttemptTimes): void {
    assert(this.m === null, "one exchange a connection")
    this.m = m
    m.up = this
  }

  /** There is no request: the peer is ready when it is connected. */
  override sendEnd(): void {
    const { m } = this
    this.m = null
    if (m === null || m.up !== this) return
    m.status = 200
    m.reason = ""
    m.response.reset("")
    m.responseBody = BODY_TUNNEL
    m.onResponseHead()
  }

  takeTunnel(): TunnelEnd {
    return this.end
  }

  abort(): void {
    this.close()
  }

  close(): void {
    this.m = null
    this.end.abort()
  }

  onData(wire: Wire, chunk: Buffer): void {
    this.end.onData(wire, chunk)
  }

  onDrain(wire: Wire): void {
    this.end.onDrain(wire)
  }

  onEnd(wire: Wire): void {
    this.end.onEnd(wire)
  }

  onClose(wire: Wire, error: Error | null): void {
    this.end.onClose(wire, error)
  }

  tunnelGone(): void {
    if (this.gone) return
    this.gone = true
    this.hooks.gone(this)
  }
}
