// HOT
import type { Fault } from "../base/index.ts"
import type { ConnectionInfo } from "../net/index.ts"
import type { Message } from "./message.ts"
import type { Downstream, TunnelEnd, Upstream } from "./sides.ts"

/** A client's side on which no body is read: a protocol without HTTP, or somebody in the program who wants to know how it ended alone. */
export abstract class WordlessDownstream implements Downstream {
  abstract readonly info: ConnectionInfo
  abstract sendHead(m: Message): void
  abstract abort(fault: Fault): void
  abstract takeTunnel(): TunnelEnd

  sendInterim(_status: number, _lines: string): void {}

  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendText(_text: string): boolean {
    return true
  }

  sendEnd(_trailers: string): void {}

  flush(): boolean {
    return true
  }

  pauseBody(): void {}
  resumeBody(): void {}
  continueBody(): void {}
  closeAfter(_fault: Fault): void {}
}

/** A peer's side that takes part in an exchange only to become a tunnel. */
export abstract class TunnelUpstream implements Upstream {
  abstract abort(): void
  abstract takeTunnel(): TunnelEnd

  sendBody(_chunk: Uint8Array): boolean {
    return true
  }

  sendEnd(_trailers: string): void {}

  flush(): boolean {
    return true
  }

  pauseBody(): void {}
  resumeBody(): void {}
}
