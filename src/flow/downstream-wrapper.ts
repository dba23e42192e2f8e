// HOT
import type { Fault } from "../base/index.ts"
import type { Downstream, Message, TunnelEnd } from "../http/index.ts"
import type { ConnectionInfo } from "../net/index.ts"

/** What stands before the client's side of an exchange. Whatever it does not change goes through to what is behind it. */
export abstract class DownstreamWrapper implements Downstream {
  /** The codec's own, or another one that stands between. */
  inner: Downstream

  constructor(inner: Downstream) {
    this.inner = inner
  }

  abstract sendBody(chunk: Uint8Array): boolean
  abstract sendText(text: string): boolean
  abstract flush(): boolean

  get info(): ConnectionInfo {
    return this.inner.info
  }

  sendInterim(status: number, lines: string): void {
    this.inner.sendInterim(status, lines)
  }

  sendHead(m: Message): void {
    this.inner.sendHead(m)
  }

  sendEnd(trailers: string): void {
    this.inner.sendEnd(trailers)
  }

  pauseBody(): void {
    this.inner.pauseBody()
  }

  resumeBody(): void {
    this.inner.resumeBody()
  }

  continueBody(): void {
    this.inner.continueBody()
  }

  closeAfter(fault: Fault): void {
    this.inner.closeAfter(fault)
  }

  abort(fault: Fault): void {
    this.inner.abort(fault)
  }

  takeTunnel(): TunnelEnd {
    return this.inner.takeTunnel()
  }
}
