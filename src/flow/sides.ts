import type { Fault } from "../base/index.ts"
import type { Exchange } from "./exchange.ts"

/**
 * The client's side of one exchange, whatever the HTTP version. Implemented by the server codecs.
 * Head and first chunk leave in one write: calls collect until `flush`, which every caller makes at the end of its turn.
 */
export interface Downstream {
  /** Sends an interim response (1xx, not 101) with these ready-made lines. Dropped for clients that cannot take it (RFC 9110 section 15.2). */
  sendInterim(status: number, lines: string): void
  /** Sends x.status, x.reason, x.response and frames the body by x.responseBody and x.responseLength. */
  sendHead(x: Exchange): void
  /** False = keep it coming but stop soon: the caller pauses its source until `x`'s pump is told to drain. */
  sendBody(chunk: Uint8Array): boolean
  /** The body is complete. `trailers` are ready-made lines or "". */
  sendEnd(trailers: string): void
  flush(): void
  /** Reading of the request body: paused while any reason is held. */
  pauseBody(): void
  resumeBody(): void
  /** 100-continue now, when the client waits for it and nothing has been sent. */
  continueBody(): void
  /** Cuts the exchange in the middle: the client must notice (RFC 9112 section 8). */
  abort(fault: Fault): void
  /** Turns the connection into raw bytes after the head has been sent: returns the half that a tunnel pumps. */
  takeTunnel(): TunnelEnd
}

/** The upstream's side of one attempt. Implemented by the client codecs. */
export interface Upstream {
  /** False = full; wait for the drain call. */
  sendBody(chunk: Uint8Array): boolean
  sendEnd(trailers: string): void
  flush(): void
  pauseBody(): void
  resumeBody(): void
  /** Gives the attempt up; the connection is closed, no further calls come. */
  abort(): void
  takeTunnel(): TunnelEnd
}

/** One end of a tunnel: bytes with back-pressure and half-close. */
export interface TunnelEnd {
  /** Starts delivery; what was read ahead comes first. */
  start(receiver: TunnelReceiver): void
  /** False = full; wait for onTunnelDrain. */
  write(chunk: Uint8Array): boolean
  /** Closes the writing half. */
  finish(): void
  pause(): void
  resume(): void
  abort(): void
}

export interface TunnelReceiver {
  onTunnelData(chunk: Uint8Array): void
  onTunnelDrain(): void
  onTunnelEnd(): void
  onTunnelClose(): void
}
