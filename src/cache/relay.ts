import { assert, type Fault, FAULT } from "../base/index.ts"
import type { Exchange } from "../flow/index.ts"
import type { TunnelEnd, Upstream } from "../http/index.ts"

/** Hands what a fetch gets to the one client that caused it, as its upstream, with back-pressure both ways. */
export class Relay implements Upstream {
  private readonly f: Exchange
  private x: Exchange | null
  private paused = false
  private waits = false

  constructor(f: Exchange, x: Exchange) {
    this.f = f
    this.x = x
  }

  /** Gives the client the head. */
  begin(): void {
    const { f } = this
    const x = this.x!
    assert(x.up === null && !x.headSent, "a client that waits")
    x.status = f.status
    x.reason = f.reason
    x.response.copyFrom(f.response)
    x.responseBody = f.responseBody
    x.responseLength = f.responseLength
    x.up = this
    x.step = x.plan!.respondAt - 1
    x.onResponseHead()
  }

  push(chunk: Uint8Array): boolean {
    const { x } = this
    if (x === null) return true
    // What a response filter holds back must be its own: chunks may be lent.
    x.onResponseBody(x.headSent ? chunk : Buffer.from(chunk))
    this.waits = this.paused
    return !this.paused
  }

  flush(): boolean {
    const { x } = this
    if (x === null || !x.headSent) return true
    if (x.down!.flush()) return true
    this.paused = true
    this.waits = true
    return false
  }

  end(trailers: string): void {
    const { x } = this
    this.x = null
    x?.onResponseEnd(trailers)
  }

  fail(fault: Fault): void {
    const { x } = this
    this.x = null
    x?.onUpFault(fault)
  }

  pauseBody(): void {
    this.paused = true
  }

  resumeBody(): void {
    this.paused = false
    if (!this.waits) return
    this.waits = false
    this.f.onDownDrain()
  }

  /** The client is gone, or has no use for it: nobody else has either. */
  abort(): void {
    if (this.x === null) return
    this.x = null
    this.f.onClientGone(FAULT.aborted)
  }

  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendEnd(_trailers: string): void {}

  takeTunnel(): TunnelEnd {
    throw new Error("a relayed answer is no tunnel")
  }
}
