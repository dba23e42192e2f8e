import type { Fault } from "../base/index.ts"
import type { ConnectionInfo, Wire } from "../net/index.ts"
import type { Message } from "./message.ts"

/**
 * The client's side of one exchange, whatever the HTTP version. Implemented by the server codecs.
 * Head and first chunk leave in one write: calls collect until `flush`, which every source makes at the end of its turn; `sendEnd` flushes.
 */
export interface Downstream {
  /** The connection that the request came over. */
  readonly info: ConnectionInfo
  /** Sends an interim response (1xx, not 101) with these ready-made lines. Dropped for clients that cannot take it (RFC 9110 section 15.2). */
  sendInterim(status: number, lines: string): void
  /** Sends status, reason, response and frames the body by responseBody and responseLength. */
  sendHead(m: Message): void
  /** False = taken, but stop soon: the caller pauses its source until `onDownDrain`. The chunk's memory must stay as it is until `flush`. */
  sendBody(chunk: Uint8Array): boolean
  /**
   * For large chunks that stay as they are: takes as much of one as the connection can use now, a bounded rest included, and says how many octets those were;
   * what it leaves is offered again after `onDownDrain`. `flush` says whether to wait. Absent where a body cannot be cut anywhere.
   */
  sendPart?(chunk: Uint8Array): number
  /** The same for a small body that is text already, one character an octet. */
  sendText(text: string): boolean
  /** The body is complete. `trailers` are ready-made lines or "". */
  sendEnd(trailers: string): void
  /** False = not all of it has left: the caller pauses its source until `onDownDrain`. */
  flush(): boolean
  /** Reading of the request body stops until `resumeBody`. */
  pauseBody(): void
  resumeBody(): void
  /** 100 (Continue) now, when the client waits for it and nothing has been sent. */
  continueBody(): void
  /** This fault lets the connection take no further request: the answer that is about to be sent says so and is its last, where the version has one request at a time (RFC 9112 section 9.6). */
  closeAfter(fault: Fault): void
  /** Cuts the exchange in the middle so that the client notices (RFC 9112 section 8). */
  abort(fault: Fault): void
  /** Gives the connection away as raw bytes once the head has been sent. */
  takeTunnel(): TunnelEnd
}

/** The upstream's side of one attempt. Implemented by the client codecs. */
export interface Upstream {
  /** False = taken, but stop soon: wait for `onUpDrain`. The chunk's memory must stay as it is until `flush`. */
  sendBody(chunk: Uint8Array): boolean
  sendEnd(trailers: string): void
  /** False = not all of it has left: wait for `onUpDrain`. */
  flush(): boolean
  pauseBody(): void
  resumeBody(): void
  /** Gives the attempt up; no further calls come. */
  abort(): void
  takeTunnel(): TunnelEnd
}

/** One end of a tunnel: bytes with back-pressure and half-close. */
export interface TunnelEnd {
  /** Starts delivery; what was read ahead comes first. Octets are lent to the receiver for one call. */
  start(receiver: TunnelReceiver, idleMs: number): void
  /** False = taken, but stop soon: wait for onTunnelDrain. */
  write(chunk: Uint8Array): boolean
  /** Closes the writing half. */
  finish(): void
  pause(): void
  resume(): void
  abort(): void
  /**
   * Gives the connection up, once it has started and all that was written has left: the receiver hears nothing more, and whoever takes it sets its handler.
   * null where there is no connection of its own, or not in this state.
   */
  release?(): ReleasedWire | null
  /**
   * From now on octets may go to `other` without coming to the receiver, which hears their number (`onTunnelMoved`) and has nothing to do for them; those
   * that `other` does not take come as ever. A wish: absent, or without effect, where the ends have no sockets of their own that carry what is meant and nothing else.
   */
  moveTo?(other: TunnelEnd): void
  /** The end that this one only stands before by now: what it takes and gives is the same. */
  readonly bare?: TunnelEnd
}

/** A connection that was a tunnel's. */
export interface ReleasedWire {
  readonly wire: Wire
  /** Whoever had it, such as a client's connection as its listener knows it, to be told when it is closed; null = nobody. */
  readonly former: { tunnelGone(): void } | null
}

export interface TunnelReceiver {
  onTunnelData(from: TunnelEnd, chunk: Uint8Array): void
  /** So many octets went to the end that was named in `moveTo`. */
  onTunnelMoved?(from: TunnelEnd, octets: number): void
  onTunnelDrain(from: TunnelEnd): void
  /** The peer closed its writing half. */
  onTunnelEnd(from: TunnelEnd): void
  /** Closed or broken; the last call from this end. */
  onTunnelClose(from: TunnelEnd): void
}

/** A client connection as its listener sees it, whatever the HTTP version. */
export interface DownstreamConnection {
  readonly info: ConnectionInfo
  /** The listener closes: what is under way may end, nothing new begins. */
  closeIdle(): void
  /** Cuts whatever is under way. */
  closeNow(): void
}
